"""Counts tries to log in, by name and by address, and says when it is enough. It checks no password.

A try is counted before the password is looked at, so that a hundred at once are not a hundred guesses, and is
given back when it succeeds. A refused one changes nothing.
"""

import unicodedata
from datetime import datetime

from django.db.models import F

from hub import tries
from hub.models import LoginTries
from hub.tries import WINDOW, Limit, address_of

__all__ = ["PER_ADDRESS", "PER_NAME", "WINDOW", "address_of", "give_back", "take"]

PER_NAME = 10  # 960 guesses a day at most, at a password of eight characters or more
PER_ADDRESS = 30  # an office behind one address may mistype


def take(*, name: str, address: str, now: datetime) -> datetime | None:
    """Counts one try of this name from this address. None, or when the next one is welcome: then nothing changed."""
    return tries.take(_limits(name, address), now=now)


def give_back(*, name: str, address: str) -> None:
    """A login that succeeded: the name begins anew, and the address is not blamed for it."""
    by_address, by_name = _limits(name, address)
    LoginTries.objects.filter(key=by_name.key).delete()
    LoginTries.objects.filter(key=by_address.key, tries__gt=0).update(tries=F("tries") - 1)


def _limits(name: str, address: str) -> tuple[Limit, Limit]:
    # Addresses come before names, so that two who log in at once never wait for each other.
    spelled = unicodedata.normalize("NFKC", name).strip().casefold()
    return (
        Limit(kind="address", value=tries.site(address), most=PER_ADDRESS),
        Limit(kind="name", value=spelled, most=PER_NAME),
    )
