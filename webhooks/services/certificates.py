"""Fetches the certificates that a few providers sign with, and keeps them. It opens no address but a provider's own.

The caller has matched the whole address against the provider's pattern (`deciders/certificates.py`). The sender waits
meanwhile; when none can be had, it comes again after our 503.
"""

import time
from datetime import UTC, datetime
from math import inf
from typing import TypeVar

from webhooks.deciders.certificates import unusable

from . import provider_host, trusted_roots

_MAX_KEPT = 64  # addresses; providers use one or two at a time
_FAILED_FOR_S = 30.0  # how long a failure stands, so that a flood of requests makes no flood of fetches

_T = TypeVar("_T")
_kept: dict[str, tuple[str, float]] = {}  # in PEM, and until when: for good, or as long as a failure
_failed: dict[str, float] = {}


class CertificateUnavailable(Exception):  # noqa: N818  # it names what happened
    """The provider's certificate could not be fetched now; the message is one sentence."""


def certificate_at(url: str) -> str:
    """In PEM. Raises CertificateUnavailable, which is our trouble and no fault of the sender's."""
    known, until = _kept.get(url, ("", 0.0))
    if until > time.monotonic():
        return known
    if _failed.get(url, 0) > time.monotonic():
        raise CertificateUnavailable(f"{url} could not be fetched a moment ago.")
    try:
        found = _fetch(url)
    except provider_host.FAULTS as error:
        _remember(_failed, url, time.monotonic() + _FAILED_FOR_S)
        raise CertificateUnavailable(f"{url} could not be fetched: {error}") from None
    # The provider may mend at the same address what cannot be used.
    fault = unusable(found, trusted_roots.roots(), datetime.now(UTC))
    _remember(_kept, url, (found, time.monotonic() + _FAILED_FOR_S if fault else inf))
    return found


def _fetch(url: str) -> str:
    return provider_host.get(url).decode("ascii")


def _remember(memory: dict[str, _T], url: str, value: _T) -> None:
    while len(memory) >= _MAX_KEPT:
        memory.pop(next(iter(memory)), None)
    memory[url] = value
