"""Reads from slices how a list's selection came about over its time: what was delivered, failed for now, and died.

Slices know the subscription, the time and what came of attempts. A selection by anything else has no course.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from deliveries.deciders.delivery_query import DeliveryQuery, Status
from deliveries.models.rollup import EVERY

from .rollups import Figures, Window, series

# Step in seconds for selections up to so long, and how long slices that fine are kept.
STEPS: Final = (
    (timedelta(hours=2), 60, timedelta(days=2)),
    (timedelta(days=1), 900, timedelta(days=8)),
    (timedelta(days=4), 3_600, timedelta(days=396)),
    (timedelta(days=31), 43_200, timedelta(days=396)),
)
TOLD: Final = {
    Status.DELIVERED: "delivered",
    Status.RETRYING: "retried",
    Status.DEAD: "dead",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class CourseStep:
    """One step of time, and the selection narrowed to it."""

    start: datetime
    end: datetime
    counts: Sequence[int]
    query: DeliveryQuery
    is_unfinished: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Course:
    """`names` are figures, as many as each step has counts. Without steps: the slices cannot tell."""

    names: Sequence[str] = ()
    steps: Sequence[CourseStep] = ()


def course_of(query: DeliveryQuery, now: datetime) -> Course:
    names, window = _names(query), _window(query, now)
    if not names or window is None or not _is_told(query):
        return Course()
    subscription = query.subscriptions[0] if query.subscriptions else EVERY
    found = series(window, subscription)
    if not any(_counts(figures, names) != [0] * len(names) for _, figures in found):
        return Course()
    step = timedelta(seconds=window.step_s)
    first = query.first_page()
    return Course(
        names=names,
        steps=[
            CourseStep(
                start=start,
                end=start + step,
                counts=_counts(figures, names),
                query=replace(first, since="all", start=start, end=start + step),
                is_unfinished=start + step > now,
            )
            for start, figures in found
        ],
    )


def _names(query: DeliveryQuery) -> list[str]:
    if not query.statuses:
        return list(TOLD.values())
    return [name for status, name in TOLD.items() if status in query.statuses]


def _is_told(query: DeliveryQuery) -> bool:
    plain = DeliveryQuery(
        statuses=query.statuses,
        subscriptions=query.subscriptions[:1],
        since=query.since,
        start=query.start,
        end=query.end,
        oldest_first=query.oldest_first,
    )
    return query.first_page() == plain


def _window(query: DeliveryQuery, now: datetime) -> Window | None:
    begins, ends = query.begins(now), min(query.end or now, now)
    if begins is None or begins >= ends:
        return None
    for longest, step_s, kept in STEPS:
        if ends - begins <= longest and now - begins <= kept:
            since = int(begins.timestamp()) // step_s * step_s
            until = -(-int(ends.timestamp()) // step_s) * step_s
            return Window(
                since=datetime.fromtimestamp(since, UTC),
                until=datetime.fromtimestamp(until, UTC),
                step_s=step_s,
            )
    return None


def _counts(figures: Figures, names: Sequence[str]) -> list[int]:
    return [int(getattr(figures, name)) for name in names]
