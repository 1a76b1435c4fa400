"""Counts tries in windows of time, by digests of who tries, and says when it is enough. It checks no password."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address, ip_network
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from hub.environment import Network
from hub.models import LoginTries

WINDOW = timedelta(minutes=15)
_V6_SITE = 64  # bits that a provider gives to one customer, who may use all addresses in it


@dataclass(frozen=True, kw_only=True, slots=True)
class Limit:
    """How many tries one of these has in a window. Only a digest of it is kept."""

    kind: str
    value: str
    most: int

    @property
    def key(self) -> UUID:
        digest = salted_hmac(f"hub.login_limit.{self.kind}", self.value, algorithm="sha256").digest()
        return UUID(bytes=digest[:16])


def take(limits: Sequence[Limit], *, now: datetime) -> datetime | None:
    """Counts one try against each. None, or when the next one is welcome: then nothing changed."""
    LoginTries.objects.filter(since__lte=now - WINDOW).delete()
    with transaction.atomic():
        refused = [limit.key for limit in limits if not _counted(limit, now)]
        if not refused:
            return None
        windows = LoginTries.objects.filter(key__in=refused).values_list("since", flat=True)
        until = max(windows) + WINDOW
        transaction.set_rollback(True)
    return until


def site(address: str) -> str:
    """Whose address it is: of IPv6 the network that one customer has."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return address
    return str(parsed.ipv4_mapped or ip_network((parsed, _V6_SITE), strict=False))


def address_of(remote: str, forwarded: str, proxies: Sequence[Network]) -> str:
    """Whoever the last proxy of ours spoke to: what stands further left in X-Forwarded-For, anybody may write."""
    hops = [*(hop.strip() for hop in forwarded.split(",") if hop.strip()), remote]
    while len(hops) > 1 and _is_ours(hops[-1], proxies):
        hops.pop()
    return hops[-1]


def address_behind(request: HttpRequest) -> str:
    return address_of(
        request.META.get("REMOTE_ADDR", ""),
        request.META.get("HTTP_X_FORWARDED_FOR", ""),
        settings.HUB_TRUSTED_PROXIES,
    )


def _counted(limit: Limit, now: datetime) -> bool:
    LoginTries.objects.bulk_create([LoginTries(key=limit.key, since=now)], ignore_conflicts=True)
    free = LoginTries.objects.filter(key=limit.key, tries__lt=limit.most)
    return free.update(tries=F("tries") + 1) == 1


def _is_ours(address: str, proxies: Sequence[Network]) -> bool:
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in proxies)
