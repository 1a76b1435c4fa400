"""Encrypts secrets at rest with the hub's keys; the plain text never reaches a log or a page from here."""

from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models


class Unreadable(Exception):
    """What is stored was sealed with a key that HUB_ENCRYPTION_KEYS no longer holds."""


@lru_cache(maxsize=4)
def _box(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def seal(text: str) -> str:
    """Encrypts with the first key."""
    return _box(tuple(settings.HUB_ENCRYPTION_KEYS)).encrypt(text.encode()).decode()


def unseal(token: str) -> str:
    """Decrypts with whichever key fits. Raises Unreadable."""
    try:
        return _box(tuple(settings.HUB_ENCRYPTION_KEYS)).decrypt(token.encode()).decode()
    except InvalidToken:
        raise Unreadable("A stored secret was sealed with a key missing from HUB_ENCRYPTION_KEYS.") from None


class SealedTextField(models.TextField):  # type: ignore[type-arg]  # Django's own takes none at run time
    """Text that the database only ever holds encrypted. It cannot be searched or compared in SQL."""

    def get_prep_value(self, value: Any) -> Any:
        return value if value in (None, "") else seal(value)

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> str | None:
        return value if value in (None, "") else unseal(value)
