"""What a dispatcher remembers of its lanes between two turns: values only, no database, no clock of its own."""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import ceil
from uuid import UUID

from .pace import Pace
from .page import LanePage

LINGER_S = 2.0  # an idle lane stays ours this long: waking a sleeper costs two more transactions
FEED_S = 0.02  # between two looks for items of replays in one lane: each costs a few small reads
TOKENS_S = 0.01  # tokens that come faster are waited for together, or a fast lane would cost a turn for each


@dataclass(slots=True)
class Book:
    """All lanes of one seat, and when to look at which of them again."""

    lanes: dict[UUID, LanePage] = field(default_factory=dict)
    _looks: list[tuple[float, UUID]] = field(default_factory=list)
    _planned: set[tuple[float, UUID]] = field(default_factory=set)

    def open(self, subscription_id: UUID, subscriber_id: UUID, pace: Pace, at: float) -> LanePage:
        page = LanePage(subscription_id, subscriber_id, pace=pace, idle_since=at)
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
        self._plan((ceil(at * 10) / 10, lane))

    def _plan(self, look: tuple[float, UUID]) -> None:
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

    def hungry(self, at: float, clock: float) -> list[LanePage]:
        """Lanes worth a claim: there may be work, and room for it, and their rate allows it."""
        return [
            page
            for page in self.lanes.values()
            if page.hungry
            and not page.is_leaving
            and len(page.in_hand) < page.window
            and (page.rate_per_s is None or self._has_token(page, at, clock))
        ]

    def _has_token(self, page: LanePage, at: float, clock: float) -> bool:
        """Plans a look for when there is one, and not up to 0.1 s later: that would cost a slow lane its rate."""
        wait = page.waits_for_token(at)
        if wait and page.looks_for_token_at <= clock:
            page.looks_for_token_at = clock + max(wait, TOKENS_S)
            self._plan((page.looks_for_token_at, page.subscription_id))
        return not wait

    def to_feed(self, at: float, clock: float) -> list[LanePage]:
        """Lanes into which a replay may have something to let in; plans a look for those that must wait for it."""
        return [
            page
            for page in self.lanes.values()
            if page.runs and page.has_room_for_runs() and self._is_time_to_feed(page, at, clock)
        ]

    def _is_time_to_feed(self, page: LanePage, at: float, clock: float) -> bool:
        wait = page.waits_for_run(at) or page.rests_from_feeding(at, FEED_S)
        if page.looks_for_item_at <= clock:
            page.looks_for_item_at = clock + max(wait, FEED_S)
            self._plan((page.looks_for_item_at, page.subscription_id))
        return not wait

    def shed(self, count: int) -> list[UUID]:
        """Marks this many more lanes as leaving, those with the least in hand first; returns them."""
        staying = [page for page in self.lanes.values() if not page.is_leaving]
        shed = sorted(staying, key=lambda page: len(page.in_hand))[:count]
        for page in shed:
            page.is_leaving = True
        return [page.subscription_id for page in shed]

    def idle(self, at: float, clock: float) -> list[UUID]:
        """Lanes that have had nothing in hand for a while, and those that may send nothing for a while."""
        return [
            lane
            for lane, page in self.lanes.items()
            if not page.in_hand
            and (
                not (page.hungry or page.runs) and clock - page.idle_since >= LINGER_S
                if page.window
                else page.cools_for(at) > LINGER_S
            )
        ]

    def open_circuits(self) -> list[LanePage]:
        return [page for page in self.lanes.values() if not page.window]

    def staying(self) -> int:
        return sum(not page.is_leaving for page in self.lanes.values())

    def leaving(self, *, all_of_them: bool) -> list[UUID]:
        """Lanes to let go, of which nothing is in flight: they pass over to another seat unfelt."""
        return [
            lane for lane, page in self.lanes.items() if not page.in_hand and (page.is_leaving or all_of_them)
        ]
