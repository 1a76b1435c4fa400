"""What requests pass on their way to a door: headers for all, and for people what only they need.

A caller of the REST API has a key and nothing else, no session, no form and no page to be told something on: those
layers let it pass. Together they took as long as storing an event.
"""

from collections.abc import Callable
from typing import Any

from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware
from whitenoise.middleware import WhiteNoiseMiddleware

POLICY = "default-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
API = "/api/v1/"  # its descriptions, and the pages about it, are for people


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
        if request.path_info.startswith(API):
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
