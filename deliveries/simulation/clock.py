"""Keeps simulated time: what happens next, happens now. Nothing waits, and the real clock is never read."""

import heapq
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count

START = datetime(2026, 1, 1, tzinfo=UTC)  # what second 0 is called where a decider wants a date

Action = Callable[[float], None]


class Clock:
    """A heap of things to come. Two at one time happen in the order they were set."""

    __slots__ = ("_heap", "_order", "draw", "now")

    def __init__(self, seed: int) -> None:
        self.now = 0.0
        self.draw = random.Random(seed).random  # noqa: S311 - a rehearsal keeps no secrets
        self._heap: list[tuple[float, int, Action]] = []
        self._order = count()

    def at(self, when: float, action: Action) -> None:
        heapq.heappush(self._heap, (when, next(self._order), action))

    def run_until(self, end: float) -> bool:
        """Lets everything happen that is due by then; says whether anything is left."""
        heap = self._heap
        while heap and heap[0][0] <= end:
            self.now, _, action = heapq.heappop(heap)
            action(self.now)
        return bool(heap)


def date(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def seconds(date: datetime) -> float:
    return (date - START).total_seconds()
