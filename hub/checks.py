"""Asks at every start whether the settings make sense together. It repeats no secret and changes nothing."""

import os
from typing import Any
from urllib.parse import urlsplit

from cryptography.fernet import Fernet
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning

from deliveries.deciders import circuit, endurance, retry
from hub import environment


def encryption_keys_fit(**kwargs: Any) -> list[CheckMessage]:
    bad = [place for place, key in enumerate(settings.HUB_ENCRYPTION_KEYS, 1) if not _is_fernet_key(key)]
    return [
        Error(
            f"Encryption key number {place} is not a Fernet key.",
            hint="It must be 32 random bytes in URL-safe base64; look at HUB_ENCRYPTION_KEYS.",
            id="weir.E001",
        )
        for place in bad
    ]


def default_schedule_makes_sense(**kwargs: Any) -> list[CheckMessage]:
    try:
        retry.check(hub_schedule())
    except ValueError as error:
        return [Error(f"The default retry schedule: {error}", hint="Look at HUB_RETRY_….", id="weir.E002")]
    return []


def default_circuit_makes_sense(**kwargs: Any) -> list[CheckMessage]:
    try:
        circuit.check(hub_circuit())
    except ValueError as error:
        return [Error(f"The default circuit: {error}", hint="Look at HUB_CIRCUIT_….", id="weir.E004")]
    return []


def default_term_makes_sense(**kwargs: Any) -> list[CheckMessage]:
    try:
        endurance.check(settings.HUB_DISABLE_AFTER_S)
    except ValueError as error:
        return [Error(f"HUB_DISABLE_AFTER_S: {error}", hint="Five days are 432000.", id="weir.E005")]
    return []


def public_url_is_one(**kwargs: Any) -> list[CheckMessage]:
    url = urlsplit(settings.HUB_PUBLIC_URL)
    if not settings.HUB_PUBLIC_URL or (url.scheme in {"http", "https"} and url.hostname and not url.query):
        return []
    return [Error("HUB_PUBLIC_URL is no http(s) address.", hint="https://hub.example.com", id="weir.E003")]


def seats_fit_the_database(**kwargs: Any) -> list[CheckMessage]:
    if settings.HUB_SEATS_ASKED == settings.HUB_SEATS:
        return []
    return [
        Warning(
            f"HUB_SEATS is {settings.HUB_SEATS_ASKED}, but on SQLite one dispatcher runs.",
            hint="Several dispatchers need PostgreSQL; see DATABASE_URL.",
            id="weir.W001",
        )
    ]


def draining_outlasts_a_request(**kwargs: Any) -> list[CheckMessage]:
    if settings.HUB_DRAIN_S >= settings.HUB_TIMEOUT_S:
        return []
    return [
        Warning(
            "HUB_DRAIN_S is shorter than HUB_TIMEOUT_S, so a slow request may be cut off and sent again.",
            hint="Give draining at least as long as one request may take.",
            id="weir.W002",
        )
    ]


def names_are_known(**kwargs: Any) -> list[CheckMessage]:
    return [
        Warning(
            f"{name} is no setting of Weir and changes nothing.",
            hint=f"Is {nearest} meant?" if nearest else "The README lists them all, under Settings.",
            id="weir.W003",
        )
        for name, nearest in environment.unknown(os.environ).items()
    ]


def hub_schedule() -> retry.Schedule:
    return retry.Schedule(
        first_s=settings.HUB_RETRY_FIRST_S,
        factor=settings.HUB_RETRY_FACTOR,
        cap_s=settings.HUB_RETRY_CAP_S,
        max_attempts=settings.HUB_RETRY_MAX_ATTEMPTS,
        delays_s=settings.HUB_RETRY_DELAYS_S,
        jitter=settings.HUB_RETRY_JITTER,
        max_age_s=settings.HUB_RETRY_MAX_AGE_S,
    )


def hub_circuit() -> circuit.Rules:
    return circuit.Rules(
        failure_rate=settings.HUB_CIRCUIT_FAILURE_RATE,
        min_volume=settings.HUB_CIRCUIT_MIN_VOLUME,
        window_s=settings.HUB_CIRCUIT_WINDOW_S,
        cooldown_s=settings.HUB_CIRCUIT_COOLDOWN_S,
        cooldown_cap_s=settings.HUB_CIRCUIT_COOLDOWN_CAP_S,
        cap=settings.HUB_WINDOW,
    )


def _is_fernet_key(key: str) -> bool:
    try:
        Fernet(key)
    except ValueError:
        return False
    return True


ALL = (
    encryption_keys_fit,
    default_schedule_makes_sense,
    default_circuit_makes_sense,
    default_term_makes_sense,
    public_url_is_one,
    seats_fit_the_database,
    draining_outlasts_a_request,
    names_are_known,
)
