"""What is Weir's own among sources and event types: nobody else sends by it, and nobody gets it who did not name it."""

from collections.abc import Iterable
from typing import Final
from uuid import UUID

OWN_SOURCE: Final = UUID("019b0000-0000-7000-8000-000000000001")  # the same in every hub
OWN_PREFIX: Final = "weir."


def names_own(patterns: Iterable[str]) -> bool:
    """Whether a subscription asked for what Weir tells of itself: `*` alone does not."""
    return any(isinstance(pattern, str) and pattern.startswith(OWN_PREFIX) for pattern in patterns)


def wants_only_own(patterns: Iterable[str]) -> bool:
    return all(names_own([pattern]) for pattern in patterns)
