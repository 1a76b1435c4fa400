"""Creates, lists and revokes API keys from a terminal. A plain key is printed once, when it is made."""

import re
from argparse import ArgumentTypeError
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from webhooks.ids import parse_id, public_id
from webhooks.models import ApiKey, Role, Source, Subscriber
from webhooks.services.keys import create_api_key, revoke_api_key

_ACTOR = "manage.py"
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class Command(BaseCommand):
    help = "Creates, lists and revokes API keys."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        create = verbs.add_parser("create", help="Print a new key. It is shown this once.")
        create.add_argument("--role", required=True, choices=Role.values)
        create.add_argument(
            "--subscriber", metavar="ID OR NAME", help="Whose it is; for the role subscriber."
        )
        create.add_argument(
            "--source",
            action="append",
            default=[],
            metavar="SLUG",
            help="Where a publisher may publish; more than once for several, left out for all.",
        )
        create.add_argument("--name", default="", help="Whose key it is, or what for.")
        create.add_argument(
            "--expires", type=_period, metavar="30d", help="After minutes, hours, days, weeks."
        )
        verbs.add_parser("list", help="Print every key's id, role, state and name.")
        revoke = verbs.add_parser("revoke", help="End a key at once.")
        revoke.add_argument("id", help="As `list` prints it.")

    def handle(self, *args: Any, verb: str, **options: Any) -> None:
        verbs: dict[str, Callable[..., None]] = {
            "create": self._create,
            "list": self._list,
            "revoke": self._revoke,
        }
        verbs[verb](**options)

    def _create(
        self,
        *,
        role: str,
        name: str,
        subscriber: str | None,
        source: list[str],
        expires: timedelta | None,
        **options: Any,
    ) -> None:
        try:
            _, plain = create_api_key(
                role=role,
                name=name,
                subscriber=_subscriber(subscriber) if subscriber else None,
                sources=[_source(slug) for slug in source],
                expires_at=timezone.now() + expires if expires else None,
                actor=_ACTOR,
            )
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        self.stdout.write(plain)  # and nothing else, so that a script can take it

    def _list(self, **options: Any) -> None:
        for key in ApiKey.objects.select_related("subscriber").prefetch_related("sources").order_by("id"):
            line = f"{public_id('apikey', key.id)}  {key.role:<10}  {_state(key):<7}  {key}{_owner(key)}"
            self.stdout.write(line)

    def _revoke(self, *, id: str, **options: Any) -> None:
        try:
            key_id = parse_id("apikey", id)
        except ValueError as error:
            raise CommandError(str(error)) from None
        if not revoke_api_key(key_id=key_id, actor=_ACTOR):
            raise CommandError("There is no such key, or it was revoked before.")
        self.stdout.write("Revoked.")


def _subscriber(text: str) -> Subscriber:
    try:
        named = Subscriber.objects.filter(pk=parse_id("subscriber", text))
    except ValueError:
        named = Subscriber.objects.filter(name=text)
    found = list(named[:2])
    if len(found) == 1:
        return found[0]
    raise CommandError("Several subscribers have this name; give an id." if found else "No such subscriber.")


def _source(slug: str) -> Source:
    found = Source.objects.filter(slug=slug).first()
    if found is None:
        raise CommandError(f"There is no source {slug!r}.")
    return found


def _owner(key: ApiKey) -> str:
    if key.subscriber is not None:
        return f" of {key.subscriber}"
    slugs = ", ".join(sorted(source.slug for source in key.sources.all()))
    return f" to {slugs}" if slugs else ""


def _state(key: ApiKey) -> str:
    if key.revoked_at:
        return "revoked"
    return "expired" if key.expires_at and key.expires_at <= timezone.now() else "live"


def _period(text: str) -> timedelta:
    if not re.fullmatch(r"[0-9]{1,4}[mhdw]", text, re.ASCII) or int(text[:-1]) == 0:
        raise ArgumentTypeError("write a number and m, h, d or w, such as 30d.")
    return timedelta(**{_UNITS[text[-1]]: int(text[:-1])})
