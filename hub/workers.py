"""Reads who works and what waits: seats, lanes, the task queue and its schedules. It changes and counts nothing big."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Count, Max, Min, Q, Sum
from django.db.models.functions import Now
from django_q.models import OrmQ, Schedule, Task

from deliveries.models import Circuit, DepthSample, Lane, Seat

DAY = timedelta(days=1)
LATE = timedelta(seconds=90)  # the scheduler looks every 30 s; two looks missed is late
STALE = timedelta(seconds=60)  # depths are sampled every 15 s while anybody dispatches
MOST_LANES = 50
MOST_TASKS = 1_000  # tasks counted in the queue; more are told as 1000+

_PERIODS = {"H": timedelta(hours=1), "D": DAY, "W": timedelta(weeks=1), "BW": timedelta(weeks=2)}


@dataclass(frozen=True, kw_only=True, slots=True)
class SeatRow:
    number: int
    state: str
    host: str
    pid: int | None
    taken_at: datetime | None
    seen_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Totals:
    """Over all lanes. `sampled_at` is None while nothing was sampled."""

    pending: int
    due: int
    dead: int
    oldest_due_at: datetime | None
    sampled_at: datetime | None
    is_stale: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class ScheduleRow:
    name: str
    function: str
    every: str
    last_run: datetime | None
    next_run: datetime | None
    is_late: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskQueue:
    """`waiting` and `running` count up to MOST_TASKS."""

    waiting: int
    running: int
    is_cut: bool


def seats() -> list[SeatRow]:
    rows = Seat.objects.annotate(is_leased=Q(leased_until__gt=Now())).order_by("number")
    return [
        SeatRow(
            number=seat.number,
            state=_state(seat),
            host=seat.host.partition(" ")[0],
            pid=seat.pid,
            taken_at=seat.taken_at,
            seen_at=seat.seen_at,
        )
        for seat in rows
    ]


def working(rows: Sequence[SeatRow]) -> str:
    """How many dispatchers there are, of how many there should be."""
    return f"{sum(row.state == 'working' for row in rows)} of {settings.HUB_SEATS}"


def lanes_by_circuit() -> list[tuple[str, str, int]]:
    """Value, name and count of every state, those without a lane too."""
    counts = dict(Lane.objects.order_by().values_list("circuit").annotate(Count("pk")))
    return [(value, name, counts.get(value, 0)) for value, name in Circuit.choices]


def totals(now: datetime) -> Totals:
    sums = DepthSample.objects.aggregate(
        pending=Sum("pending"), due=Sum("due"), dead=Sum("dead"),
        oldest=Min("oldest_due_at"), at=Max("sampled_at"),
    )  # fmt: skip
    return Totals(
        pending=sums["pending"] or 0,
        due=sums["due"] or 0,
        dead=sums["dead"] or 0,
        oldest_due_at=sums["oldest"],
        sampled_at=sums["at"],
        is_stale=sums["at"] is not None and sums["at"] < now - STALE,
    )


def deepest_lanes() -> list[DepthSample]:
    """Those with work, the one that has waited longest first."""
    rows = DepthSample.objects.filter(Q(pending__gt=0) | Q(dead__gt=0))
    rows = rows.select_related("subscription__lane").defer("subscription__headers")
    return list(rows.order_by("oldest_due_at", "-pending", "pk")[:MOST_LANES])


def task_queue(now: datetime) -> TaskQueue:
    locks = list(OrmQ.objects.order_by().values_list("lock", flat=True)[: MOST_TASKS + 1])
    running = sum(lock is not None and lock > now for lock in locks)
    return TaskQueue(waiting=len(locks) - running, running=running, is_cut=len(locks) > MOST_TASKS)


def failures(now: datetime) -> list[dict[str, object]]:
    """Tasks that failed within a day, by function. Successes are not kept, so the table is small."""
    failed = Task.objects.filter(success=False, stopped__gt=now - DAY).order_by()
    grouped = failed.values("func").annotate(count=Count("pk"), last=Max("stopped"))
    return list(grouped.order_by("-count", "func"))


def schedules(now: datetime) -> list[ScheduleRow]:
    return [
        ScheduleRow(
            name=row.name or row.func,
            function=row.func,
            every=_every(row),
            last_run=_last_run(row),
            next_run=row.next_run,
            is_late=row.next_run is not None and row.repeats != 0 and row.next_run < now - LATE,
        )
        for row in Schedule.objects.order_by("name", "pk")
    ]


def _state(seat: Seat) -> str:
    if not getattr(seat, "is_leased", False):
        return "free" if seat.leased_until is None else "lost"
    return "draining" if seat.is_draining else "working"


def _every(row: Schedule) -> str:
    if row.schedule_type == Schedule.MINUTES:
        return f"{row.minutes} min" if row.minutes != 60 else "1 h"
    return str(row.get_schedule_type_display())


def _last_run(row: Schedule) -> datetime | None:
    """django-q2 writes the next run only; the last one was a period earlier, if there was one."""
    period = (
        timedelta(minutes=row.minutes or 1) if row.schedule_type == "I" else _PERIODS.get(row.schedule_type)
    )
    last: datetime | None = row.next_run - period if row.task and period and row.next_run else None
    return last
