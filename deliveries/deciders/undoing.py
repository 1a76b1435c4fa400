"""Decides whether a person may still take a replay back, and what a page says of it. It is pure.

Nothing but the order of two times tells such a replay: its delivery is due later than its budget began. A dispatcher
that takes it up moves the budget to when it was due, and from then on nobody can.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Final, Protocol

from .delivery_query import Status

UNDO_FOR: Final = timedelta(seconds=5)  # how much later than at once a replay is due that can be undone
REPLAY_PHASE: Final = 2


class Armed(Protocol):
    """A delivery as it is to be sent."""

    @property
    def phase(self) -> int: ...
    @property
    def attempts(self) -> int: ...
    @property
    def budget_from(self) -> int: ...
    @property
    def budget_at(self) -> datetime: ...
    @property
    def due_at(self) -> datetime | None: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Undo:
    """What a page offers; `left_ms` is None where nothing can be sent before somebody lets the lane move."""

    replayed_at: datetime  # which replay it is of
    left_ms: int | None

    @property
    def key(self) -> str:
        return self.replayed_at.isoformat()

    @property
    def left_s(self) -> int:
        return ceil((self.left_ms or 0) / 1000)


def is_open(row: Armed) -> bool:
    """Nobody has taken it up: who is about to must ask the database whether it was undone."""
    return (
        row.phase == REPLAY_PHASE
        and row.attempts == row.budget_from
        and row.due_at is not None
        and row.due_at > row.budget_at
    )


def offered(row: Armed, *, status: Status, now: datetime) -> Undo | None:
    """For its seconds, and for as long as its lane does not move. Not of what was put back for another reason."""
    if row.due_at is None or not is_open(row) or row.due_at != row.budget_at + UNDO_FOR:
        return None
    if status is Status.HELD:
        return Undo(replayed_at=row.budget_at, left_ms=None)
    if row.due_at <= now:
        return None
    return Undo(replayed_at=row.budget_at, left_ms=int((row.due_at - now) / timedelta(milliseconds=1)))
