"""Reads subscriptions as their list shows them: from small tables and rollups, in a constant number of questions.

There are thousands at most, so they are sorted here; only those of the page are drawn. It reads no delivery.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

from django.db.models import F

from deliveries.deciders.subscription_query import STATES, TROUBLE, SubscriptionQuery, fits, standing
from deliveries.models import Subscription
from webhooks.ids import parse_id

from . import rollups
from .rollups import Figures, Window

PAGE: Final = 40
HOUR_S: Final = 3_600
SHARE: Final = 0.95
NEEDS_FIGURES: Final = frozenset(
    {"success", "p95"}
)  # columns by which no page can be cut before they are summed


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """`figures` and `strip` are of the last 24 hours; the strip has one step an hour."""

    id: UUID
    name: str
    url: str
    host: str
    subscriber_id: UUID
    subscriber: str
    hold: str
    circuit: str
    state: str
    rate_per_s: float | None
    dead: int
    waiting: int
    figures: Figures = Figures()
    strip: Sequence[Figures] = ()

    @property
    def p95(self) -> float | None:
        return self.figures.latency(SHARE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    """`total` counts what matches; `states` counts every subscription by filter."""

    rows: Sequence[Row]
    total: int
    page: int
    states: dict[str, int]


def listed(query: SubscriptionQuery, now: datetime) -> Listed:
    every = _every()
    found = [row for row in every if _matches(row, query)]
    window = last_day(now)
    column = query.sort.removeprefix("-")
    figures = rollups.of(window, [row.id for row in found]) if column in NEEDS_FIGURES else {}
    found = _ordered(_with(found, figures), query.sort)
    last = max(1, -(-len(found) // PAGE))
    page = min(query.page, last)
    return Listed(
        rows=_drawn(found[(page - 1) * PAGE : page * PAGE], window, has_figures=column in NEEDS_FIGURES),
        total=len(found),
        page=page,
        states={
            state: sum(fits(state, hold=row.hold, circuit=row.circuit) for row in every)
            for state in ("", *STATES)
        },
    )


def last_day(now: datetime) -> Window:
    """24 whole hours, the one that is under way included."""
    until = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    return Window(since=until - timedelta(hours=24), until=until, step_s=HOUR_S)


def _every() -> list[Row]:
    """Headers stay sealed: unsealing them for a list is slow and for nothing."""
    rows = Subscription.objects.order_by().annotate(
        subscriber_name=F("subscriber__name"),
        hold=F("lane__hold"),
        circuit=F("lane__circuit"),
        dead=F("depth__dead"),
        pending=F("depth__pending"),
    )
    columns = (
        "pk", "name", "url", "subscriber_id", "subscriber_name", "hold", "circuit", "rate_per_s", "dead", "pending",
    )  # fmt: skip
    return [_row(*values) for values in rows.values_list(*columns)]


def _row(
    key: UUID, name: str, url: str, subscriber_id: UUID, subscriber: str, hold: str | None, circuit: str | None,
    rate_per_s: float | None, dead: int | None, pending: int | None,
) -> Row:  # fmt: skip
    hold, circuit = hold or "", circuit or "closed"
    return Row(
        id=key,
        name=name,
        url=url,
        host=host_of(url),
        subscriber_id=subscriber_id,
        subscriber=subscriber,
        hold=hold,
        circuit=circuit,
        state=standing(hold=hold, circuit=circuit),
        rate_per_s=rate_per_s,
        dead=dead or 0,
        waiting=pending or 0,
    )


def host_of(url: str) -> str:
    """With its port where one is written; nothing of what may be secret in an address."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2]
    except ValueError:
        return ""


def _matches(row: Row, query: SubscriptionQuery) -> bool:
    if not fits(query.state, hold=row.hold, circuit=row.circuit):
        return False
    if query.subscriber and row.subscriber_id != _id("subscriber", query.subscriber):
        return False
    part = query.q.lower()
    return (
        not part
        or part in row.name.lower()
        or part in row.host.lower()
        or row.id == _id("subscription", part)
    )


def _id(kind: str, text: str) -> UUID | None:
    try:
        return parse_id(kind, text)
    except ValueError:
        return None


def _with(rows: Sequence[Row], figures: dict[UUID, Figures]) -> list[Row]:
    return [replace(row, figures=figures.get(row.id, row.figures)) for row in rows] if figures else list(rows)


def _drawn(rows: Sequence[Row], window: Window, *, has_figures: bool) -> list[Row]:
    ids: Collection[UUID] = [row.id for row in rows]
    figures = {} if has_figures else rollups.of(window, ids)
    strips = rollups.strips(window, ids)
    return [replace(row, strip=strips[row.id]) for row in _with(rows, figures)]


_KEYS: Final[dict[str, Callable[[Row], Any]]] = {
    "name": lambda row: row.name.lower(),
    "host": lambda row: row.host,
    "state": lambda row: TROUBLE.index(row.state),
    "success": lambda row: row.figures.success_rate,
    "p95": lambda row: row.p95,
    "dead": lambda row: row.dead,
    "rate": lambda row: row.rate_per_s,
}


def _ordered(rows: list[Row], sort: str) -> list[Row]:
    """What has no value in the column comes last, whichever way; ties go by name."""
    by_name = sorted(rows, key=lambda row: (row.name.lower(), row.id))
    if not sort:
        return sorted(by_name, key=lambda row: (TROUBLE.index(row.state), -row.dead))
    key = _KEYS[sort.removeprefix("-")]
    known = [row for row in by_name if key(row) is not None]
    unknown = [row for row in by_name if key(row) is None]
    return sorted(known, key=key, reverse=sort.startswith("-")) + unknown


def subscriptions_of(subscriber_id: UUID) -> list[UUID]:
    """What one subscriber has, oldest first."""
    mine = Subscription.objects.filter(subscriber_id=subscriber_id).order_by("pk")
    return list(mine.values_list("pk", flat=True))
