"""One turn of a dispatcher at the database: settle, route, take lanes, claim, let lanes sleep, in that order.

It runs on one connection in one thread, so a claim never reads what a settle is still writing. It opens no
socket and sends nothing; what there is to send it hands back.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from deliveries.models import Phase
from webhooks import wake

from . import claims, lanes, orders, router, settlement
from .book import Book, LanePage
from .jobs import Job, Unsendable, prepare
from .routes import Routes
from .seats import Holding, live_seats

BYTES_IN_HAND = 64 * 1024 * 1024  # bodies held in memory at once, whatever the number of lanes


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What the loop asks of a turn."""

    results: Sequence[settlement.Result]
    look_for_events: bool
    look_for_lanes: bool
    is_draining: bool
    now: datetime


@dataclass(kw_only=True, slots=True)
class Yield:
    """What a turn came to. `opened` and `windows` tell the loop how the lanes stand now."""

    settled: bool = False
    freed: list[UUID] = field(default_factory=list)
    jobs: list[Job | Unsendable] = field(default_factory=list)
    opened: list[LanePage] = field(default_factory=list)
    windows: dict[UUID, int] = field(default_factory=dict)
    closed: set[UUID] = field(default_factory=set)
    more_events: bool = False
    next_wake: datetime | None = None
    looked_for_lanes: bool = False


@dataclass(slots=True)
class Desk:
    """Where turns are taken. It owns the book: nobody else touches it while a turn runs."""

    holding: Holding
    book: Book = field(default_factory=Book)
    bytes_in_hand: int = 0
    _routes: Routes = field(default_factory=Routes)
    _orders: dict[UUID, orders.Orders] = field(default_factory=dict)

    def turn(self, wish: Wish, out: Yield) -> None:
        """Fills `out` step by step, each step a transaction of its own.

        Raises SeatLost when the seat is another's, and the database's errors: what `out` holds then is done,
        and the rest was not begun or was rolled back.
        """
        self._settle(wish, out)
        look_for_lanes = wish.look_for_lanes
        if not wish.is_draining:
            if wish.look_for_events:
                look_for_lanes |= self._route(wish.now, out)
            if look_for_lanes:
                self._share(wish.now, out)
            self._claim(wish.now, out)
        self._rest(wish, out)
        if look_for_lanes or out.closed:
            out.next_wake, out.looked_for_lanes = lanes.next_wake(wish.now), True

    def _settle(self, wish: Wish, out: Yield) -> None:
        if not wish.results:
            return
        settlement.settle(holding=self.holding, results=wish.results, now=wish.now)
        out.settled = True
        clock = time.monotonic()
        for result in wish.results:
            row, decision = result.job.row, result.decision
            self._put_down(row, clock)
            if result.took_slot:
                out.freed.append(row.lane_id)
            for at in (decision.due_at, decision.lane_not_before):
                if at is not None:
                    self.book.look_at(row.lane_id, clock + max(0.0, (at - wish.now).total_seconds()))

    def _put_down(self, row: claims.Claimed, clock: float) -> None:
        self.bytes_in_hand -= row.size
        page = self.book.lanes.get(row.lane_id)
        if page is not None:
            page.in_hand.pop(row.delivery_id, None)
            page.idle_since = clock

    def _route(self, now: datetime, out: Yield) -> bool:
        """Routes a batch; whether lanes that are not ours were given work."""
        routed = router.route(holding=self.holding, routes=self._routes, now=now)
        out.more_events = routed.more
        strangers = self.book.stir(routed.lanes)
        if strangers and live_seats() > 1:
            wake.ring(wake.LANES)
        return bool(strangers)

    def _share(self, now: datetime, out: Yield) -> None:
        """Takes free lanes up to our share, and sheds what is above it as lanes empty."""
        room = lanes.quota(now) - len(self.book.lanes)
        taken = lanes.take(holding=self.holding, now=now, most=room)
        for lane in taken:
            # It is in the book already where a commit that let it go was heard of as a failure.
            if lane.subscription_id not in self.book.lanes:
                out.opened.append(self.book.open(lane.subscription_id, lane.subscriber_id, time.monotonic()))
        self._read_orders({lane.subscription_id: lane.revision for lane in taken}, now, out)
        if room < 0:
            self._release(self.book.empty()[:-room], out)

    def _read_orders(self, revisions: dict[UUID, int], now: datetime, out: Yield) -> None:
        stale = orders.stale(self._orders, revisions, now)
        if not stale:
            return
        fresh = orders.load(revisions={lane: revisions[lane] for lane in stale}, now=now)
        self._orders |= fresh
        for lane, order in fresh.items():
            self.book.lanes[lane].window = out.windows[lane] = order.window

    def _claim(self, now: datetime, out: Yield) -> None:
        hungry = self.book.hungry()
        if not hungry or self.bytes_in_hand >= BYTES_IN_HAND:
            return
        needs = {
            page.subscription_id: claims.Need(room=page.room(), in_hand=list(page.in_hand)) for page in hungry
        }
        claim = claims.claim(holding=self.holding, needs=needs, now=now)
        self._read_orders(claim.revisions, now, out)
        taken = list(self._within_memory(claim.deliveries))
        bodies, rendered = claims.bodies(taken), claims.rendered(taken)
        kept_back = {row.lane_id for row in claim.deliveries[len(taken) :]}
        for page in hungry:
            page.hungry = page.subscription_id in claim.more or page.subscription_id in kept_back
        self._pick_up(taken)
        out.jobs += [
            prepare(row, self._orders[row.lane_id], bodies=bodies, rendered=rendered) for row in taken
        ]

    def _within_memory(self, rows: Iterable[claims.Claimed]) -> Iterable[claims.Claimed]:
        total = self.bytes_in_hand
        for row in rows:
            total += row.size
            if total > BYTES_IN_HAND and total > row.size:
                return
            yield row

    def _pick_up(self, rows: Iterable[claims.Claimed]) -> None:
        for row in rows:
            page = self.book.lanes[row.lane_id]
            page.in_hand[row.delivery_id] = row.phase
            page.last_was_first = row.phase == Phase.FIRST
            self.bytes_in_hand += row.size

    def _rest(self, wish: Wish, out: Yield) -> None:
        if wish.is_draining:
            self._release(self.book.empty(), out)
            return
        idle = self.book.idle(time.monotonic())
        if idle:
            slept = lanes.sleep(holding=self.holding, lanes=idle, now=wish.now)
            self.book.stir(slept.awake)
            self._close(slept.asleep, out)

    def _release(self, empty: Sequence[UUID], out: Yield) -> None:
        if empty:
            lanes.release(holding=self.holding, lanes=empty)
            self._close(empty, out)
            wake.ring(wake.LANES)

    def _close(self, gone: Iterable[UUID], out: Yield) -> None:
        for lane in gone:
            self._orders.pop(lane, None)
            out.closed.add(lane)
        self.book.close(out.closed)

    def drop(self, jobs: Iterable[Job | Unsendable]) -> None:
        """Puts down deliveries that were claimed and never started; they stay due."""
        for job in jobs:
            self._put_down(job.row, time.monotonic())
