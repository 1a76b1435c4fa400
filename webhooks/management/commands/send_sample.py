"""`manage.py send_sample stripe`: sends a signed, realistic request of a provider to a running hub, and says what came.

With no options it goes to the hub on this machine, to the first source of that provider. It creates nothing in the
tables, and changes nothing there, unless it is told to pin.
"""

from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, build_opener

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from webhooks.deciders.samples import SAMPLES
from webhooks.services.samples import CannotSend, Prepared, pin, prepare

TIMEOUT_S = 10
SHOWN = 2_000  # bytes of the answer
_ACTOR = "manage.py"


class Command(BaseCommand):
    help = "Sends a correctly signed sample of a provider to a running hub."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("provider", metavar="provider", help=f"One of {', '.join(SAMPLES)}.")
        parser.add_argument(
            "--source", default="", help="The slug of the source; else the first of the provider."
        )
        parser.add_argument("--url", default="", help="The whole address to send to, such as another hub's.")
        parser.add_argument("--secret", default="", help="What the sender signs with; else the source's own.")
        parser.add_argument(
            "--account",
            default="",
            help="With --url, whose topic (SNS) or webhook (PayPal) the source takes.",
        )
        parser.add_argument(
            "--pin",
            action="store_true",
            help="Pin the certificate that signs (AWS SNS, PayPal) on the source, instead of the provider's own.",
        )
        parser.add_argument("--id", default="", help="The sender's id, instead of a new one.")
        parser.add_argument(
            "--times", type=int, default=1, help="Send it so often: each but the first is a duplicate."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            prepared = prepare(
                provider=options["provider"],
                slug=options["source"],
                url=_checked(options["url"]),
                secret=options["secret"],
                account=options["account"],
                event_id=options["id"],
                now=timezone.now(),
            )
            advice = self._pinned(prepared, is_wanted=options["pin"])
        except CannotSend as why:
            raise CommandError(str(why)) from None
        except ValidationError as flaw:
            raise CommandError(" ".join(flaw.messages)) from None
        for _ in range(options["times"]):
            status, said = _post(prepared)
            self.stdout.write(f"POST {prepared.url}\n{status} {said}")
            if not 200 <= status < 300:
                raise CommandError(
                    f"It was not taken. {advice or 'The source page and its refusals say why.'}"
                )

    def _pinned(self, prepared: Prepared, *, is_wanted: bool) -> str:
        """Pins if that is wanted; else what there is to do, if anything is. Raises CannotSend or ValidationError."""
        if is_wanted:
            pin(prepared, actor=_ACTOR)
            self.stdout.write(
                f"Pinned on {prepared.source}: until it is unpinned there, what the provider itself signs is refused."
            )
            return ""
        if not prepared.certificate or prepared.is_pinned:
            return ""
        how = "run this again with --pin, or paste it" if prepared.source else "paste it"
        advice = f"To have it believed, pin this sample's certificate on its source: {how} where the source is edited."
        self.stdout.write(f"{prepared.certificate}{advice}")
        return advice


def _checked(url: str) -> str:
    if url and urlsplit(url).scheme not in ("http", "https"):
        raise CommandError("--url must begin with http:// or https://.")
    return url


def _post(prepared: Prepared) -> tuple[int, str]:
    request = Request(  # noqa: S310 (its scheme was checked)
        prepared.url, data=prepared.signed.body, headers=dict(prepared.signed.headers), method="POST"
    )
    try:
        with build_opener().open(request, timeout=TIMEOUT_S) as answer:
            return answer.status, answer.read(SHOWN).decode("utf-8", "replace")
    except HTTPError as error:
        with error:
            return error.code, error.read(SHOWN).decode("utf-8", "replace")
    except (URLError, HTTPException, OSError) as error:
        reason = getattr(error, "reason", error)
        raise CommandError(
            f"Nobody answered at {prepared.url}: {reason}. Is the hub running, and there? HUB_PORT or --url say where."
        ) from None
