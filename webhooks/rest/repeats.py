"""Gives a POST with an `Idempotency-Key` one effect, and its repeats the first one's answer. It does nothing itself.

5xx and 429 are not kept: nothing was done, or nobody knows, so a repeat is carried out anew. It has the id of the
first, so what is named by it (an event that came without one) is the same.
"""

from uuid import UUID

from django.http import HttpResponse
from rest_framework import status
from rest_framework.exceptions import APIException, ParseError
from rest_framework.request import Request
from rest_framework.response import Response

from webhooks.deciders import idempotency
from webhooks.services import kept_answers
from webhooks.services.kept_answers import Answered, Claim

from .problems import Conflict

HEADER = "Idempotency-Key"
_HEADER = "HTTP_IDEMPOTENCY_KEY"  # to a WSGI server; `request.headers` would be made of all there are
REPLAYED = "Idempotent-Replayed"
_LOST = "It was done, and its answer can no longer be read; look at what there is."
_KEPT_HEADERS = ("Content-Type", "Deprecation", "ETag", "Location", "Retry-After")


class InFlight(Conflict):
    default_detail = "A request with this Idempotency-Key is under way."
    default_code = "in-flight"

    def __init__(self, wait: float) -> None:
        super().__init__()
        self.wait = max(1.0, wait)


class KeyReused(APIException):
    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY
    default_detail = "This Idempotency-Key came before, with another method, address or body."
    default_code = "key-reused"


class AnsweredBefore(Exception):
    """Ends a request early with the answer to an earlier one."""

    def __init__(self, answered: Answered) -> None:
        self.answered = answered

    def response(self) -> HttpResponse:
        told = self.answered
        return HttpResponse(
            told.body.encode(), status=told.status, headers={**told.headers, REPLAYED: "true"}
        )


def claim(request: Request, api_key_id: UUID) -> Claim | None:
    """The right to carry this request out; None where it has no key. Raises what ends it early."""
    header = request.META.get(_HEADER)
    if header is None or request.method != "POST":
        return None
    try:
        key = idempotency.read_key(header)
    except ValueError as error:
        raise ParseError(str(error)) from None
    asked = idempotency.fingerprint(
        method=request.method, address=request.get_full_path(), body=request._request.body
    )
    try:
        begun = kept_answers.begin(api_key_id=api_key_id, key=key, fingerprint=asked)
    except kept_answers.UnderWay as under_way:
        raise InFlight(under_way.retry_after_s) from None
    except kept_answers.Reused:
        raise KeyReused from None
    except kept_answers.Lost:
        raise Conflict(_LOST) from None
    if isinstance(begun, Answered):
        raise AnsweredBefore(begun)
    return begun


def settle(held: Claim, response: Response, opened: tuple[str, UUID] | None = None) -> None:
    """Keeps the answer for the repeats, with what it opens, or lets them try."""
    code = response.status_code
    if code >= status.HTTP_500_INTERNAL_SERVER_ERROR or code == status.HTTP_429_TOO_MANY_REQUESTS:
        kept_answers.let_go(held)
        return
    response.render()
    headers = {name: response[name] for name in _KEPT_HEADERS if name in response}
    kept_answers.keep(held, status=code, headers=headers, body=response.content.decode(), opened=opened)
