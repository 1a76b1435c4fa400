"""Asks the hub's own WSGI application for an address, in this process. It remembers nothing from one to the next."""

import time
from collections.abc import Callable
from io import BytesIO
from typing import Any
from wsgiref.util import setup_testing_defaults

from django.core.cache import cache

from bench.stage import BenchFailed
from hub.wsgi import application


def ask(address: str, **headers: str) -> tuple[float, bytes]:
    """Milliseconds until all of it is made, and what that is. `headers` as WSGI names them."""
    cache.clear()
    path, _, query = address.partition("?")
    environ: dict[str, object] = {"PATH_INFO": path, "QUERY_STRING": query, **headers}
    environ |= {"HTTP_HOST": "127.0.0.1", "REQUEST_METHOD": "GET", "wsgi.input": BytesIO()}
    setup_testing_defaults(environ)
    told: list[str] = []

    def start(
        status: str, headers: list[tuple[str, str]], problem: Any = None, /
    ) -> Callable[[bytes], object]:
        told.append(status)
        return lambda part: None

    began_at = time.perf_counter()
    answer = application(environ, start)
    content = b"".join(answer)
    took_ms = (time.perf_counter() - began_at) * 1_000
    if close := getattr(answer, "close", None):
        close()
    if not told[0].startswith("200"):
        raise BenchFailed(f"{address} was answered {told[0]}.")
    return took_ms, content
