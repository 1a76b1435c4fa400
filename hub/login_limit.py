"""Counts tries to log in, by name and by address, and says when it is enough. It checks no password.

A try is counted before the password is looked at, so that a hundred at once are not a hundred guesses, and is
given back when it succeeds. A refused one changes nothing.
"""

import unicodedata
from collections.abc import Sequence
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address, ip_network
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.utils.crypto import salted_hmac

from hub.environment import Network
from hub.models import LoginTries

WINDOW = timedelta(minutes=15)
PER_NAME = 10  # 960 guesses a day at most, at a password of eight characters or more
PER_ADDRESS = 30  # an office behind one address may mistype
_V6_SITE = 64  # bits that a provider gives to one customer, who may use all addresses in it


def take(*, name: str, address: str, now: datetime) -> datetime | None:
    """Counts one try of this name from this address. None, or when the next one is welcome: then nothing changed."""
    limits = _limits(name, address)
    LoginTries.objects.filter(since__lte=now - WINDOW).delete()
    with transaction.atomic():
        refused = [key for key, limit in limits if not _counted(key, limit, now)]
        if not refused:
            return None
        windows = LoginTries.objects.filter(key__in=refused).values_list("since", flat=True)
        until = max(windows) + WINDOW
        transaction.set_rollback(True)
    return until


def give_back(*, name: str, address: str) -> None:
    """A login that succeeded: the name begins anew, and the address is not blamed for it."""
    (name_key, _), (address_key, _) = reversed(_limits(name, address))
    LoginTries.objects.filter(key=name_key).delete()
    LoginTries.objects.filter(key=address_key, tries__gt=0).update(tries=F("tries") - 1)


def address_of(remote: str, forwarded: str, proxies: Sequence[Network]) -> str:
    """Whoever the last proxy of ours spoke to: what stands further left in X-Forwarded-For, anybody may write."""
    hops = [*(hop.strip() for hop in forwarded.split(",") if hop.strip()), remote]
    while len(hops) > 1 and _is_ours(hops[-1], proxies):
        hops.pop()
    return hops[-1]


def _limits(name: str, address: str) -> list[tuple[UUID, int]]:
    # Addresses come before names, so that two who log in at once never wait for each other.
    spelled = unicodedata.normalize("NFKC", name).strip().casefold()
    return [(_key("address", _site(address)), PER_ADDRESS), (_key("name", spelled), PER_NAME)]


def _key(kind: str, value: str) -> UUID:
    return UUID(bytes=salted_hmac(f"hub.login_limit.{kind}", value, algorithm="sha256").digest()[:16])


def _counted(key: UUID, limit: int, now: datetime) -> bool:
    LoginTries.objects.bulk_create([LoginTries(key=key, since=now)], ignore_conflicts=True)
    free = LoginTries.objects.filter(key=key, tries__lt=limit)
    return free.update(tries=F("tries") + 1) == 1


def _site(address: str) -> str:
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return address
    return str(parsed.ipv4_mapped or ip_network((parsed, _V6_SITE), strict=False))


def _is_ours(address: str, proxies: Sequence[Network]) -> bool:
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in proxies)
