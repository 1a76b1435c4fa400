"""One turn of a dispatcher at the database: settle, route, take lanes, claim, let lanes sleep, in that order.

It runs on one connection in one thread, so a claim never reads what a settle is still writing. It opens no
socket and sends nothing; what there is to send it hands back.
"""

import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.db import InterfaceError, OperationalError

from deliveries.models import Phase
from deliveries.services.holds import disable_unreadable
from webhooks import wake

from . import claims, lanes, orders, router, settlement
from .book import Book, LanePage
from .jobs import Job, Unsendable, prepare
from .routes import Routes
from .seats import Holding, SeatLost, live_seats

BYTES_IN_HAND = 64 * 1024 * 1024  # bodies held in memory at once, whatever the number of lanes
TRANSFORMS_S = 0.05  # spent on transforms in one turn, while everything else at the database waits

log = logging.getLogger(__name__)


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
    look_for_lanes: bool = False
    recalled: list[UUID] = field(default_factory=list)


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

        A step that fails does not keep the others from their work, or one event that cannot be routed would
        stop everything that can be sent; the first failure is raised at the end. Raises SeatLost at once.
        """
        out.look_for_lanes = wish.look_for_lanes
        failures: list[Exception] = []
        for step in (
            self._settle,
            self._route,
            self._share,
            self._recall,
            self._claim,
            self._rest,
            self._ahead,
        ):
            try:
                step(wish, out)
            except SeatLost:
                raise
            except Exception as failure:  # noqa: BLE001 (raised below)
                failures.append(failure)
        if failures:
            raise failures[0]

    def _settle(self, wish: Wish, out: Yield) -> None:
        if not wish.results:
            return
        self._record(wish.results, wish.now)
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

    def _record(self, results: Sequence[settlement.Result], now: datetime) -> None:
        """Settles a batch; where something in it cannot be written, each by itself, and that one as a dead letter."""
        try:
            settlement.settle(holding=self.holding, results=results, now=now)
        except (SeatLost, OperationalError, InterfaceError):
            raise  # nothing is wrong with what was to be written
        except Exception:
            log.exception("A batch of %d could not be settled.", len(results))
            for result in results:
                self._record_alone(result, now)

    def _record_alone(self, result: settlement.Result, now: datetime) -> None:
        try:
            settlement.settle(holding=self.holding, results=[result], now=now)
        except (SeatLost, OperationalError, InterfaceError):
            raise
        except Exception:
            log.exception("What came of a delivery could not be written: %s", result.job.row.delivery_id)
            settlement.settle(holding=self.holding, results=[settlement.unwritable(result)], now=now)

    def _route(self, wish: Wish, out: Yield) -> None:
        if not wish.look_for_events or wish.is_draining:
            return
        routed = router.route(holding=self.holding, routes=self._routes, now=wish.now)
        out.more_events = routed.more
        strangers = self.book.stir(routed.lanes)
        out.look_for_lanes |= bool(strangers)
        if strangers and live_seats() > 1:
            wake.ring(wake.LANES)

    def _share(self, wish: Wish, out: Yield) -> None:
        """Takes free lanes up to our share, and marks for leaving what is above it."""
        if not out.look_for_lanes or wish.is_draining:
            return
        room = lanes.quota(wish.now) - self.book.staying()
        if room < 0:
            self.book.shed(-room)
        taken = lanes.take(holding=self.holding, now=wish.now, most=room, known=list(self.book.lanes))
        for lane in taken:
            out.opened.append(self.book.open(lane.subscription_id, lane.subscriber_id, time.monotonic()))
        self._read_orders({lane.subscription_id: lane.revision for lane in taken}, wish.now, out)

    def _recall(self, wish: Wish, out: Yield) -> None:
        """Notes the lanes whose waiting jobs are out of date: paused, disabled, or changed by a person."""
        if not out.look_for_lanes:
            return
        busy = [lane for lane, page in self.book.lanes.items() if page.in_hand]
        revisions = claims.moving(holding=self.holding, lanes=busy, now=wish.now) if busy else {}
        for lane in busy:
            known = self._orders.get(lane)
            if known is None or revisions.get(lane) != known.revision:
                out.recalled.append(lane)

    def _read_orders(self, revisions: dict[UUID, int], now: datetime, out: Yield) -> None:
        stale = orders.stale(self._orders, revisions, now)
        if not stale:
            return
        loaded = orders.load(revisions={lane: revisions[lane] for lane in stale}, now=now)
        self._orders |= loaded.orders
        for lane, order in loaded.orders.items():
            self.book.lanes[lane].window = out.windows[lane] = order.window
        for lane, why in loaded.broken.items():
            disable_unreadable(subscription_id=lane, now=now, why=why)

    def _claim(self, wish: Wish, out: Yield) -> None:
        now = wish.now
        hungry = self.book.hungry()
        if not hungry or wish.is_draining or self.bytes_in_hand >= BYTES_IN_HAND:
            return
        needs = {
            page.subscription_id: claims.Need(room=page.room(), in_hand=list(page.in_hand)) for page in hungry
        }
        claim = claims.claim(holding=self.holding, needs=needs, now=now)
        self._read_orders(claim.revisions, now, out)
        can_send = [row for row in claim.deliveries if row.lane_id in self._orders]
        taken = list(self._within_memory(can_send))
        jobs = self._prepared(taken)
        kept_back = {row.lane_id for row in can_send[len(jobs) :]}
        for page in hungry:
            page.hungry = page.subscription_id in claim.more or page.subscription_id in kept_back
        self._pick_up(taken[: len(jobs)])
        out.jobs += jobs

    def _prepared(self, rows: Sequence[claims.Claimed]) -> list[Job | Unsendable]:
        """As many jobs, from the first, as a moment's time allows: a costly transform makes its own lane wait."""
        bodies, rendered = claims.bodies(rows), claims.rendered(rows)
        deadline = time.monotonic() + TRANSFORMS_S
        jobs: list[Job | Unsendable] = []
        for row in rows:
            jobs.append(prepare(row, self._orders[row.lane_id], bodies=bodies, rendered=rendered))
            if time.monotonic() > deadline:
                break
        return jobs

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
        """Lets go what leaves, and puts to sleep what is idle."""
        leaving = self.book.leaving(all_of_them=wish.is_draining)
        if leaving:
            lanes.release(holding=self.holding, lanes=leaving)
            self._close(leaving, out)
            wake.ring(wake.LANES)
        idle = [] if wish.is_draining else self.book.idle(time.monotonic())
        if idle:
            slept = lanes.sleep(holding=self.holding, lanes=idle, now=wish.now)
            self.book.stir(slept.awake)
            self._close(slept.asleep, out)

    def _ahead(self, wish: Wish, out: Yield) -> None:
        if out.look_for_lanes or out.closed:
            out.next_wake, out.looked_for_lanes = lanes.next_wake(wish.now), True

    def _close(self, gone: Iterable[UUID], out: Yield) -> None:
        for lane in gone:
            self._orders.pop(lane, None)
            out.closed.add(lane)
        self.book.close(out.closed)

    def drop(self, jobs: Iterable[Job | Unsendable]) -> None:
        """Puts down deliveries that were claimed and never started; they stay due."""
        for job in jobs:
            self._put_down(job.row, time.monotonic())
            self.book.stir([job.row.lane_id])
