"""Decides when a lane that keeps failing is warned about and when it is disabled. It never does either.

Nobody is disabled unwarned: the warning stands for its whole lead, even where it came late because the hub was
down or somebody shortened the term.
"""

from datetime import datetime, timedelta
from enum import StrEnum

LEAST_S = 60.0  # the look is once a minute, so a shorter term could not be kept
WARNED_SHARE = 0.8  # of the term has passed when a person is warned,
LONGEST_LEAD_S = 86_400.0  # but nobody needs to know more than a day ahead


class Step(StrEnum):
    LEAVE = "leave"
    WARN = "warn"
    DISABLE = "disable"


def check(disable_after_s: float) -> None:
    """Raises ValueError with one sentence when lanes cannot be disabled after this; 0 is never."""
    if 0 < disable_after_s < LEAST_S:
        raise ValueError(f"Choose at least {LEAST_S:g} seconds, or 0 for never.")


def begun(*, failing_since: datetime, moving_since: datetime | None) -> datetime:
    """When the term began: a lane that a person let go again after it began to fail gets a fresh one."""
    return failing_since if moving_since is None else max(failing_since, moving_since)


def next_step(
    *, term_from: datetime, disable_after_s: float, warned_at: datetime | None, now: datetime
) -> Step:
    """A warning of an earlier term counts for nothing."""
    if not disable_after_s:
        return Step.LEAVE
    if warned_at is None or warned_at < term_from:
        warns_at = term_from + timedelta(seconds=disable_after_s - lead_s(disable_after_s))
        return Step.WARN if now >= warns_at else Step.LEAVE
    due = ends_at(term_from=term_from, disable_after_s=disable_after_s, warned_at=warned_at)
    return Step.DISABLE if now >= due else Step.LEAVE


def ends_at(*, term_from: datetime, disable_after_s: float, warned_at: datetime) -> datetime:
    """When the lane is disabled, unless one attempt succeeds before."""
    end = term_from + timedelta(seconds=disable_after_s)
    return max(end, warned_at + timedelta(seconds=lead_s(disable_after_s)))


def lead_s(disable_after_s: float) -> float:
    """How long before its end a term is warned of."""
    return min((1 - WARNED_SHARE) * disable_after_s, LONGEST_LEAD_S)
