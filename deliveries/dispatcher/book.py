"""What a dispatcher remembers of its lanes between two turns: values only, no database, no clock of its own."""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

from deliveries.deciders.mixing import Room
from deliveries.models import Phase

LINGER_S = 2.0  # an idle lane stays ours this long: waking a sleeper costs two more transactions


@dataclass(slots=True)
class LanePage:
    """One lane in hand. `in_hand` maps the deliveries that are buffered, in flight or unsettled to their phase."""

    subscription_id: UUID
    subscriber_id: UUID
    window: int = 1
    in_hand: dict[UUID, int] = field(default_factory=dict)
    hungry: bool = True  # there may be due work that no claim has read yet
    idle_since: float = 0.0
    last_was_first: bool = False

    def room(self) -> Room:
        held = list(self.in_hand.values())
        return Room(
            window=self.window,
            firsts=held.count(Phase.FIRST),
            retries=held.count(Phase.RETRY),
            replays=held.count(Phase.REPLAY),
            last_was_first=self.last_was_first,
        )


@dataclass(slots=True)
class Book:
    """All lanes of one seat, and when to look at which of them again."""

    lanes: dict[UUID, LanePage] = field(default_factory=dict)
    _looks: list[tuple[float, UUID]] = field(default_factory=list)

    def open(self, subscription_id: UUID, subscriber_id: UUID, at: float) -> LanePage:
        page = LanePage(subscription_id=subscription_id, subscriber_id=subscriber_id, idle_since=at)
        self.lanes[subscription_id] = page
        return page

    def close(self, lanes: Iterable[UUID]) -> None:
        for lane in lanes:
            self.lanes.pop(lane, None)

    def stir(self, lanes: Iterable[UUID]) -> set[UUID]:
        """Notes that these lanes may have work; returns those that are not ours."""
        strangers = set()
        for lane in lanes:
            page = self.lanes.get(lane)
            if page is None:
                strangers.add(lane)
            else:
                page.hungry = True
        return strangers

    def stir_all(self) -> None:
        for page in self.lanes.values():
            page.hungry = True

    def look_at(self, lane: UUID, at: float) -> None:
        """Looks at the lane again at this monotonic time: a retry is due then."""
        heapq.heappush(self._looks, (at, lane))

    def stir_due(self, at: float) -> None:
        while self._looks and self._looks[0][0] <= at:
            self.stir([heapq.heappop(self._looks)[1]])

    def next_look(self) -> float | None:
        return self._looks[0][0] if self._looks else None

    def hungry(self) -> list[LanePage]:
        """Lanes worth a claim: there may be work, and there is room for it."""
        return [page for page in self.lanes.values() if page.hungry and len(page.in_hand) < page.window]

    def idle(self, at: float) -> list[UUID]:
        """Lanes that have had nothing in hand for a while."""
        return [
            lane
            for lane, page in self.lanes.items()
            if not page.in_hand and not page.hungry and at - page.idle_since >= LINGER_S
        ]

    def empty(self) -> list[UUID]:
        """Lanes of which nothing is in flight: they can pass over to another seat unfelt."""
        return [lane for lane, page in self.lanes.items() if not page.in_hand]
