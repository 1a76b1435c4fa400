"""A dispatcher: one asyncio loop that holds a seat, keeps many requests in flight, and takes turns at the database.

It never touches the database itself: every read and write is a turn (turn.py), in a thread of its own.
"""

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

from django.conf import settings
from django.db import Error, connections

from deliveries.deciders.address import EgressPolicy
from deliveries.deciders.outcome import Decision, Outcome, decide
from deliveries.deciders.retry import retry_after_s
from webhooks import wake
from webhooks.ids import public_id, uuid7
from webhooks.wake import EVENTS, WORK

from . import seats
from .client import Client
from .heartbeat import Heartbeat, folder, releaser, resumer, sampler
from .jobs import Job, Unsendable
from .settlement import Failed, Result, Tried
from .telling import sending
from .turn import Desk, Wish, Yield
from .turns import Turns
from .wakeups import listen

log = logging.getLogger(__name__)
T = TypeVar("T")

SWEEP_S = 1.0  # what no wake-up told is found by looking this often
STOP_LOOK_S = 0.25
LONGEST_REQUEST_S = 30.0  # no subscription may ask for more
LEASE_MARGIN_S = 5.0  # a request must be over this long before the lease is
SUCCESSOR_S = 5.0  # a successor that takes longer to sit finds the lanes let go
STOP_GRACE_S = 3.0  # on stop, what is in flight may still finish; then it is left to be sent again
DATABASE_PAUSE_S = 1.0


@dataclass
class Dispatcher:
    holding: seats.Holding
    taken_at: float
    should_stop: Callable[[], bool]
    slice_s: float
    _desk: Desk = field(init=False)
    _turns: "Turns[Job]" = field(init=False)
    _stir: asyncio.Event = field(default_factory=asyncio.Event)
    _results: list[Result] = field(default_factory=list)
    _idle_senders: deque[asyncio.Future[None]] = field(default_factory=deque)
    _senders: list[asyncio.Task[None]] = field(default_factory=list)
    _events_rang: bool = True
    _lanes_rang: bool = True
    _given: set[UUID] = field(default_factory=set)  # lanes to which another dispatcher has routed something
    _swept_at: float = 0.0
    _next_wake: datetime | None = None
    _handing_over_since: float | None = None
    _asked_at: float = 0.0
    _draining_since: float | None = None
    _stopping_since: float | None = None
    _is_troubled: bool = False

    def __post_init__(self) -> None:
        self._desk = Desk(self.holding)
        self._turns = Turns(cap=settings.HUB_IN_FLIGHT)
        self._heart = Heartbeat(self.holding, taken_at=self.taken_at, in_flight=lambda: self._turns.in_flight)
        self._chores = (sampler(), folder(), resumer(), releaser())
        self._database = ThreadPoolExecutor(max_workers=1, thread_name_prefix="weir-database")

    async def run(self) -> None:
        """Dispatches until its slice is over, it is told to stop, or its seat is lost."""
        self._heart.start()
        for chore in self._chores:
            chore.start()
        listener = asyncio.create_task(listen(self._hear))
        try:
            async with Client(EgressPolicy(allow=tuple(settings.HUB_EGRESS_ALLOW))) as self._client:
                await self._work()
        except seats.SeatLost as lost:
            log.warning("%s Its deliveries in flight will be sent again by their new owner.", lost)
        finally:
            for task in (listener, *self._senders):
                task.cancel()
            for end in await asyncio.gather(listener, *self._senders, return_exceptions=True):
                if isinstance(end, Exception):
                    log.error("A part of a dispatcher broke.", exc_info=end)
            await self._leave()

    async def _work(self) -> None:
        while not self._is_done():
            await self._until_stirred()
            await self._look_at_the_time()
            await self._take_turn()
        for sender in self._senders:
            sender.cancel()
        if self._results:  # what was answered during the last turn would otherwise be sent again
            await self._take_turn()

    # -- the database's side

    async def _take_turn(self) -> None:
        results, self._results = self._results, []
        wish, out = self._wish(results), Yield()
        failure: Exception | None = None
        try:
            await self._in_database(self._desk.turn, wish, out)
        except seats.SeatLost:
            raise
        except Exception as error:  # noqa: BLE001 (whatever it was, there are other lanes to serve)
            failure = error
            if not out.settled:
                self._results = results + self._results
            self._events_rang = self._lanes_rang = True
        self._apply(out)
        if failure:
            self._complain(failure)
            await self._pause()
        else:
            self._is_troubled = False

    async def _in_database(self, work: Callable[..., T], *args: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._database, work, *args)

    def _complain(self, failure: Exception) -> None:
        if self._is_troubled:
            return
        self._is_troubled = True
        if isinstance(failure, Error):
            said = str(failure).strip()
            log.warning("The database failed a dispatcher; trying again each second. It said: %s", said)
        else:
            log.error("A dispatcher's turn failed; trying again each second.", exc_info=failure)

    def _wish(self, results: list[Result]) -> Wish:
        now = datetime.now(UTC)
        clock = time.monotonic()
        sweep = clock - self._swept_at >= SWEEP_S
        if sweep:
            self._swept_at = clock
        wish = Wish(
            results=results,
            look_for_events=self._events_rang or sweep,
            look_for_lanes=self._lanes_rang or sweep or self._is_past(self._next_wake, now),
            is_draining=self._draining_since is not None,
            now=now,
            heed_people=self._lanes_rang or sweep,
        )
        if self._lanes_rang or sweep:
            self._desk.book.stir_all()
        self._desk.book.stir(self._given)
        self._desk.book.stir_due(clock)
        self._events_rang = self._lanes_rang = False
        self._given = set()
        return wish

    def _apply(self, out: Yield) -> None:
        for page in out.opened:
            self._turns.add(page.subscription_id, page.subscriber_id, page.window)
        for lane, window in out.windows.items():
            self._turns.set_window(lane, window)
        for lane in out.freed:
            self._turns.finished(lane)
        for lane in out.recalled:
            self._desk.drop(self._turns.clear(lane))
        for lane in out.closed:
            self._turns.drop(lane)
        for job in out.jobs:
            self._offer(job)
        self._events_rang |= out.more_events
        if out.looked_for_lanes:
            self._next_wake = out.next_wake
        if out.opened:
            self._widen()
        self._rouse_senders()

    def _offer(self, job: Job | Unsendable) -> None:
        if isinstance(job, Job):
            self._turns.offer(job.row.lane_id, job)
        else:
            self._fail(job)

    async def _pause(self) -> None:
        """Lets a troubled database breathe; the connection is opened anew by the next turn."""
        await self._in_database(connections.close_all)
        await asyncio.sleep(DATABASE_PAUSE_S)

    # -- the network's side

    def _widen(self) -> None:
        """Twice as many slots as lanes, so that a thousand hanging endpoints leave room for the rest."""
        cap = max(settings.HUB_IN_FLIGHT, 2 * len(self._desk.book.lanes))
        self._turns.set_cap(cap)
        while len(self._senders) < cap:
            self._senders.append(asyncio.create_task(self._send_for_ever()))

    def _rouse_senders(self) -> None:
        for _ in range(min(len(self._idle_senders), self._turns.waiting)):
            roused = self._idle_senders.popleft()
            if not roused.done():
                roused.set_result(None)

    async def _send_for_ever(self) -> None:
        while True:
            job = self._turns.take() if self._may_start() else None
            if job is None:
                roused = asyncio.get_running_loop().create_future()
                self._idle_senders.append(roused)
                await roused
            else:
                try:
                    await self._send(job)
                except Exception:
                    # Our own fault with one delivery must cost no sender and no slot.
                    log.exception(
                        "A delivery could not be sent: %s", public_id("delivery", job.row.delivery_id)
                    )
                    self._fail(job.unsendable("Weir failed to build this request."), took_slot=True)

    async def _send(self, job: Job) -> None:
        started_at, clock = datetime.now(UTC), time.monotonic()
        headers = job.headers(started_at)
        sending(job.row, job.body)
        exchange = await self._client.send(
            url=job.orders.url, headers=headers, body=job.body, timeout_s=job.orders.timeout_s
        )
        if exchange.outcome is Outcome.OWN_TROUBLE:
            self._fail(job.unsendable(exchange.error, exchange.outcome), took_slot=True)
            return
        now = datetime.now(UTC)
        quiet_s = retry_after_s(exchange.retry_after, now) if exchange.retry_after else None
        self._finish(
            Tried(
                attempt_id=uuid7(),
                job=job,
                exchange=exchange,
                request_headers=job.shown_headers(headers),
                started_at=started_at,
                duration_ms=round((time.monotonic() - clock) * 1000),
                decision=self._decide(job, exchange.outcome, now, quiet_s),
            )
        )

    def _fail(self, job: Unsendable, *, took_slot: bool = False) -> None:
        decision = self._decide(job, job.outcome, datetime.now(UTC), None)
        self._finish(Failed(job=job, decision=decision, took_slot=took_slot))

    def _decide(
        self, job: Job | Unsendable, outcome: Outcome, now: datetime, quiet_s: float | None
    ) -> Decision:
        return decide(
            outcome=outcome,
            attempt=job.budget_attempt,
            schedule=job.orders.schedule,
            client_errors=job.orders.client_errors,
            now=now,
            first_due=job.row.budget_at,
            retry_after_s=quiet_s,
            draw=random.random(),  # noqa: S311 (jitter, not a secret)
        )

    def _finish(self, result: Result) -> None:
        self._results.append(result)
        self._stir.set()

    # -- time

    def _hear(self, channel: str, lanes: frozenset[UUID]) -> None:
        if channel == EVENTS:
            self._events_rang = True
        elif channel == WORK:
            self._given |= lanes
        else:
            self._lanes_rang = True
        self._stir.set()

    async def _until_stirred(self) -> None:
        if not (self._events_rang or self._lanes_rang or self._given or self._results):
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stir.wait(), self._patience())
        self._stir.clear()

    def _patience(self) -> float:
        """How long nothing can be due: until the next retry we know of, the next sleeper, or the next look."""
        waits = [STOP_LOOK_S]
        look = self._desk.book.next_look()
        if look is not None:
            waits.append(look - time.monotonic())
        if self._next_wake is not None:
            waits.append((self._next_wake - datetime.now(UTC)).total_seconds())
        return max(0.0, min(waits))

    def _is_past(self, at: datetime | None, now: datetime) -> bool:
        return at is not None and at <= now

    def _may_start(self) -> bool:
        """Whether a request begun now is surely over before someone else may hold our lanes."""
        longest = LONGEST_REQUEST_S + LEASE_MARGIN_S
        return self._draining_since is None and time.monotonic() + longest < self._heart.lease_end

    async def _look_at_the_time(self) -> None:
        if self._heart.is_lost:
            raise seats.SeatLost(f"Seat {self.holding.number} was lost.")
        clock = time.monotonic()
        if self.should_stop():
            self._stopping_since = self._stopping_since or clock
            self._drain()
        elif self._handing_over_since is not None:
            if clock - self._handing_over_since >= SUCCESSOR_S or await self._is_succeeded(clock):
                self._drain()
        elif clock - self.taken_at >= self.slice_s:
            self._handing_over_since = clock
            await self._in_database(_ask, partial(_hand_over, self.holding))

    async def _is_succeeded(self, clock: float) -> bool:
        if clock - self._asked_at < STOP_LOOK_S:
            return False
        self._asked_at = clock
        return await self._in_database(_ask, seats.is_succeeded)

    def _drain(self) -> None:
        """From now on nothing is begun."""
        if self._draining_since is None:
            self._draining_since = time.monotonic()
            for lane in self._desk.book.lanes:
                self._desk.drop(self._turns.clear(lane))

    def _is_done(self) -> bool:
        if self._draining_since is None:
            return False
        if not self._desk.book.lanes and not self._results:
            return True
        clock = time.monotonic()
        if self._stopping_since is not None and clock - self._stopping_since >= STOP_GRACE_S:
            return True
        return clock - self._draining_since >= settings.HUB_DRAIN_S

    async def _leave(self) -> None:
        self._heart.stop()
        for chore in self._chores:
            chore.stop()
        await self._in_database(_ask, partial(seats.leave, self.holding))
        await self._in_database(connections.close_all)
        self._database.shutdown()
        wake.ring(wake.LANES)


def _hand_over(holding: seats.Holding) -> bool:
    """From now on a successor may sit; until it does, we go on. If this fails, the schedule starts one."""
    seats.drain(holding)
    seats.queue_dispatcher()
    return True


def _ask(question: Callable[[], object]) -> bool:
    """What a dispatcher can do without: with the database away, the answer is no."""
    with suppress(Error):
        return bool(question())
    return False
