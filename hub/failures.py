"""What is answered outside of any door: under /api a problem, elsewhere Django's own pages. It never shows a trace."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.views import defaults
from django.views.decorators.csrf import csrf_exempt

from webhooks.rest.problems import is_api, plain_answer

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]


def to_be_read(view: View[P]) -> View[P]:
    """A page under /api that takes GET and HEAD alone, and refuses anything else as the doors beside it do."""

    @csrf_exempt
    @wraps(view)
    def only_read(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if request.method in ("GET", "HEAD"):
            return view(request, *args, **kwargs)
        detail = f'Method "{request.method}" not allowed.'
        allow = {"Allow": "GET, HEAD"}
        return plain_answer(request, status=405, code="method-not-allowed", detail=detail, headers=allow)

    return only_read


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    if is_api(request):
        return plain_answer(request, status=400, code="malformed", detail="This is not a proper request.")
    return defaults.bad_request(request, exception)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    if is_api(request):
        return plain_answer(request, status=403, code="forbidden", detail="This is not allowed.")
    return defaults.permission_denied(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    return nothing_here(request) if is_api(request) else defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponseBase:
    if is_api(request):
        return plain_answer(
            request, status=500, code="server-error", detail="Something failed that should not."
        )
    return defaults.server_error(request)


@csrf_exempt
def nothing_here(request: HttpRequest, *where: Any) -> HttpResponse:
    """At every address under /api that is no door's, in whatever way it is asked for."""
    return plain_answer(request, status=404, code="not-found", detail="There is nothing at this address.")
