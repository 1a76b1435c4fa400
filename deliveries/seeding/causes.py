"""Makes up which events followed from which deliveries, so that there are cascades to look at. It writes them last."""

from collections import deque
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from deliveries.models import Cascade

from .tables import Table

SHARE: Final = 0.06  # of the events that have a cause
REMEMBERED: Final = 60  # latest deliveries of which one may be the cause
LARGEST: Final = 400  # events of one cascade
DEEPEST: Final = 6


@dataclass(frozen=True, slots=True)
class Place:
    """Where an event stands: its cascade, its depth there, and the delivery that caused it."""

    trace: str
    depth: int = 0
    cause: str | None = None


class Causes:
    def __init__(self, chance: Random) -> None:
        self.chance = chance
        self.told: deque[tuple[str, str, Place]] = deque(
            maxlen=REMEMBERED
        )  # delivery, its event, that one's place
        self.cascades: dict[str, list[Any]] = {}

    def place(self, event: str) -> Place:
        """Of an event about to be written."""
        if not self.told or self.chance.random() > SHARE:
            return Place(trace=event)
        delivery, cause_event, of = self._pick()
        cascade = self.cascades.setdefault(of.trace, [of.trace, cause_event, 1, 0])
        if cascade[2] >= LARGEST or of.depth >= DEEPEST:
            return Place(trace=event)
        cascade[2], cascade[3] = cascade[2] + 1, max(cascade[3], of.depth + 1)
        return Place(trace=of.trace, depth=of.depth + 1, cause=delivery)

    def note(self, delivery: str, event: str, place: Place) -> None:
        """A delivery that arrived, and so may cause something."""
        self.told.append((delivery, event, place))

    def write(self, at: str) -> None:
        table = Table(
            Cascade, ("trace_id", "root", "created_at", "events", "depth", "budget_spent", "quarantined")
        )
        for trace, root, events, depth in self.cascades.values():
            if events > 1:
                table.add((trace, root, at, events, depth, 0, 0))
        table.flush()

    def _pick(self) -> tuple[str, str, Place]:
        """Rather one of a cascade that has begun: few grow, and those grow large."""
        begun = [each for each in self.told if each[2].trace in self.cascades]
        return self.chance.choice(begun if begun and self.chance.random() < 0.7 else self.told)
