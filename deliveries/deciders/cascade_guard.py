"""Decides whether a caused event goes on or is set aside: by how deep it lies, and by how many its cascade has had.

It reads nothing. A window begins with the first event that is counted in it, so what one cascade makes in any window's
length is at most twice the budget, and over many of them the budget each.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final


class Why(StrEnum):
    """Why an event was set aside."""

    DEPTH = "depth"  # too many hops from the first event: a loop, most likely
    BUDGET = "budget"  # its cascade has had too many events lately
    UNROUTABLE = "unroutable"  # routing it failed in a way nobody foresaw


WHY_WORDS: Final[dict[Why, str]] = {
    Why.DEPTH: "too deep in its cascade, as in a loop",
    Why.BUDGET: "one too many of its cascade in a short time",
    Why.UNROUTABLE: "one that could not be routed",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """`depth` in hops, `budget` in events per `window`."""

    depth: int
    budget: int
    window: timedelta


@dataclass(frozen=True, kw_only=True, slots=True)
class Spent:
    """What a cascade has had of its budget since a moment; None: nothing yet."""

    since: datetime | None = None
    events: int = 0


UNSPENT: Final = Spent()


@dataclass(frozen=True, kw_only=True, slots=True)
class Admission:
    """Without a `why` the event goes on. `spent` is how the budget stands after it."""

    why: Why | None
    spent: Spent


def admit(*, depth: int, spent: Spent, limits: Limits, now: datetime) -> Admission:
    """What is set aside spends nothing."""
    if depth > limits.depth:
        return Admission(why=Why.DEPTH, spent=spent)
    if spent.since is None or now >= spent.since + limits.window:
        spent = Spent(since=now)
    if spent.events >= limits.budget:
        return Admission(why=Why.BUDGET, spent=spent)
    return Admission(why=None, spent=Spent(since=spent.since, events=spent.events + 1))
