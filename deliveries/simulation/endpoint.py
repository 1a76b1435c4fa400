"""Models an endpoint that can be overrun: what comes of requests to it, and when. It knows nothing of who sends."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from deliveries.deciders.outcome import Outcome

Fault = Literal["refuse", "hang"]
Outage = tuple[float, float]

REFUSAL_S = 0.005  # how soon a connection is refused or broken
GROUP_S = 0.1  # answers to a crowd of requests come in groups of so many seconds, to save events


@dataclass(frozen=True, slots=True, kw_only=True)
class Strength:
    """What an endpoint bears. Above its capacity requests wait; above its breaking point it falls, and restarts."""

    capacity_per_s: float = 60.0
    latency_s: float = 0.2
    breaking_point: int = 240  # requests it holds at once
    restart_s: float = 20.0
    timeout_s: float = 15.0  # after which a sender gives up on an answer
    fault: Fault = "refuse"  # what it does to requests in an outage

    @property
    def concurrency(self) -> float:
        """Requests it works on at once when it is as busy as it can be."""
        return self.capacity_per_s * self.latency_s


class Answer(NamedTuple):
    """What so many requests will hear at that time, unless the endpoint's life ends before."""

    at: float
    requests: int
    outcome: Outcome
    life: int | None = None  # None: nothing can change it


class Endpoint:
    """One endpoint's state. Its times only go forward."""

    __slots__ = (
        "_coming",
        "_down_until",
        "_held",
        "_life",
        "_next_slot",
        "_strength",
        "_up_at",
        "at_once",
        "falls",
        "most_at_once",
        "sent_while_down",
    )

    def __init__(self, strength: Strength, outages: tuple[Outage, ...] = ()) -> None:
        self._strength = strength
        self._coming = list(reversed(outages))
        self._down_until = self._up_at = self._next_slot = 0.0
        self._held = self._life = 0
        self.at_once = self.most_at_once = self.falls = self.sent_while_down = 0

    def take(self, now: float, count: int = 1) -> list[Answer]:
        self._age(now)
        self.at_once += count
        self.most_at_once = max(self.most_at_once, self.at_once)
        if now < self._down_until:
            self.sent_while_down += count
            return [self._no_answer(now, count)]
        if now < self._up_at:
            return [Answer(now + REFUSAL_S, count, Outcome.REFUSED)]
        if self._held + count > self._strength.breaking_point:
            self._fall(now)
            return [Answer(now + REFUSAL_S, count, Outcome.RESET)]
        self._held += count
        return self._serve(now, count)

    def outcome(self, answer: Answer) -> Outcome:
        """What came of it in the end. To be asked once, when its time has come."""
        self._age(answer.at)
        self.at_once -= answer.requests
        if answer.life is None:
            return answer.outcome
        if answer.life != self._life:
            return Outcome.RESET
        self._held -= answer.requests
        return answer.outcome

    def _no_answer(self, now: float, count: int) -> Answer:
        if self._strength.fault == "hang":
            return Answer(now + self._strength.timeout_s, count, Outcome.TIMEOUT)
        return Answer(now + REFUSAL_S, count, Outcome.REFUSED)

    def _serve(self, now: float, count: int) -> list[Answer]:
        """One begins every 1 ÷ capacity seconds and takes the latency; so a queue is felt as a longer latency."""
        gap = 1 / self._strength.capacity_per_s
        group = max(1, int(GROUP_S / gap))
        begin = max(now, self._next_slot)
        self._next_slot = begin + count * gap
        answers = []
        for first in range(0, count, group):
            size = min(group, count - first)
            answers.append(self._answer(now, begin + (first + size - 1) * gap, size))
        return answers

    def _answer(self, sent_at: float, begun_at: float, count: int) -> Answer:
        at = begun_at + self._strength.latency_s
        too_late = sent_at + self._strength.timeout_s
        if at > too_late:  # the sender has gone, the work is done all the same
            return Answer(too_late, count, Outcome.TIMEOUT, self._life)
        return Answer(at, count, Outcome.OK, self._life)

    def _age(self, now: float) -> None:
        while self._coming and now >= self._coming[-1][0]:
            self._down_until = self._coming.pop()[1]
            self._end_life()

    def _fall(self, now: float) -> None:
        self.falls += 1
        self._up_at = now + self._strength.restart_s
        self._end_life()

    def _end_life(self) -> None:
        self._life += 1
        self._held = 0
        self._next_slot = 0.0
