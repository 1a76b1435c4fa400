"""Decides whether a subscription may be saved, with a sentence for each wrong field. It saves nothing."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError

from deliveries.deciders import address, circuit, endurance, matching, request, retry
from deliveries.deciders.own_types import OWN_TYPES
from deliveries.models import ClientErrors, Format, Ordering, Subscription
from webhooks.deciders import expressions, standard
from webhooks.deciders.own import OWN_SOURCE, names_own

from .defaults import circuit_rules_of, schedule_of

MAX_TIMEOUT_S = 30  # a dispatcher starts no request that might outlive its lease; see the dispatcher's seats
MAX_PATTERNS = 100  # more than anyone lists by hand; a broader pattern says the same
MAX_WINDOW = 1_000
MAX_RATE_PER_S = 10_000
MAX_VOLUME = 10_000
HOUR_S = 3_600
DAY_S = 86_400
ONE_AT_A_TIME = "Strict order sends one at a time; leave this empty, or choose unordered."

_LISTED = " and ".join(", ".join(OWN_TYPES).rsplit(", ", 1))

RETRY_FIELDS = (
    "retry_delays_s",
    "retry_cap_s",
    "retry_max_attempts",
    "retry_first_s",
    "retry_factor",
    "retry_jitter",
    "retry_max_age_s",
)
CIRCUIT_FIELDS = (
    "circuit_cooldown_cap_s",
    "circuit_cooldown_s",
    "circuit_failure_rate",
    "circuit_min_volume",
    "circuit_window_s",
)


def check(subscription: Subscription, *, changed: Collection[str]) -> None:
    """Raises ValidationError with every wrong field named. `changed` are the fields somebody sets just now."""
    problems = _field_problems(subscription) or _problems_together(subscription, changed)
    if "url" in changed and "url" not in problems:
        problems |= _unreachable(subscription.url)
    if problems:
        raise ValidationError(problems)


def check_secret(secret: str) -> None:
    """Raises ValueError with one sentence, which never repeats the secret, when it cannot sign."""
    standard.Signer.of([secret])


def _field_problems(subscription: Subscription) -> dict[str, list[str]]:
    problems: dict[str, list[str]] = {}
    for field, rule in _RULES.items():
        try:
            rule(getattr(subscription, field))
        except ValueError as error:
            problems[field] = [str(error)]
    return problems


def _unreachable(url: str) -> dict[str, list[str]]:
    """Asked of a new URL alone: what is allowed may change, and must not stand in the way of other changes."""
    policy = address.EgressPolicy(allow=tuple(settings.HUB_EGRESS_ALLOW))
    try:
        address.check_reach(url, policy)
    except ValueError as error:
        return {"url": [str(error)]}
    return {}


def _problems_together(subscription: Subscription, changed: Collection[str]) -> dict[str, list[str]]:
    """Each setting may be fine while together they are not: then the one most likely at fault is named."""
    return (
        _blamed(subscription, RETRY_FIELDS, lambda: retry.check(schedule_of(subscription)))
        | _blamed(subscription, CIRCUIT_FIELDS, lambda: circuit.check(circuit_rules_of(subscription)))
        | _ordering_problems(subscription)
        | (_own_type_problems(subscription) if {"event_types", "source"} & set(changed) else {})
    )


def _blamed(
    subscription: Subscription, fields: Sequence[str], rule: Callable[[], None]
) -> dict[str, list[str]]:
    try:
        rule()
    except ValueError as error:
        own = (field for field in fields if getattr(subscription, field) is not None)
        return {next(own, fields[0]): [str(error)]}
    return {}


def _ordering_problems(subscription: Subscription) -> dict[str, list[str]]:
    is_strict = subscription.ordering == Ordering.STRICT
    return {"window": [ONE_AT_A_TIME]} if is_strict and (subscription.window or 1) > 1 else {}


def _own_type_problems(subscription: Subscription) -> dict[str, list[str]]:
    """Asked of what is set just now: the set of Weir's own types may change, and must stand in no other change's way.

    What another source calls so is that source's.
    """
    if subscription.source_id not in (None, OWN_SOURCE):
        return {}
    for pattern in subscription.event_types:
        if names_own([pattern]) and not any(matching.matches(pattern, name) for name in OWN_TYPES):
            return {"event_types": [f"There is no {pattern}: Weir's own types are {_LISTED}."]}
    return {}


def _name(name: str) -> None:
    if not name.strip():
        raise ValueError("Give the subscription a name.")
    if len(name) > 200:
        raise ValueError("A name has at most 200 characters.")


def _event_types(patterns: Any) -> None:
    if not isinstance(patterns, list) or not patterns:
        raise ValueError('List at least one event type, such as "user.*"; "*" is every event.')
    if len(patterns) > MAX_PATTERNS:
        raise ValueError(f"List at most {MAX_PATTERNS} event types.")
    for pattern in patterns:
        if not isinstance(pattern, str):
            raise ValueError("Event types are a list of texts.")
        matching.validate_pattern(pattern)


def _delays(delays: Any) -> None:
    if delays is not None and not (isinstance(delays, list) and all(_is_number(delay) for delay in delays)):
        raise ValueError("Write the delays as a list of seconds, such as [5, 60, 3600].")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _expression(text: str) -> None:
    if text:
        expressions.compile_expression(text)


def _headers(sealed: str) -> None:
    if sealed:
        request.check_headers(parse_headers(sealed))


def parse_headers(text: str) -> dict[str, str]:
    """Reads a JSON object of texts. Raises ValueError, and repeats none of it: values may be secret."""
    try:
        headers = json.loads(text)
    except ValueError:
        headers = None
    if not isinstance(headers, Mapping) or not all(isinstance(value, str) for value in headers.values()):
        raise ValueError('Write headers as a JSON object of texts, such as {"x-team": "billing"}.') from None
    return dict(headers)


def _within(least: float, most: float, unit: str) -> Callable[[float | None], None]:
    def rule(value: float | None) -> None:
        if value is not None and not least <= value <= most:  # NaN fails both
            raise ValueError(f"Choose between {least:g} and {most:,.10g} {unit}.")

    return rule


def _term(value: float | None) -> None:
    _within(0, retry.YEAR_S, "seconds")(value)
    if value is not None:
        endurance.check(value)


def _one_of(values: list[str]) -> Callable[[str], None]:
    def rule(value: str) -> None:
        if value not in values:
            raise ValueError(f"Choose one of {', '.join(filter(None, values))}.")

    return rule


_RULES: dict[str, Callable[[Any], None]] = {
    "name": _name,
    "url": address.check_url,
    "event_types": _event_types,
    "filter": _expression,
    "transform": _expression,
    "headers": _headers,
    "timeout_s": _within(0.1, MAX_TIMEOUT_S, "seconds"),
    "window": _within(1, MAX_WINDOW, "requests at once"),
    "rate_per_s": _within(0.001, MAX_RATE_PER_S, "requests per second"),
    "retry_first_s": _within(0.001, retry.YEAR_S, "seconds"),
    "retry_factor": _within(1, 1_000, "times"),
    "retry_cap_s": _within(0.001, retry.YEAR_S, "seconds"),
    "retry_max_attempts": _within(1, retry.MAX_ATTEMPTS, "attempts"),
    "retry_delays_s": _delays,
    "retry_jitter": _within(0, 1, "of the delay"),
    "retry_max_age_s": _within(0.001, retry.YEAR_S, "seconds"),
    "client_errors": _one_of(["", *ClientErrors.values]),
    "format": _one_of(list(Format.values)),
    "ordering": _one_of(list(Ordering.values)),
    "circuit_failure_rate": _within(0.01, 1, "of the attempts"),
    "circuit_min_volume": _within(1, MAX_VOLUME, "attempts"),
    "circuit_window_s": _within(1, HOUR_S, "seconds"),
    "circuit_cooldown_s": _within(0.1, HOUR_S, "seconds"),
    "circuit_cooldown_cap_s": _within(0.1, DAY_S, "seconds"),
    "disable_after_s": _term,
}
