"""`manage.py send_sample stripe`: sends a signed, realistic request of a provider to a running hub, and says what came.

With no options it goes to the hub on this machine, to the first source of that provider. It creates nothing.
"""

from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, build_opener

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from webhooks.deciders.samples import SAMPLES
from webhooks.services.samples import CannotSend, Prepared, prepare

TIMEOUT_S = 10
SHOWN = 2_000  # bytes of the answer


class Command(BaseCommand):
    help = "Sends a correctly signed sample of a provider to a running hub."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("provider", metavar="provider", help=f"One of {', '.join(SAMPLES)}.")
        parser.add_argument(
            "--source", default="", help="The slug of the source; else the first of the provider."
        )
        parser.add_argument("--url", default="", help="The whole address to send to, such as another hub's.")
        parser.add_argument("--secret", default="", help="What the sender signs with; else the source's own.")
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
                event_id=options["id"],
                now=timezone.now(),
            )
        except CannotSend as why:
            raise CommandError(str(why)) from None
        for _ in range(options["times"]):
            status, said = _post(prepared)
            self.stdout.write(f"POST {prepared.url}\n{status} {said}")
            if not 200 <= status < 300:
                raise CommandError("It was not taken; the source's page and its refusals say why.")


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
