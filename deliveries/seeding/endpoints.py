"""Decides how a made-up endpoint behaves over a month: mostly well, with troubles that begin and end. It is pure."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final

MONTH_S: Final = 30 * 86_400
DAY_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class Answer:
    outcome: str
    status: int | None
    error: str = ""
    latency_ms: int = 0  # at the median; 0: the endpoint's own


OK: Final = Answer("ok", 200)
TROUBLES: Final[Sequence[tuple[int, Answer]]] = (  # with their weights
    (30, Answer("server_error", 503)),
    (14, Answer("server_error", 500)),
    (9, Answer("server_error", 502)),
    (18, Answer("timeout", None, "No answer within 15 s.", 15_000)),
    (6, Answer("refused", None, "The connection was refused.", 3)),
    (4, Answer("reset", None, "The connection broke before the answer was whole.", 240)),
    (4, Answer("dns", None, "The host has no address.", 12)),
    (5, Answer("tls", None, "The certificate has expired.", 41)),
    (7, Answer("throttled", 429)),
    (6, Answer("client_error", 401)),
    (4, Answer("client_error", 422)),
    (2, Answer("client_error", 404)),
    (1, Answer("redirect", 302)),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Trouble:
    begins: float
    ends: float
    answer: Answer


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """Troubles follow each other without overlap; between them it fails once in a while."""

    latency_ms: int
    slips: float
    slip: Answer
    troubles: Sequence[Trouble]
    begins: Sequence[float] = field(default=())

    def answer(self, at: float, draw: float) -> Answer:
        which = bisect_right(self.begins, at) - 1
        if which >= 0 and at < self.troubles[which].ends:
            return self.troubles[which].answer if draw > 0.03 else OK
        return self.slip if draw < self.slips else OK


def make_endpoint(chance: Random, *, now: float, is_sick: bool) -> Endpoint:
    """A sick one has a trouble that still goes on."""
    troubles, at = [], now - MONTH_S + chance.expovariate(1 / (4 * DAY_S))
    while at < now - DAY_S / 2:
        length = min(chance.lognormvariate(8.6, 1.4), 3 * DAY_S)  # a couple of hours; some last days
        troubles.append(Trouble(begins=at, ends=min(at + length, now - 3_600), answer=_trouble(chance)))
        at += length + chance.expovariate(1 / (5 * DAY_S))
    if is_sick:
        begins = max(now - chance.uniform(3_600, 3 * DAY_S), troubles[-1].ends if troubles else 0)
        troubles.append(Trouble(begins=begins, ends=now + DAY_S, answer=_trouble(chance)))
    return Endpoint(
        latency_ms=int(chance.lognormvariate(4.6, 0.7)),
        slips=chance.choice((0.03, 0.08, 0.2, 0.45, 0.65)),
        slip=_trouble(chance, most=6),
        troubles=tuple(troubles),
        begins=tuple(trouble.begins for trouble in troubles),
    )


def _trouble(chance: Random, most: int | None = None) -> Answer:
    """`most`: only of the first kinds, which pass by themselves."""
    kinds = TROUBLES[:most]
    return chance.choices([answer for _, answer in kinds], [weight for weight, _ in kinds])[0]
