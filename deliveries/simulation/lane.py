"""Rehearses one of Weir's lanes with the deciders that the dispatcher uses. It decides nothing by itself."""

import heapq
from dataclasses import dataclass, field
from functools import partial
from math import inf
from typing import NamedTuple

from deliveries.deciders import circuit, pacing
from deliveries.deciders.circuit import SIGNS
from deliveries.deciders.mixing import Room, mix
from deliveries.deciders.outcome import Outcome, decide
from deliveries.deciders.retry import Schedule

from .clock import Clock, date, seconds
from .endpoint import Answer, Endpoint
from .tally import Arrivals, Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How Weir treats a lane."""

    schedule: Schedule = field(default_factory=Schedule)
    rules: circuit.Rules = field(default_factory=circuit.Rules)
    rate_per_s: float | None = None


class Turn(NamedTuple):
    """One delivery's turn to be sent: when it was due, which one, and how often it was tried before."""

    due: float
    delivery: int
    attempts: int


class Lane:
    """Deliveries that were never tried are but a number, so those that are parked cost nothing."""

    __slots__ = (
        "_arrivals",
        "_circuit",
        "_clock",
        "_done",
        "_endpoint",
        "_firsts_out",
        "_last_was_first",
        "_opened_at",
        "_pace",
        "_retries",
        "_retries_out",
        "_tally",
        "_tokens",
        "_tried",
        "_turn_is_set",
        "_wakes_at",
    )

    def __init__(
        self, *, clock: Clock, endpoint: Endpoint, arrivals: Arrivals, tally: Tally, pace: Pace
    ) -> None:
        self._clock, self._endpoint, self._arrivals, self._tally = clock, endpoint, arrivals, tally
        self._pace = pace
        self._circuit = circuit.State()
        self._opened_at, self._wakes_at = -inf, inf
        self._tokens = pacing.full(pace.rate_per_s, now=0.0) if pace.rate_per_s else None
        self._tried = self._done = self._firsts_out = self._retries_out = 0
        self._last_was_first = self._turn_is_set = False
        self._retries: list[Turn] = []
        self._wake_at(arrivals.at(0))

    def owed(self, now: float) -> int:
        return self._arrivals.by(now) - self._done

    def _wake_at(self, when: float) -> None:
        if when < self._wakes_at:
            self._wakes_at = when
            self._clock.at(when, self._wake)

    def _wake(self, now: float) -> None:
        if now >= self._wakes_at:  # or else an earlier one has been here and looked further
            self._wakes_at = inf
            self._turn(now)

    def _turn(self, now: float) -> None:
        self._turn_is_set = False
        self._circuit, _ = circuit.tick(self._circuit, self._pace.rules, now=now)
        if self._tokens is not None and self._pace.rate_per_s is not None:
            self._tokens = pacing.refilled(self._tokens, self._pace.rate_per_s, now=now)
        room = Room(
            window=circuit.limit(self._circuit, self._pace.rules),
            firsts=self._firsts_out,
            retries=self._retries_out,
            last_was_first=self._last_was_first,
            tokens=None if self._tokens is None else pacing.whole(self._tokens),
        )
        if free := room.total:
            self._send_some(room, free, now)
        self._look_ahead(now)

    def _send_some(self, room: Room, free: int, now: float) -> None:
        firsts = range(self._tried, min(self._tried + free, self._arrivals.by(now)))
        retries = self._due_retries(free, now)
        chosen = mix(room, ([Turn(now, delivery, 0) for delivery in firsts], retries, ()))
        for turn in chosen:
            self._send(turn, now)
        for turn in retries[sum(turn.attempts > 0 for turn in chosen) :] if retries else ():
            heapq.heappush(self._retries, turn)

    def _due_retries(self, limit: int, now: float) -> list[Turn]:
        due: list[Turn] = []
        while len(due) < limit and self._retries and self._retries[0].due <= now:
            due.append(heapq.heappop(self._retries))
        return due

    def _send(self, turn: Turn, now: float) -> None:
        self._last_was_first = not turn.attempts
        if turn.attempts:
            self._retries_out += 1
        else:
            self._tried += 1
            self._firsts_out += 1
        if self._tokens is not None:
            self._tokens = pacing.spent(self._tokens, 1)
        if self._circuit.phase == "half_open":
            self._circuit = circuit.sent_probe(self._circuit, turn.delivery)
        self._tally.send(now)
        [answer] = self._endpoint.take(now)
        self._clock.at(answer.at, partial(self._settle, answer, turn, now))

    def _settle(self, answer: Answer, turn: Turn, sent_at: float, now: float) -> None:
        outcome = self._endpoint.outcome(answer)
        if turn.attempts:
            self._retries_out -= 1
        else:
            self._firsts_out -= 1
        self._decide(outcome, turn, now)
        if sent_at > self._opened_at:  # what was begun before says nothing of how it is now
            self._move_circuit(outcome, turn.delivery, now)
        if not self._turn_is_set:  # all that settle at one time are settled before more is sent
            self._turn_is_set = True
            self._clock.at(now, self._turn)

    def _decide(self, outcome: Outcome, turn: Turn, now: float) -> None:
        decision = decide(
            outcome=outcome,
            attempt=turn.attempts + 1,
            schedule=self._pace.schedule,
            client_errors="thrice",
            now=date(now),
            first_due=date(self._arrivals.at(turn.delivery)),
            retry_after_s=None,
            draw=self._clock.draw(),
        )
        if decision.due_at is not None:
            due = Turn(seconds(decision.due_at), turn.delivery, turn.attempts + 1)
            heapq.heappush(self._retries, due)
            return
        self._done += 1
        if decision.state == "delivered":
            self._tally.deliver(now)
        else:
            self._tally.give_up(now)

    def _move_circuit(self, outcome: Outcome, delivery: int, now: float) -> None:
        self._circuit, changes = circuit.settle(
            self._circuit,
            self._pace.rules,
            settled=((delivery, SIGNS[outcome]),),
            now=now,
            draw=self._clock.draw(),
        )
        for change in changes:
            if change.after == "open":
                self._opened_at = now
                self._tally.openings += 1
            if change.after == "recovering":
                self._tally.last_answered_probe_at = now

    def _look_ahead(self, now: float) -> None:
        """Parked until the cool-down is over; asleep until something is due; full until something settles."""
        soonest = min(
            self._retries[0].due if self._retries else inf,
            self._arrivals.at(self._tried) if self._tried < self._arrivals.count else inf,
        )
        if self._circuit.phase == "open":
            soonest = max(soonest, self._circuit.cooldown_until or now)
        elif self._firsts_out + self._retries_out >= circuit.limit(self._circuit, self._pace.rules):
            return
        elif self._tokens is not None and self._pace.rate_per_s is not None:
            soonest = max(soonest, now + pacing.wait_s(self._tokens, self._pace.rate_per_s))
        if soonest < inf:
            self._wake_at(soonest)
