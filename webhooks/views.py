"""The inbound door, `/in/<slug>`: reads the raw bytes of a request once and answers. It decides nothing.

Nothing of DRF's usual ceremony applies here: senders neither log in nor choose a format, and what they
sign are the bytes as sent, so nothing may parse those first.
"""

import os
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse, UnreadablePostError
from django.utils import timezone
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from webhooks import chunks
from webhooks.deciders.verify import Arrival
from webhooks.services.receive import TOO_LARGE, Answer, count, not_allowed, receive

_RETRY_AFTER_S = 10  # what we ask of a sender when the database is down
_ASKED_OF_SOURCE = frozenset({"GET", "PUT", "PATCH", "DELETE", "OPTIONS"})
_LONGEST_LENGTH = 18  # digits; Python refuses to read numbers of thousands of them
_INCOMPLETE = Answer(400, {"detail": "The body ended before its Content-Length."})
_NO_LENGTH = Answer(400, {"detail": "Content-Length is not a number of bytes."})
# Some servers add the process's environment to each request's; HTTP_PROXY there is no header.
_NOT_HEADERS = frozenset(os.environ)


class AnyAccept(BaseContentNegotiation):
    """Answers JSON whatever the sender says it accepts."""

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        return JSONRenderer(), JSONRenderer.media_type


class ReceiptView(APIView):
    http_method_names = ["post"]
    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()
    parser_classes = ()
    content_negotiation_class = AnyAccept

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """There is no one to authenticate and nothing to negotiate."""

    def post(self, request: Request, slug: str) -> HttpResponse:
        body = _read(request._request)
        if isinstance(body, Answer):
            count(slug, "too-large" if body is TOO_LARGE else "unreadable", at=timezone.now())
            return _respond(body)
        return _respond(receive(slug=slug, arrival=_arrival(request._request, body)))

    def http_method_not_allowed(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """Every method but POST comes here. A few sources, and the handshakes of some, use one of these."""
        if request.method in _ASKED_OF_SOURCE:
            return self.post(request, kwargs["slug"])
        count(kwargs["slug"], "method-not-allowed", at=timezone.now())
        return _respond(not_allowed(["POST"]))

    @property
    def default_response_headers(self) -> dict[str, str]:
        return {}  # DRF would say which methods this class has, and a source knows better


def _respond(answer: Answer) -> HttpResponse:
    if isinstance(answer.body, str):
        # Some of it is what a stranger sent, so no browser may take it for anything but text.
        headers = {"X-Content-Type-Options": "nosniff", **answer.headers}
        text = answer.body.encode("utf-8", "replace")
        return HttpResponse(
            text, status=answer.status, content_type=answer.content_type or None, headers=headers
        )
    retry = {"Retry-After": str(_RETRY_AFTER_S)} if answer.status == 503 else {}
    return JsonResponse(answer.body, status=answer.status, headers={**answer.headers, **retry})


def _arrival(request: HttpRequest, body: bytes) -> Arrival:
    meta = request.META
    return Arrival(
        method=request.method or "",
        headers={
            name: value.replace("\0", "\ufffd")  # which no database keeps
            for key, value in meta.items()
            if (name := _header_name(key))
        },
        body=body,
        query=meta.get("QUERY_STRING", "").replace("\0", "\ufffd"),
        remote_address=meta.get("REMOTE_ADDR", ""),
        received_at=timezone.now(),
    )


@lru_cache(maxsize=512)
def _header_name(key: str) -> str:
    """The name in lower case, or nothing when `key` is no header's."""
    if key in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        return key.replace("_", "-").lower()
    is_header = key.startswith("HTTP_") and key not in _NOT_HEADERS
    return key.removeprefix("HTTP_").replace("_", "-").lower() if is_header else ""


def _read(request: HttpRequest) -> bytes | Answer:
    """At most one byte more than is allowed is ever read."""
    declared = request.META.get("CONTENT_LENGTH", "")
    if not declared:
        return _read_chunked(request)
    if not (declared.isascii() and declared.isdigit()):
        return _NO_LENGTH
    if len(declared) > _LONGEST_LENGTH or int(declared) > settings.HUB_MAX_BODY:
        return TOO_LARGE
    try:
        body = request.read()
    except UnreadablePostError:
        return _INCOMPLETE
    return body if len(body) == int(declared) else _INCOMPLETE


def _read_chunked(request: HttpRequest) -> bytes | Answer:
    try:
        body = chunks.read(request)
    except OSError:
        return _INCOMPLETE
    return body if len(body) <= settings.HUB_MAX_BODY else TOO_LARGE
