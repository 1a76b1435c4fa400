"""What a subscription's form calls its fields, how it groups them, and what holds where one is left empty."""

from typing import Any, Final, get_type_hints

from deliveries.services import subscriptions

OPTIONS = tuple(get_type_hints(subscriptions.Options))
# What holds where a field is left empty.
HUB_DEFAULTS: Final = {
    "timeout_s": "HUB_TIMEOUT_S",
    "window": "HUB_WINDOW",
    "retry_first_s": "HUB_RETRY_FIRST_S",
    "retry_factor": "HUB_RETRY_FACTOR",
    "retry_cap_s": "HUB_RETRY_CAP_S",
    "retry_max_attempts": "HUB_RETRY_MAX_ATTEMPTS",
    "retry_delays_s": "HUB_RETRY_DELAYS_S",
    "retry_jitter": "HUB_RETRY_JITTER",
    "retry_max_age_s": "HUB_RETRY_MAX_AGE_S",
    "circuit_failure_rate": "HUB_CIRCUIT_FAILURE_RATE",
    "circuit_min_volume": "HUB_CIRCUIT_MIN_VOLUME",
    "circuit_window_s": "HUB_CIRCUIT_WINDOW_S",
    "circuit_cooldown_s": "HUB_CIRCUIT_COOLDOWN_S",
    "circuit_cooldown_cap_s": "HUB_CIRCUIT_COOLDOWN_CAP_S",
    "disable_after_s": "HUB_DISABLE_AFTER_S",
}
LABELS: Final = {
    "url": "Address, URL",
    "event_types": "Event types it wants",
    "filter": "Only events where",
    "transform": "Sent instead of the body",
    "format": "Form",
    "prove": "Prove the endpoint first",
    "headers": "Extra headers",
    "timeout_s": "Time limit of an attempt, seconds",
    "window": "Most requests at once",
    "rate_per_s": "Most requests per second",
    "ordering": "Order",
    "latest_only": "Only the latest version of an entity",
    "retry_first_s": "Wait after the first failure, seconds",
    "retry_factor": "Each wait is longer by, times",
    "retry_cap_s": "No wait is longer than, seconds",
    "retry_max_attempts": "Most attempts",
    "retry_delays_s": "Or these waits, seconds",
    "retry_jitter": "Waits vary by at most, share",
    "retry_max_age_s": "No attempt later than, seconds",
    "client_errors": "A 4xx or 3xx answer means",
    "circuit_failure_rate": "Opens when this share fails",
    "circuit_min_volume": "Of at least so many attempts",
    "circuit_window_s": "Within the last, seconds",
    "circuit_cooldown_s": "First cool-down, seconds",
    "circuit_cooldown_cap_s": "Longest cool-down, seconds",
    "disable_after_s": "Disabled after failing for, seconds",
}
GROUPS: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    (
        "Who gets what, and where",
        ("subscriber", "name", "url", "source", "event_types", "filter", "seen_at"),
    ),
    ("What is sent", ("transform", "format", "headers", "header_names", "signing", "secret", "prove")),
    ("How fast", ("timeout_s", "window", "rate_per_s", "ordering", "latest_only")),
    (
        "When it is tried again",
        ("schedule", *(name for name in OPTIONS if name.startswith("retry_")), "client_errors"),
    ),
    (
        "When it is left alone",
        ("thresholds", *(name for name in OPTIONS if name.startswith("circuit_")), "disable_after_s"),
    ),
)


def told(default: Any) -> str:
    """A hub's default as a person writes it."""
    if default is None:
        return "none"
    return f"{default:,.10g}" if isinstance(default, int | float) else str(list(default))
