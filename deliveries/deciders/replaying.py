"""Decides how a replay is fed into a lane, what came of an item, and when it stops by itself. It sends nothing.

A replay waits behind a lane's live traffic: what it has under way there never exceeds half of the lane's window, and
no more is let in than its rate allows.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from .outcome import Outcome

JUDGED: Final = 50  # verdicts looked back on
MOST_FAILED: Final = 10  # of those: a fifth. One more, and it stops, though fewer may have come yet
GOOD, BAD = ".", "x"


class Verdict(StrEnum):
    """What came of an item; the names are an item's states."""

    DELIVERED = "delivered"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """The last verdicts, and why the replay stops: empty while it goes on."""

    recent: str
    stop_reason: str = ""


def allowance(*, window: int, under_way: int, own_under_way: int, tokens: int, is_proved: bool) -> int:
    """How many items may be let in now. `under_way` counts all replays in the lane, `own_under_way` this one.

    A replay that sends one first has one under way until that is answered with a 2xx. A lane whose circuit is open
    has no window, and takes none.
    """
    if window <= 0:
        return 0
    room = max(1, window // 2) - under_way
    if not is_proved:
        room = min(room, 1 - own_under_way)
    return max(0, min(room, tokens))


def verdict(*, outcome: str, state: str) -> Verdict | None:
    """By its first attempt, whatever its schedule makes of it later. None: nothing was sent yet."""
    if outcome == Outcome.OWN_TROUBLE:
        return None
    if state == "delivered":
        return Verdict.DELIVERED
    return Verdict.SKIPPED if state == "superseded" else Verdict.FAILED


def judge(*, recent: str, verdicts: Iterable[Verdict], stops_itself: bool) -> Judged:
    """Looks at one verdict after the other; what was skipped says nothing of the endpoint."""
    reason = ""
    for each in verdicts:
        if each is Verdict.SKIPPED:
            continue
        recent = (recent + (GOOD if each is Verdict.DELIVERED else BAD))[-JUDGED:]
        failed = recent.count(BAD)
        if stops_itself and not reason and failed > MOST_FAILED:
            reason = f"{failed} of the last {len(recent)} failed: more than a fifth of {JUDGED}."
    return Judged(recent=recent, stop_reason=reason)


def pace(rate_per_s: float | None, limit: float | None, *, exceeds: bool) -> float | None:
    """How fast a replay goes in a lane that has this limit; None: as fast as the window lets it."""
    if exceeds or limit is None:
        return rate_per_s
    return limit if rate_per_s is None else min(rate_per_s, limit)


def lasts_s(items: Mapping[float | None, int]) -> float | None:
    """How long the slowest lane takes, of items by the pace of their lane; None where a lane has no pace."""
    if None in items:
        return None
    return max((count / pace for pace, count in items.items() if pace), default=0.0)


def offered_rates(limits: Sequence[float | None]) -> tuple[float, ...]:
    """A gentle rate, the subscriptions' own (the lowest, where they differ), and one above it."""
    own = min((limit for limit in limits if limit is not None), default=None)
    return (5.0, 20.0, 100.0) if own is None else (own / 4, own, own * 2.5)
