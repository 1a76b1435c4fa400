"""A dispatcher's desk without its loop: a test hands it the time and says what came of each request."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from deliveries.deciders.outcome import Outcome, decide
from deliveries.dispatcher import seats, settlement
from deliveries.dispatcher.client import Exchange
from deliveries.dispatcher.jobs import Job
from deliveries.dispatcher.turn import Desk, Wish, Yield
from tests import make
from webhooks.ids import uuid7

STATUS = {Outcome.OK: 200, Outcome.SERVER_ERROR: 500, Outcome.CLIENT_ERROR: 422}


@dataclass
class Table:
    holding: seats.Holding = field(default_factory=make.seat)
    now: datetime = field(default_factory=make.now)
    jobs: list[Job] = field(default_factory=list)  # handed out and not answered yet

    def __post_init__(self) -> None:
        self.desk = Desk(self.holding)

    def pass_s(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def catch_up(self) -> None:
        """Now is now: what a service has just written is not in the future."""
        self.now = max(self.now, make.now())

    def turn(
        self,
        results: Iterable[settlement.Result] = (),
        *,
        is_draining: bool = False,
        heed_people: bool = True,
    ) -> Yield:
        """As the loop would: what an open circuit parks goes back to the desk."""
        out = Yield()
        self.desk.book.stir_all()
        wish = Wish(
            results=list(results),
            look_for_events=False,
            look_for_lanes=True,
            is_draining=is_draining,
            now=self.now,
            heed_people=heed_people,
        )
        self.desk.turn(wish, out)
        parked = [job for job in self.jobs if job.row.lane_id in out.recalled]
        self.desk.drop(parked)
        self.jobs = [job for job in self.jobs if job not in parked]
        self.jobs += [job for job in out.jobs if isinstance(job, Job)]
        return out

    def route(self) -> Yield:
        """A turn in which somebody has said that there are events."""
        out = Yield()
        wish = Wish(
            results=[],
            look_for_events=True,
            look_for_lanes=False,
            is_draining=False,
            now=make.now(),
            heed_people=False,
        )
        self.desk.turn(wish, out)
        return out

    def begin(self) -> list[Job]:
        """Takes all that was handed out, as senders do; from then on nothing calls them back."""
        begun, self.jobs = self.jobs, []
        return begun

    def answer(self, jobs: Iterable[Job], outcome: Outcome = Outcome.OK) -> Yield:
        return self.turn([self.result(job, outcome) for job in jobs])

    def result(self, job: Job, outcome: Outcome) -> settlement.Result:
        decision = decide(
            outcome=outcome,
            attempt=job.budget_attempt,
            schedule=job.orders.schedule,
            client_errors="thrice",
            now=self.now,
            first_due=job.row.budget_at,
            retry_after_s=None,
            draw=0.0,
        )
        if outcome not in STATUS:
            gone = job.unsendable("It failed by our own fault.", outcome)
            return settlement.Failed(job=gone, decision=decision, took_slot=True)
        return settlement.Tried(
            attempt_id=uuid7(),
            job=job,
            exchange=Exchange(outcome=outcome, status=STATUS[outcome]),
            request_headers={},
            started_at=self.now,
            duration_ms=1,
            decision=decision,
        )
