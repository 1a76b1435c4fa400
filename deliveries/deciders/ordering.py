"""Decides whose turn it is in a strictly ordered lane. It never says whether that one is due."""

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol, TypeVar
from uuid import UUID


class Waiting(Protocol):
    """A pending delivery: its turn, which is None if it was owed while the lane was unordered."""

    @property
    def delivery_id(self) -> UUID: ...
    @property
    def seq(self) -> int | None: ...
    @property
    def due_at(self) -> datetime: ...


W = TypeVar("W", bound=Waiting)


def whose_turn(waiting: Iterable[W]) -> W | None:
    """Those without a number first, since they were owed before the order was asked for; then the lowest number.

    Who has the turn keeps it until it is due and settled: nobody later passes it.
    """
    return min(waiting, key=_place, default=None)


def _place(each: Waiting) -> tuple[bool, int, datetime, UUID]:
    return each.seq is not None, each.seq or 0, each.due_at, each.delivery_id
