"""Creates, lists and revokes API keys from a terminal. A plain key is printed once, when it is made."""

import re
from argparse import ArgumentTypeError
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from webhooks.ids import parse_id, public_id
from webhooks.models import ApiKey, Role
from webhooks.services.keys import create_api_key, revoke_api_key

_ACTOR = "manage.py"
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class Command(BaseCommand):
    help = "Creates, lists and revokes API keys."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        create = verbs.add_parser("create", help="Print a new key. It is shown this once.")
        create.add_argument("--role", required=True, choices=Role.values)
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

    def _create(self, *, role: str, name: str, expires: timedelta | None, **options: Any) -> None:
        expires_at = timezone.now() + expires if expires else None
        _, plain = create_api_key(role=role, name=name, expires_at=expires_at, actor=_ACTOR)
        self.stdout.write(plain)  # and nothing else, so that a script can take it

    def _list(self, **options: Any) -> None:
        for key in ApiKey.objects.order_by("id"):
            self.stdout.write(f"{public_id('apikey', key.id)}  {key.role:<9}  {_state(key):<7}  {key}")

    def _revoke(self, *, id: str, **options: Any) -> None:
        try:
            key_id = parse_id("apikey", id)
        except ValueError as error:
            raise CommandError(str(error)) from None
        if not revoke_api_key(key_id=key_id, actor=_ACTOR):
            raise CommandError("There is no such key, or it was revoked before.")
        self.stdout.write("Revoked.")


def _state(key: ApiKey) -> str:
    if key.revoked_at:
        return "revoked"
    return "expired" if key.expires_at and key.expires_at <= timezone.now() else "live"


def _period(text: str) -> timedelta:
    if not re.fullmatch(r"[0-9]{1,4}[mhdw]", text, re.ASCII) or int(text[:-1]) == 0:
        raise ArgumentTypeError("write a number and m, h, d or w, such as 30d.")
    return timedelta(**{_UNITS[text[-1]]: int(text[:-1])})
