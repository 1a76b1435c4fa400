"""What a dispatcher remembers of its lanes between two turns: values only, no database, no clock of its own."""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import ceil
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
    is_leaving: bool = False  # above our share: it takes nothing new, and goes when it is empty

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
    _planned: set[tuple[float, UUID]] = field(default_factory=set)

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
        """Looks at the lane again at this monotonic time, or up to 0.1 s later: a retry is due then."""
        look = (ceil(at * 10) / 10, lane)
        if look not in self._planned:  # a failing lane has thousands of retries, and one look serves many
            self._planned.add(look)
            heapq.heappush(self._looks, look)

    def stir_due(self, at: float) -> None:
        while self._looks and self._looks[0][0] <= at:
            look = heapq.heappop(self._looks)
            self._planned.discard(look)
            self.stir([look[1]])

    def next_look(self) -> float | None:
        return self._looks[0][0] if self._looks else None

    def hungry(self) -> list[LanePage]:
        """Lanes worth a claim: there may be work, and there is room for it."""
        return [
            page
            for page in self.lanes.values()
            if page.hungry and not page.is_leaving and len(page.in_hand) < page.window
        ]

    def shed(self, count: int) -> None:
        """Marks this many more lanes as leaving, those with the least in hand first."""
        staying = [page for page in self.lanes.values() if not page.is_leaving]
        for page in sorted(staying, key=lambda page: len(page.in_hand))[:count]:
            page.is_leaving = True

    def idle(self, at: float) -> list[UUID]:
        """Lanes that have had nothing in hand for a while."""
        return [
            lane
            for lane, page in self.lanes.items()
            if not page.in_hand and not page.hungry and at - page.idle_since >= LINGER_S
        ]

    def staying(self) -> int:
        return sum(not page.is_leaving for page in self.lanes.values())

    def leaving(self, *, all_of_them: bool) -> list[UUID]:
        """Lanes to let go, of which nothing is in flight: they pass over to another seat unfelt."""
        return [
            lane for lane, page in self.lanes.items() if not page.in_hand and (page.is_leaving or all_of_them)
        ]
