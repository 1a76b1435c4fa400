"""Counts what was owed, sent and done in one rehearsal. It decides nothing."""

from dataclasses import dataclass
from math import ceil

ROUNDING = 1e-6  # of a gap: asked at the very time one arrives, the answer includes it


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrivals:
    """When the deliveries owed to one endpoint fall due: evenly, so that a number stands for all of them."""

    first_at: float
    gap_s: float
    count: int

    def at(self, delivery: int) -> float:
        return self.first_at + delivery * self.gap_s

    def by(self, now: float) -> int:
        """How many have fallen due."""
        if now < self.first_at:
            return 0
        if not self.gap_s:
            return self.count
        return min(self.count, int((now - self.first_at) / self.gap_s + ROUNDING) + 1)


class Tally:
    """What one policy did. `load` holds the requests begun in each second."""

    __slots__ = ("dead", "delivered", "last_answered_probe_at", "last_done_at", "load", "openings", "sent")

    def __init__(self, lasts_s: float) -> None:
        self.load = [0] * (ceil(lasts_s) + 1)
        self.sent = self.delivered = self.dead = self.openings = 0
        self.last_done_at = self.last_answered_probe_at = 0.0

    def send(self, now: float, count: int = 1) -> None:
        self.sent += count
        self.load[int(now)] += count

    def deliver(self, now: float, count: int = 1) -> None:
        self.delivered += count
        self.last_done_at = now

    def give_up(self, now: float, count: int = 1) -> None:
        self.dead += count
        self.last_done_at = now
