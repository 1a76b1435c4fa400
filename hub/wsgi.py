"""What the web server calls. People get all that Django has for them; machines get what they need, and sooner."""

import gc
import os
from collections.abc import Callable, Iterable
from contextlib import closing
from typing import TYPE_CHECKING, Any, cast

import django
from django.core.handlers.exception import convert_exception_to_response
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest, get_script_name
from django.db import close_old_connections
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.template.response import SimpleTemplateResponse
from django.urls import resolve, set_script_prefix

from hub.prefixes import API_DOORS, RECEIPT

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hub.settings")


class HubRequest(WSGIRequest):
    """A request whose Content-Type may be anything; a sender's odd header is no fault of ours.

    Forms and addresses are UTF-8, whatever charset it names: some that Python knows take minutes to read a megabyte.
    """

    def _set_content_type_params(self, meta: dict[str, Any]) -> None:
        try:
            super()._set_content_type_params(meta)  # type: ignore[misc]  # Django's own, unknown to its stubs
        except ValueError:  # such as `charset*=bogus''x`, which Django lets through as a 500
            self.content_type, self.content_params = "", {}
        self._encoding = None


class HubHandler(WSGIHandler):
    """A sender has no session, no language and no form: middleware for people was a fifth of a receipt's time.

    Nor do the door and the API keep anything that Django's signals around a request would tidy up, but for connections.
    """

    request_class = HubRequest

    # What WSGI asks for is an iterable of bytes (PEP 3333); that Django's is a response is a convenience.
    def __call__(  # type: ignore[override]
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path.startswith(RECEIPT):
            answer: Callable[[HttpRequest], object] = _answer_at_the_door
        elif path.startswith(API_DOORS):
            set_script_prefix(get_script_name(environ))
            answer = self.get_response
        else:
            return super().__call__(environ, start_response)
        close_old_connections()
        with closing(self.request_class(environ)) as request:
            response = cast(HttpResponse, answer(request))
            start_response(f"{response.status_code} {response.reason_phrase}", list(response.items()))
            return [response.content]


@convert_exception_to_response
def _answer_at_the_door(request: HttpRequest) -> HttpResponseBase:
    # By the door's own addresses: going through all of the hub's took as long as verifying a signature.
    match = request.resolver_match = resolve(request.path_info[len(RECEIPT) - 1 :], "webhooks.urls")
    response = cast(HttpResponseBase, match.func(request, *match.args, **match.kwargs))
    return response.render() if isinstance(response, SimpleTemplateResponse) else response


django.setup(set_prefix=False)
application = HubHandler()
gc.collect()
gc.freeze()  # what was made until now stays for good, so nobody need look through it again
gc.set_threshold(50_000, 50, 100)
