"""Asks a provider's own host for one small thing. It follows no redirect and connects to no private address.

The caller has matched the whole address against the provider's pattern (`deciders/`). Here the host must also resolve
to public addresses only, and it is one of those that is connected to; TLS says that it is the host.
"""

import http.client
import ipaddress
import socket
import ssl
from urllib.parse import urlsplit

_TIMEOUT_S = 3.0  # of each step; a sender may be waiting meanwhile
_MAX_BYTES = 65_536  # of an answer; certificates with their chain have 2 to 6 KiB

FAULTS = (OSError, ValueError, http.client.HTTPException)


def get(url: str) -> bytes:
    """The body of a 200. Raises one of FAULTS."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    plain = socket.create_connection((_public_address(host), 443), timeout=_TIMEOUT_S)
    with ssl.create_default_context().wrap_socket(plain, server_hostname=host) as secured:
        connection = http.client.HTTPConnection(host, timeout=_TIMEOUT_S)
        connection.sock = secured
        connection.request("GET", parts._replace(scheme="", netloc="", fragment="").geturl() or "/")
        answer = connection.getresponse()
        body = answer.read(_MAX_BYTES + 1)
    if answer.status != 200 or len(body) > _MAX_BYTES:
        raise ValueError(f"it was answered with {answer.status} and {len(body)} bytes")
    return body


def _public_address(host: str) -> str:
    found = socket.getaddrinfo(host, 443, type=socket.SOCK_STREAM)
    addresses = [str(entry[4][0]) for entry in found]
    if not addresses or not all(ipaddress.ip_address(address).is_global for address in addresses):
        raise ValueError("its host has an address that is not public")
    return addresses[0]
