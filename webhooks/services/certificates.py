"""Fetches the certificates that a few providers sign with, and keeps them. It opens no address but a provider's own.

The caller has matched the whole address against the provider's pattern (`deciders/certificates.py`). Here the host
must also resolve to public addresses only, and it is one of those that is connected to; TLS says that it is the host.
"""

import http.client
import ipaddress
import socket
import ssl
import time
from typing import TypeVar
from urllib.parse import urlsplit

_TIMEOUT_S = 3.0  # of each step; a sender waits meanwhile, and comes again after our 503
_MAX_BYTES = 65_536  # of a certificate with its chain; real ones have 2 to 6 KiB
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
    except (OSError, ValueError, http.client.HTTPException) as error:
        _remember(_failed, url, time.monotonic() + _FAILED_FOR_S)
        raise CertificateUnavailable(f"{url} could not be fetched: {error}") from None
    _remember(_kept, url, found)
    return found


def _fetch(url: str) -> str:
    parts = urlsplit(url)
    host = parts.hostname or ""
    plain = socket.create_connection((_public_address(host), 443), timeout=_TIMEOUT_S)
    with ssl.create_default_context().wrap_socket(plain, server_hostname=host) as secured:
        connection = http.client.HTTPConnection(host, timeout=_TIMEOUT_S)
        connection.sock = secured
        connection.request("GET", parts.path)
        answer = connection.getresponse()
        body = answer.read(_MAX_BYTES + 1)
    if answer.status != 200 or len(body) > _MAX_BYTES:
        raise ValueError(f"it was answered with {answer.status} and {len(body)} bytes")
    return body.decode("ascii")


def _public_address(host: str) -> str:
    found = socket.getaddrinfo(host, 443, type=socket.SOCK_STREAM)
    addresses = [str(entry[4][0]) for entry in found]
    if not addresses or not all(ipaddress.ip_address(address).is_global for address in addresses):
        raise ValueError("its host has an address that is not public")
    return addresses[0]


def _remember(memory: dict[str, _T], url: str, value: _T) -> None:
    while len(memory) >= _MAX_KEPT:
        memory.pop(next(iter(memory)), None)
    memory[url] = value
