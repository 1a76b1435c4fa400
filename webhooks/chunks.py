"""Reads a body that came in chunks, and so without a length, for which Django takes a request to be empty.

The server knows where its chunks end, and nobody else does: one that broke off may look like a whole one.
"""

from django.conf import settings
from django.http import HttpRequest

_AT_ONCE = 65_536


def read(request: HttpRequest) -> bytes:
    """One byte more than is allowed, or some, where there is too much. Raises OSError where it ends early."""
    if not request.META.get("wsgi.input_terminated"):
        return b""
    body, stream = bytearray(), request.META["wsgi.input"]
    while len(body) <= settings.HUB_MAX_BODY and (chunk := stream.read(_AT_ONCE)):
        body += chunk
    return bytes(body)
