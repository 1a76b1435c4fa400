"""Says what holds for a subscription: its own word, or else the hub's. It changes nothing."""

import json
from typing import cast

from django.conf import settings

from deliveries.deciders.circuit import Rules
from deliveries.deciders.outcome import ClientErrors
from deliveries.deciders.retry import Schedule
from deliveries.models import Ordering, Subscription


def schedule_of(subscription: Subscription) -> Schedule:
    """Its retry schedule. A list replaces the growing delay; asking for growth sets the hub's list aside."""
    return Schedule(
        first_s=_or(subscription.retry_first_s, settings.HUB_RETRY_FIRST_S),
        factor=_or(subscription.retry_factor, settings.HUB_RETRY_FACTOR),
        cap_s=_or(subscription.retry_cap_s, settings.HUB_RETRY_CAP_S),
        max_attempts=int(_or(subscription.retry_max_attempts, settings.HUB_RETRY_MAX_ATTEMPTS)),
        delays_s=_delays_of(subscription),
        jitter=_or(subscription.retry_jitter, settings.HUB_RETRY_JITTER),
        max_age_s=settings.HUB_RETRY_MAX_AGE_S
        if subscription.retry_max_age_s is None
        else subscription.retry_max_age_s,
    )


def timeout_of(subscription: Subscription) -> float:
    """Wall-clock seconds one attempt may take."""
    return _or(subscription.timeout_s, settings.HUB_TIMEOUT_S)


def window_of(subscription: Subscription) -> int:
    """How many requests may be out at once; strict order allows one."""
    if subscription.ordering == Ordering.STRICT:
        return 1
    return int(_or(subscription.window, settings.HUB_WINDOW))


def circuit_rules_of(subscription: Subscription) -> Rules:
    """When its circuit opens, for how long, and the cap it recovers to."""
    return Rules(
        failure_rate=_or(subscription.circuit_failure_rate, settings.HUB_CIRCUIT_FAILURE_RATE),
        min_volume=int(_or(subscription.circuit_min_volume, settings.HUB_CIRCUIT_MIN_VOLUME)),
        window_s=_or(subscription.circuit_window_s, settings.HUB_CIRCUIT_WINDOW_S),
        cooldown_s=_or(subscription.circuit_cooldown_s, settings.HUB_CIRCUIT_COOLDOWN_S),
        cooldown_cap_s=_or(subscription.circuit_cooldown_cap_s, settings.HUB_CIRCUIT_COOLDOWN_CAP_S),
        cap=window_of(subscription),
    )


def client_errors_of(subscription: Subscription) -> ClientErrors:
    """What a 4xx or 3xx means for a delivery: once, thrice or schedule."""
    return cast(ClientErrors, subscription.client_errors or settings.HUB_CLIENT_ERRORS)


def disable_after_of(subscription: Subscription) -> float:
    """Seconds it may fail without one success before it is disabled; 0: for ever."""
    return _or(subscription.disable_after_s, settings.HUB_DISABLE_AFTER_S)


def headers_of(subscription: Subscription) -> dict[str, str]:
    """Its own headers, in the clear."""
    return json.loads(subscription.headers) if subscription.headers else {}


def _delays_of(subscription: Subscription) -> tuple[float, ...] | None:
    own = subscription.retry_delays_s
    if own is not None:
        return tuple(own)
    growth = (
        subscription.retry_first_s,
        subscription.retry_factor,
        subscription.retry_cap_s,
        subscription.retry_max_attempts,
    )
    hub = settings.HUB_RETRY_DELAYS_S
    return tuple(hub) if hub and growth == (None, None, None, None) else None


def _or(own: float | None, hub: float) -> float:
    return hub if own is None else own
