"""Turns whatever goes wrong at a door of the REST API into problem+json (RFC 9457). It never shows a trace."""

import logging
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.core.exceptions import DisallowedHost, PermissionDenied, RequestDataTooBig, TooManyFieldsSent
from django.core.exceptions import ValidationError as Invalid
from django.core.signals import got_request_exception
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, JsonResponse, UnreadablePostError
from rest_framework import exceptions, status
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.response import Response
from rest_framework.views import set_rollback

from webhooks.deciders.problems import HOME, Problem, problem_for
from webhooks.services import versions

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 10  # what we ask of a caller when the database is down, as the receipt door does
_API = "/api/"  # the doors, and the pages beside them

_said = logging.getLogger(__name__)


class Conflict(APIException):
    """What is asked for is clear, and the present state of the thing does not allow it."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "conflict"


class Changed(APIException):
    """Somebody changed the thing since the caller read it (RFC 9110, section 13.1.1)."""

    status_code = status.HTTP_412_PRECONDITION_FAILED
    default_detail = "It has been changed since you read it; read it again, then decide."
    default_code = "changed"


class Busy(APIException):
    """What is asked for is possible, and others are at it."""

    status_code = status.HTTP_429_TOO_MANY_REQUESTS
    default_code = "busy"


class BodyTooLarge(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "too-large"


class Unavailable(APIException):
    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = "The database does not answer; try again soon."
    default_code = "unavailable"
    wait = RETRY_AFTER_S


class Unexpected(APIException):
    default_detail = (
        "Something failed that should not; whoever runs the hub finds it in the log, by this instance."
    )
    default_code = "server-error"


def answer(exception: Exception, context: Mapping[str, Any]) -> Response:
    """What DRF asks for when a door raises: always an answer, so that nothing shows how the hub is made."""
    request, error = context["request"], spoken(exception)
    body = problem(
        request, status=error.status_code, codes=_codes(error), detail=_sentence(error), errors=_errors(error)
    )
    if error.status_code >= status.HTTP_500_INTERNAL_SERVER_ERROR:
        _tell(exception, error, body, context)
    set_rollback()
    return Response(body, status=error.status_code, headers=_headers(error), content_type=MEDIA_TYPE)


def problem(
    request: HttpRequest,
    *,
    status: int,
    codes: list[str],
    detail: str,
    errors: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The members of one occurrence; `instance` names it, and nothing else has that name.

    Its code is the last part of its type: a code that has no page is said by the kind that its status usually has.
    """
    kind = problem_for(status=status, codes=codes)
    body: dict[str, Any] = {
        "type": address_of(request, kind),
        "title": kind.title,
        "status": status,
        "detail": detail,
        "instance": f"urn:uuid:{uuid4()}",
        "code": kind.slug,
    }
    return body | ({"errors": errors} if errors else {})


def plain_answer(
    request: HttpRequest,
    *,
    status: int,
    code: str,
    detail: str,
    headers: Mapping[str, str] | None = None,
) -> JsonResponse:
    """For what is refused outside of any door."""
    body = problem(request, status=status, codes=[code], detail=detail)
    return JsonResponse(body, status=status, headers=dict(headers or {}), content_type=MEDIA_TYPE)


def address_of(request: HttpRequest, kind: Problem) -> str:
    """Where its page is. A request for a host we don't answer to gets the path alone, which RFC 9457 allows."""
    if settings.HUB_PUBLIC_URL:
        return f"{settings.HUB_PUBLIC_URL}{kind.path}"
    try:
        return request.build_absolute_uri(kind.path)
    except DisallowedHost:
        return kind.path


def is_api(request: HttpRequest) -> bool:
    return f"{request.path}/".startswith(_API) and not request.path.startswith(HOME)


def spoken(error: Exception) -> APIException:  # noqa: PLR0911 (a table)
    """The exception as the API says it."""
    match error:
        case APIException():
            return error
        case Http404():
            return exceptions.NotFound(str(error) or None)
        case PermissionDenied():
            return exceptions.PermissionDenied()
        case Invalid():
            return ValidationError(error.message_dict if hasattr(error, "error_dict") else error.messages)
        case versions.Changed():
            return Changed(str(error))
        case RequestDataTooBig():
            return BodyTooLarge(f"A body has at most {settings.HUB_MAX_BODY} bytes.")
        case TooManyFieldsSent():
            most = settings.DATA_UPLOAD_MAX_NUMBER_FIELDS
            return exceptions.ParseError(f"An address has at most {most:,} parameters.")
        case UnreadablePostError():
            return exceptions.ParseError("The body ended before its Content-Length.")
        case OperationalError() | InterfaceError():
            return Unavailable()
    return Unexpected()


def _codes(error: APIException) -> list[str]:
    """The slug it asks for. What DRF calls otherwise is said in our words."""
    if isinstance(error, ValidationError):
        return ["invalid"]
    codes = error.get_codes()
    return [_OURS.get(codes, codes)] if isinstance(codes, str) else []


_OURS = {
    "parse_error": "malformed",
    "not_authenticated": "unauthenticated",
    "authentication_failed": "key-refused",
    "permission_denied": "forbidden",
    "not_found": "not-found",
    "method_not_allowed": "method-not-allowed",
    "unsupported_media_type": "unsupported-media-type",
    "throttled": "too-many-requests",
    "error": "server-error",
}


def _sentence(error: APIException) -> str:
    if not isinstance(error, ValidationError):
        return str(error.detail)
    errors = _errors(error) or {}
    told = [_first(field, said) for field, said in errors.items()]
    return " ".join(told[:_TOLD]) + (f" And {len(told) - _TOLD} more." if len(told) > _TOLD else "")


_TOLD = 3  # fields in the one sentence; `errors` has them all


def _first(place: str, said: Any) -> str:
    """The first that is wrong at this place or below it, and where: `events[0].data: This field is required.`"""
    while isinstance(said, dict | list) and said:
        if isinstance(said, list):
            said = said[0]
            continue
        name, said = next(iter(said.items()))
        if name != WHOLE:
            place += f"[{name}]" if str(name).isdecimal() else f".{name}"
    return f"{place}: {said}"


def _errors(error: APIException) -> dict[str, Any] | None:
    """Fields with their sentences. What concerns the whole of a body, or of an item of it, stands under `body`."""
    if not isinstance(error, ValidationError):
        return None
    told: dict[str, Any] = _named(error.detail) if isinstance(error.detail, dict) else {WHOLE: error.detail}
    return told


def _named(said: Any) -> Any:
    if isinstance(said, dict):
        return {WHOLE if name == _NO_FIELD else str(name): _named(below) for name, below in said.items()}
    return [_named(each) for each in said] if isinstance(said, list) else said


WHOLE = "body"
_NO_FIELD = "non_field_errors"


def _headers(error: APIException) -> dict[str, str]:
    headers = {}
    if told := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = told
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = str(-int(-wait // 1))
    return headers


def _tell(
    exception: Exception, error: APIException, body: Mapping[str, Any], context: Mapping[str, Any]
) -> None:
    """Our own mistakes go where Django's go, with the name under which the caller will ask for them."""
    _said.error("%s %r", body["instance"], context["request"].path, exc_info=exception)
    if isinstance(error, Unexpected):
        got_request_exception.send(sender=None, request=context["request"]._request)
