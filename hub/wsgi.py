"""What the web server calls. Everything passes the middleware, but for the inbound door, which needs none of it."""

import gc
import os
from typing import Any, cast

import django
from django.core.handlers.exception import convert_exception_to_response
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.http import HttpRequest, HttpResponseBase
from django.template.response import SimpleTemplateResponse
from django.urls import resolve

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hub.settings")

DOOR = "/in/"


class HubRequest(WSGIRequest):
    """A request whose Content-Type may be anything; a sender's odd header is no fault of ours."""

    def _set_content_type_params(self, meta: dict[str, Any]) -> None:
        try:
            super()._set_content_type_params(meta)  # type: ignore[misc]  # Django's own, unknown to its stubs
        except ValueError:  # such as `charset*=bogus''x`, which Django lets through as a 500
            self.content_type, self.content_params = "", {}


class HubHandler(WSGIHandler):
    """A sender has no session, no language and no form: middleware for people was a fifth of a receipt's time."""

    request_class = HubRequest

    def get_response(self, request: HttpRequest) -> HttpResponseBase:
        if not request.path_info.startswith(DOOR):
            return super().get_response(request)
        response: Any = _answer_at_the_door(request)
        response._resource_closers.append(request.close)
        return cast(HttpResponseBase, response)


@convert_exception_to_response
def _answer_at_the_door(request: HttpRequest) -> HttpResponseBase:
    # By the door's own addresses: going through all of the hub's took as long as verifying a signature.
    match = request.resolver_match = resolve(request.path_info[len(DOOR) - 1 :], "webhooks.urls")
    response = cast(HttpResponseBase, match.func(request, *match.args, **match.kwargs))
    return response.render() if isinstance(response, SimpleTemplateResponse) else response


django.setup(set_prefix=False)
application = HubHandler()
gc.collect()
gc.freeze()  # what was made until now stays for good, so nobody need look through it again
gc.set_threshold(50_000, 50, 100)
