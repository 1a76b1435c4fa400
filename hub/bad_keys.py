"""Soon tires of an address that sends API keys which do not open. It looks at no key, and keeps none.

A good key opens from the same address all the while: a service with an old key must not lock its neighbours out, and
a key has too many random characters to be guessed. So nothing is asked of the database for a key that opens.
"""

import logging
import math
from collections.abc import Callable
from datetime import UTC, datetime

from django.db import Error
from django.http import HttpRequest, HttpResponse

from hub import tries
from hub.tries import Limit
from webhooks.rest.problems import is_api, plain_answer

PER_ADDRESS = 30  # in a window of fifteen minutes
_UNAUTHORIZED = 401
_said = logging.getLogger(__name__)


class BadKeyMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        answer = self.get_response(request)
        is_bad = answer.status_code == _UNAUTHORIZED and "Authorization" in request.headers
        return self._counted(request, answer) if is_bad and is_api(request) else answer

    def _counted(self, request: HttpRequest, answer: HttpResponse) -> HttpResponse:
        address, now = tries.address_behind(request), datetime.now(UTC)
        limit = Limit(kind="api-key", value=tries.site(address), most=PER_ADDRESS)
        try:
            until = tries.take([limit], now=now)
        except Error:  # the refusal stands, counted or not
            _said.warning("A key that does not open could not be counted.", exc_info=True)
            return answer
        if until is None:
            return answer
        return plain_answer(
            request,
            status=429,
            code="too-many-failures",
            detail="Too many keys that do not open came from this address.",
            headers={"Retry-After": str(max(1, math.ceil((until - now).total_seconds())))},
        )
