"""Rehearses senders without a cap and without a circuit: each delivery is tried again when its own time comes."""

from collections import Counter
from dataclasses import dataclass
from functools import partial
from math import ceil

from deliveries.deciders.outcome import decide
from deliveries.deciders.retry import Schedule

from .clock import Clock, date, seconds
from .endpoint import Answer, Endpoint
from .tally import Arrivals, Tally

TICK_S = (
    0.1  # what falls due within a tick is sent together at its end: they are far too many to send one by one
)
ROUNDING = 1e-6  # of a tick


@dataclass(frozen=True, slots=True, kw_only=True)
class Habit:
    """How it tries again. One that is endless does not count its attempts, and so never gives up."""

    schedule: Schedule
    is_endless: bool = False


class Flood:
    """Deliveries that are due together after equally many attempts differ in nothing, so they are one number."""

    __slots__ = ("_arrivals", "_arrived", "_clock", "_done", "_due", "_endpoint", "_habit", "_tally")

    def __init__(
        self, *, clock: Clock, endpoint: Endpoint, arrivals: Arrivals, tally: Tally, habit: Habit
    ) -> None:
        self._clock, self._endpoint, self._arrivals, self._tally = clock, endpoint, arrivals, tally
        self._habit = habit
        self._arrived = self._done = 0
        self._due: dict[int, Counter[int]] = {}  # by tick: how many, by the attempt it will be
        self._expect()

    def owed(self, now: float) -> int:
        return self._arrivals.by(now) - self._done

    def _expect(self) -> None:
        if self._arrived < self._arrivals.count:
            self._plan(self._arrivals.at(self._arrived))

    def _plan(self, due: float) -> Counter[int]:
        tick = ceil(due / TICK_S - ROUNDING)
        if tick not in self._due:
            self._due[tick] = Counter()
            self._clock.at(tick * TICK_S, partial(self._send, tick))
        return self._due[tick]

    def _send(self, tick: int, now: float) -> None:
        due = self._due.pop(tick)
        arrived = self._arrivals.by(now)
        due[1] += arrived - self._arrived
        self._arrived = arrived
        for attempt, count in due.items():
            if count:
                self._tally.send(now, count)
                for answer in self._endpoint.take(now, count):
                    self._clock.at(answer.at, partial(self._settle, answer, attempt))
        self._expect()

    def _settle(self, answer: Answer, attempt: int, now: float) -> None:
        decision = decide(
            outcome=self._endpoint.outcome(answer),
            attempt=attempt,
            schedule=self._habit.schedule,
            client_errors="thrice",
            now=date(now),
            first_due=date(now),
            retry_after_s=None,
            draw=0.0,
        )
        if decision.due_at is not None:
            following = attempt if self._habit.is_endless else attempt + 1
            self._plan(seconds(decision.due_at))[following] += answer.requests
            return
        self._done += answer.requests
        if decision.state == "delivered":
            self._tally.deliver(now, answer.requests)
        else:
            self._tally.give_up(now, answer.requests)
