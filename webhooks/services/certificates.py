"""Fetches the certificates that a few providers sign with, and keeps them. It opens no address but a provider's own.

The caller has matched the whole address against the provider's pattern (`deciders/certificates.py`). The sender waits
meanwhile; when none can be had, it comes again after our 503.
"""

import time
from typing import TypeVar

from . import provider_host

_MAX_KEPT = 64  # addresses; providers use one or two at a time
_FAILED_FOR_S = 30.0  # how long a failure stands, so that a flood of requests makes no flood of fetches

_T = TypeVar("_T")
_kept: dict[str, str] = {}
_failed: dict[str, float] = {}


class CertificateUnavailable(Exception):  # noqa: N818  # it names what happened
    """The provider's certificate could not be fetched now; the message is one sentence."""


def certificate_at(url: str) -> str:
    """In PEM. Raises CertificateUnavailable, which is our trouble and no fault of the sender's."""
    if (known := _kept.get(url)) is not None:
        return known
    if _failed.get(url, 0) > time.monotonic():
        raise CertificateUnavailable(f"{url} could not be fetched a moment ago.")
    try:
        found = _fetch(url)
    except provider_host.FAULTS as error:
        _remember(_failed, url, time.monotonic() + _FAILED_FOR_S)
        raise CertificateUnavailable(f"{url} could not be fetched: {error}") from None
    _remember(_kept, url, found)
    return found


def _fetch(url: str) -> str:
    return provider_host.get(url).decode("ascii")


def _remember(memory: dict[str, _T], url: str, value: _T) -> None:
    while len(memory) >= _MAX_KEPT:
        memory.pop(next(iter(memory)), None)
    memory[url] = value
