"""Moves the circuits of the lanes in hand, by what was settled, by the time and by what people order.

Nothing is believed before it is committed. What follows for deliveries and senders is for others to do.
"""

import random
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from deliveries.deciders.circuit import SIGNS, Sign

from . import lanes, pace, verdicts
from .book import Book
from .jobs import Job, Unsendable
from .orders import Orders
from .pace import Pace, Shift
from .page import Settled
from .seats import Holding, fence
from .settlement import Failed, Result, Tried

CLOCK_STEP_S = 1.0  # a clock that goes back further has been set, not slewed


@dataclass(slots=True)
class Pacer:
    holding: Holding
    book: Book
    is_set_back: bool = (
        True  # the wall's clock was, or may have been before we came; the sleepers were not roused
    )
    _clock_ahead: float | None = None  # of the wall's clock, before the one that never goes back

    def judge(self, results: Sequence[Result], now: datetime) -> list[Shift]:
        """What the results make of their lanes. A good one of a calm lane moves nothing, and that is nearly all."""
        pages = self.book.lanes
        told = {
            lane
            for lane, sign in ((result.job.row.lane_id, SIGNS[result.outcome]) for result in results)
            if lane in pages and (sign is not Sign.GOOD or not pages[lane].is_calm)
        }
        if not told:
            return []
        settled: dict[UUID, list[Settled]] = {lane: [] for lane in told}
        for result in results:
            if result.job.row.lane_id in told:
                settled[result.job.row.lane_id].append(_settled(result))
        shifts = (pages[lane].take_in(news, at=now, draw=_draw()) for lane, news in settled.items())
        return [shift for shift in shifts if shift]

    def count(self, results: Iterable[Result], shifts: Iterable[Shift], now: datetime) -> None:
        """Counts, once all is committed, the good results that moved nothing, and the tokens of what never left us."""
        at, moved = now.timestamp(), {shift.lane_id for shift in shifts}
        for result in results:
            lane = result.job.row.lane_id
            page = self.book.lanes.get(lane)
            if page is None:
                continue
            if page.is_calm and lane not in moved and SIGNS[result.outcome] is Sign.GOOD:
                page.answered(at)
            elif isinstance(result, Failed) and result.took_slot:
                page.spend(-1)

    def cooled(self, now: datetime) -> list[Shift]:
        """The cool-downs that are over."""
        ticks = (page.tick(now.timestamp()) for page in self.book.open_circuits())
        return [shift for shift in ticks if shift]

    def follow(self, loaded: Mapping[UUID, Orders], now: datetime) -> list[Shift]:
        """The lanes go by their new orders; what people ordered of their circuits."""
        shifts = []
        for lane, order in loaded.items():
            page, act = self.book.lanes[lane], order.act
            page.follow(order.rules, order.rate_per_s, at=now.timestamp())
            page.follow_runs(order.runs, at=now.timestamp())
            if act is None:
                continue
            if act.kept.order_done >= act.number > page.pace.order_done:
                page.accept(act.kept)
            shifts.append(page.obey(act.order, act.number, at=now.timestamp(), draw=_draw()))
        return [shift for shift in shifts if shift]

    def probes(self, jobs: Iterable[Job | Unsendable]) -> list[Shift]:
        """Those of the jobs that are the one probe of a half-open lane."""
        pages = ((self.book.lanes[job.row.lane_id], job.row.delivery_id) for job in jobs)
        return [page.probe(delivery) for page, delivery in pages if page.circuit.phase == "half_open"]

    def commit(self, shifts: Sequence[Shift], now: datetime) -> None:
        if not shifts:
            return
        with transaction.atomic():
            fence(self.holding)
            lanes.lock_to_write({shift.lane_id for shift in shifts})
            pace.write(holding=self.holding, shifts=shifts, now=now)
            verdicts.stop_where_opened({shift.lane_id for shift in shifts if shift.opens}, now)
        self.accept(shifts, now)

    def accept(self, shifts: Iterable[Shift], now: datetime) -> None:
        """What is committed holds from now on."""
        clock = time.monotonic()
        for shift in shifts:
            page = self.book.lanes[shift.lane_id]
            page.accept(shift.pace)
            if shift.opens:
                self.book.look_at(shift.lane_id, clock + page.cools_for(now.timestamp()))

    def worth_keeping(self, going: Iterable[UUID]) -> dict[UUID, Pace]:
        paces = {lane: self.book.lanes[lane].worth_keeping() for lane in going}
        return {lane: kept for lane, kept in paces.items() if kept is not None}

    def was_set_back(self, now: datetime) -> bool:
        """Whether somebody set the wall's clock back; it stays so until `is_set_back` is cleared."""
        before, self._clock_ahead = self._clock_ahead, now.timestamp() - time.monotonic()
        self.is_set_back |= before is not None and before - self._clock_ahead > CLOCK_STEP_S
        return self.is_set_back


def _settled(result: Result) -> Settled:
    attempt = result.attempt_id if isinstance(result, Tried) else None
    return Settled(result.job.row.delivery_id, SIGNS[result.outcome], attempt)


def _draw() -> float:
    return random.random()  # noqa: S311 (jitter, not a secret)
