"""One turn of a dispatcher at the database: settle, route, take lanes, feed, claim, let lanes sleep, in that order.

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

from deliveries.services.holds import disable_unreadable
from webhooks import wake
from webhooks.ids import public_id

from . import claims, lanes, orders, router, settlement, undoing
from .book import Book
from .feeder import Feeder
from .jobs import Job, Unsendable, prepare
from .pace import Shift
from .pacer import Pacer
from .page import LanePage
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
    heed_people: bool = True  # they may have changed a lane that is ours


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
    woken: set[UUID] = field(default_factory=set)  # that slept, were given work, and are nobody's yet


@dataclass(slots=True)
class Desk:
    """Where turns are taken. It owns the book: nobody else touches it while a turn runs."""

    holding: Holding
    book: Book = field(default_factory=Book)
    bytes_in_hand: int = 0
    _routes: Routes = field(default_factory=Routes)
    _orders: dict[UUID, orders.Orders] = field(default_factory=dict)
    _is_short: bool = False  # the last claim had no time or memory for all it found
    _claims: int = 0
    _pacer: Pacer = field(init=False)
    _feeder: Feeder = field(init=False)

    def __post_init__(self) -> None:
        self._pacer = Pacer(self.holding, self.book)
        self._feeder = Feeder(self.holding, self.book)

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
            self._tick,
            self._feed,
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
        shifts = self._pacer.judge(wish.results, wish.now)
        written = self._record(wish.results, shifts, wish.now)
        out.settled = True
        self._pacer.accept(written, wish.now)
        self._tell(written, out)
        self._pacer.count(wish.results, shifts, wish.now)
        clock = time.monotonic()
        for result in wish.results:
            row, decision = result.job.row, result.decision
            self._put_down(row, clock)
            if result.took_slot:
                out.freed.append(row.lane_id)
            for at in (decision.due_at, decision.lane_not_before):
                if at is not None:
                    self.book.look_at(row.lane_id, clock + max(0.0, (at - wish.now).total_seconds()))
        # Who asked for quiet gets none of what still waits for a sender either.
        out.recalled += {r.job.row.lane_id for r in wish.results if r.decision.lane_not_before is not None}
        if len(written) < len(shifts):
            self._shift(shifts, wish.now, out)

    def _shift(self, shifts: Sequence[Shift], now: datetime, out: Yield) -> None:
        """Moves lanes for other reasons than what was settled."""
        self._pacer.commit(shifts, now)
        self._tell(shifts, out)

    def _tell(self, shifts: Iterable[Shift], out: Yield) -> None:
        """What an open circuit parks is called back from the senders."""
        for shift in shifts:
            out.windows[shift.lane_id] = self.book.lanes[shift.lane_id].window
            if shift.opens:
                out.recalled.append(shift.lane_id)

    def _put_down(self, row: claims.Claimed, clock: float) -> None:
        self.bytes_in_hand -= row.size
        page = self.book.lanes.get(row.lane_id)
        if page is not None:
            page.put_down(row.delivery_id, row.size, clock)

    def _record(
        self, results: Sequence[settlement.Result], shifts: Sequence[Shift], now: datetime
    ) -> Sequence[Shift]:
        """Settles a batch; where something in it cannot be written, each by itself, and that one as a dead letter.

        Returns the shifts that were written with it.
        """
        try:
            settlement.settle(holding=self.holding, results=results, now=now, shifts=shifts)
            return shifts
        except (SeatLost, OperationalError, InterfaceError):
            raise  # nothing is wrong with what was to be written
        except Exception:
            log.exception("A batch of %d could not be settled.", len(results))
            for result in results:
                self._record_alone(result, now)
            return ()

    def _record_alone(self, result: settlement.Result, now: datetime) -> None:
        try:
            settlement.settle(holding=self.holding, results=[result], now=now)
        except (SeatLost, OperationalError, InterfaceError):
            raise
        except Exception:
            name = public_id("delivery", result.job.row.delivery_id)
            log.exception("What came of a delivery could not be written: %s", name)
            settlement.settle(holding=self.holding, results=[settlement.unwritable(result)], now=now)

    def _route(self, wish: Wish, out: Yield) -> None:
        if not wish.look_for_events or wish.is_draining:
            return
        routed = router.route(holding=self.holding, routes=self._routes, now=wish.now)
        out.more_events = routed.more
        strangers = self.book.stir(routed.lanes)
        out.woken = strangers & routed.woken
        out.look_for_lanes |= bool(out.woken)
        if (served := strangers - out.woken) and live_seats() > 1:
            wake.ring(wake.WORK, served)

    def _share(self, wish: Wish, out: Yield) -> None:
        """Takes free lanes up to our share, and marks for leaving what is above it."""
        if not out.look_for_lanes or wish.is_draining:
            return
        room = lanes.quota(wish.now) - self.book.staying()
        if room < 0:
            # Its next owner need wait for what is in flight alone, and not for what waits here for a sender.
            out.recalled += self.book.shed(-room)
        taken = lanes.take(holding=self.holding, now=wish.now, most=room, known=list(self.book.lanes))
        for lane in taken:
            page = self.book.open(lane.subscription_id, lane.subscriber_id, lane.pace, time.monotonic())
            out.opened.append(page)
        self._read_orders({lane.subscription_id: lane.revision for lane in taken}, wish.now, out)
        if out.woken - self.book.lanes.keys() and live_seats() > 1:
            wake.ring(wake.LANES)

    def _recall(self, wish: Wish, out: Yield) -> None:
        """Looks what people have changed, and notes the lanes whose waiting jobs are out of date."""
        if not wish.heed_people or not self.book.lanes:
            return
        standing = lanes.standing(holding=self.holding, lanes=list(self.book.lanes), now=wish.now)
        changed = {}
        for lane, page in self.book.lanes.items():
            stands, known = standing.get(lane), self._orders.get(lane)
            is_current = known is not None and stands is not None and stands.revision == known.revision
            if page.in_hand and not (is_current and stands and stands.may_send):
                out.recalled.append(lane)
            if stands is not None and not is_current:
                changed[lane] = stands.revision
        self._read_orders(changed, wish.now, out)

    def _tick(self, wish: Wish, out: Yield) -> None:
        """Ends the cool-downs that are over."""
        if self._pacer.was_set_back(wish.now):
            roused = lanes.rouse_belated(wish.now)
            self._pacer.is_set_back = False  # not before that is committed: nobody else will notice
            if roused:
                out.look_for_lanes = True
                wake.ring(wake.LANES)
        if not wish.is_draining:
            self._shift(self._pacer.cooled(wish.now), wish.now, out)

    def _read_orders(self, revisions: dict[UUID, int], now: datetime, out: Yield) -> None:
        stale = orders.stale(self._orders, revisions, now)
        if not stale:
            return
        loaded = orders.load(revisions={lane: revisions[lane] for lane in stale}, now=now)
        # What waits under other orders is called back: the new ones may want another delivery first.
        out.recalled += [lane for lane in loaded.orders if self._has_changed(lane, revisions[lane])]
        shifts = self._pacer.follow(loaded.orders, now)
        out.windows |= {lane: self.book.lanes[lane].window for lane in loaded.orders}
        self._shift(shifts, now, out)
        self._orders |= loaded.orders
        for lane, why in loaded.broken.items():
            disable_unreadable(subscription_id=lane, now=now, why=why)

    def _has_changed(self, lane: UUID, revision: int) -> bool:
        known = self._orders.get(lane)
        return known is not None and known.revision != revision

    def _feed(self, wish: Wish, out: Yield) -> None:
        """Lets items of replays in, before the claim that may take them."""
        if not wish.is_draining:
            self._feeder.feed(wish.now)

    def _claim(self, wish: Wish, out: Yield) -> None:
        now = wish.now
        hungry = self.book.hungry(now.timestamp(), time.monotonic())
        if not hungry or wish.is_draining or self.bytes_in_hand >= BYTES_IN_HAND:
            return
        lanes_asked = [page.subscription_id for page in hungry]
        revisions = claims.moving(holding=self.holding, lanes=lanes_asked, now=now)
        self._read_orders(revisions, now, out)  # first, since they say which delivery is next
        needs = {
            page.subscription_id: self._need(page)
            for page in hungry
            if page.subscription_id in revisions and page.subscription_id in self._orders
        }
        claim = claims.claim(holding=self.holding, needs=needs, now=now)
        found = claim.deliveries
        if self._is_short:  # in turn by last served, or a lane that takes it all would take it all again
            found = sorted(found, key=lambda row: self.book.lanes[row.lane_id].served)
        jobs = self._taken_up(self._prepared(list(self._within_memory(found))), now)
        self._shift(self._pacer.probes(jobs), now, out)
        taken = {job.row.delivery_id for job in jobs}
        kept_back = {row.lane_id for row in found if row.delivery_id not in taken}
        for page in hungry:
            page.hungry = page.subscription_id in claim.more or page.subscription_id in kept_back
            page.waits = page.subscription_id in claim.waiting
        self._is_short = bool(kept_back)
        self._pick_up(jobs)
        out.jobs += jobs

    def _need(self, page: LanePage) -> claims.Need:
        known = self._orders[page.subscription_id]
        return claims.Need(
            room=page.room(),
            in_hand=list(page.in_hand),
            is_ordered=known.is_ordered,
            latest_only=known.latest_only,
        )

    def _prepared(self, rows: Sequence[claims.Claimed]) -> list[Job | Unsendable]:
        """As many jobs, from the first, as a moment's time allows: a costly transform makes its own lane wait."""
        bodies, rendered = claims.bodies(rows), claims.rendered(rows)
        told = claims.told(row for row in rows if self._orders[row.lane_id].is_cloudevents)
        deadline = time.monotonic() + TRANSFORMS_S
        jobs: list[Job | Unsendable] = []
        for row in rows:
            jobs.append(prepare(row, self._orders[row.lane_id], bodies=bodies, rendered=rendered, told=told))
            if time.monotonic() > deadline:
                break
        return jobs

    def _taken_up(self, jobs: list[Job | Unsendable], now: datetime) -> list[Job | Unsendable]:
        """Without those that a person undid meanwhile."""
        undone = undoing.take_up(holding=self.holding, rows=(job.row for job in jobs), now=now)
        return [job for job in jobs if job.row.delivery_id not in undone] if undone else jobs

    def _within_memory(self, rows: Iterable[claims.Claimed]) -> Iterable[claims.Claimed]:
        """A lane takes more than one body and its share of half of the memory only while half of it is free.

        So a lane whose endpoint hangs over large bodies leaves the others room for theirs.
        """
        total = self.bytes_in_hand
        share = BYTES_IN_HAND // 2 // max(1, len(self.book.lanes))
        held: dict[UUID, int] = {}
        full: set[UUID] = set()
        for row in rows:
            lane, after = row.lane_id, total + row.size
            own = held[lane] if lane in held else self.book.lanes[lane].size
            is_modest = not own or own + row.size <= share or after <= BYTES_IN_HAND // 2
            if lane in full or not (is_modest and (after <= BYTES_IN_HAND or not total)):
                full.add(lane)
                continue
            held[lane], total = own + row.size, after
            yield row

    def _pick_up(self, jobs: Iterable[Job | Unsendable]) -> None:
        self._claims += 1
        for job in jobs:
            page = self.book.lanes[job.row.lane_id]
            page.pick_up(job.row.delivery_id, job.row.phase, job.row.size)
            page.served = self._claims
            if page.rate_per_s is not None and isinstance(job, Job):
                page.spend(1)
            self.bytes_in_hand += job.row.size

    def _rest(self, wish: Wish, out: Yield) -> None:
        """Lets go what leaves, and puts to sleep what is idle."""
        leaving = self.book.leaving(all_of_them=wish.is_draining)
        if leaving:
            lanes.release(holding=self.holding, lanes=leaving, paces=self._pacer.worth_keeping(leaving))
            self._close(leaving, out)
            wake.ring(wake.LANES)
        idle = [] if wish.is_draining else self.book.idle(wish.now.timestamp(), time.monotonic())
        if idle:
            slept = lanes.sleep(
                holding=self.holding, lanes=idle, now=wish.now, paces=self._pacer.worth_keeping(idle)
            )
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
            if (page := self.book.lanes.get(job.row.lane_id)) is not None:
                page.unsent(job.row.delivery_id)
                page.hungry = True
            self._put_down(job.row, time.monotonic())
