"""Slows a key that asks too often, and tells each how much is left (IETF draft-ietf-httpapi-ratelimit-headers)."""

import time
from typing import Any

from django.conf import settings
from django.http.response import HttpResponseBase
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from webhooks.models import ApiKey
from webhooks.services import api_rate

_NAME = "key"


def spend(key: ApiKey) -> api_rate.Allowance | None:
    """None where there is no limit."""
    limit = settings.HUB_API_RATE
    return api_rate.spend(api_key_id=key.pk, limit=limit, now_s=time.time()) if limit else None


class PerKey(BaseThrottle):
    """HUB_API_RATE requests a minute. Strangers are refused before they come here."""

    def __init__(self) -> None:
        self._wait: float | None = None

    def allow_request(self, request: Request, view: Any) -> bool:
        if not isinstance(request.auth, ApiKey):
            return True
        allowance: api_rate.Allowance | None = view.spent or spend(request.auth)
        if allowance is None:
            return True
        view.allowance = allowance
        self._wait = allowance.reset_s
        return allowance.is_allowed

    def wait(self) -> float | None:
        return self._wait


def tell(response: HttpResponseBase, allowance: api_rate.Allowance) -> None:
    response["RateLimit-Policy"] = f'"{_NAME}";q={allowance.limit};w={api_rate.WINDOW_S}'
    response["RateLimit"] = f'"{_NAME}";r={allowance.remaining};t={allowance.reset_s}'
