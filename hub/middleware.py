"""What requests pass on their way to a door: headers for all, and for people what only they need.

A caller of the REST API has a key and nothing else, no session, no form and no page to be told something on: those
layers let it pass. Together they took as long as storing an event.
"""

import time
from collections.abc import Callable
from functools import cache
from typing import Any

from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware
from django.urls import resolve
from whitenoise.middleware import WhiteNoiseMiddleware

from hub.prefixes import API_DOORS
from hub.request_counts import Tally
from webhooks import publish_at_once

POLICY = "default-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
PUBLISH = f"{API_DOORS}events"
# What the other layers add to any answer.
_ADDED = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class PublishAtOnceMiddleware:
    """The outermost layer: what is published as most publishers do it is stored and answered here, and counted."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info != PUBLISH or request.method != "POST":
            return self.get_response(request)
        began_at = time.perf_counter()
        answer = publish_at_once.answer(request)
        if answer is None:
            return self.get_response(request)
        for name, text in _ADDED.items():
            answer.headers[name] = text
        answer.headers["Content-Length"] = str(len(answer.content))
        _tally(request.scheme or "http").add(
            received=int(request.META["CONTENT_LENGTH"]),
            answered=len(answer.content),
            took_s=time.perf_counter() - began_at,
        )
        return answer


@cache
def _tally(transport: str) -> Tally:
    return Tally.of(view=resolve(PUBLISH).view_name, method="POST", status=201, transport=transport)


class ContentSecurityPolicyMiddleware:
    """Lets pages load only what Weir itself serves."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", POLICY)
        return response


class _ForPeople:
    """A layer that callers of the API pass by."""

    get_response: Callable[[HttpRequest], Any]

    def __call__(self, request: HttpRequest) -> Any:
        if request.path_info.startswith(API_DOORS):
            return self.get_response(request)
        return super().__call__(request)  # type: ignore[misc]  # the layer's own


class StaticFiles(_ForPeople, WhiteNoiseMiddleware):  # type: ignore[misc]  # untyped
    pass


class Sessions(_ForPeople, SessionMiddleware):
    pass


class Forms(_ForPeople, CsrfViewMiddleware):
    pass


class Accounts(_ForPeople, AuthenticationMiddleware):
    pass


class Messages(_ForPeople, MessageMiddleware):
    pass
