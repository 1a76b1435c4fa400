"""Reads how the hub stands now: lanes with their last samples, seats, replays under way. It reads no big table."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection
from django.db.models import Count, F, Sum
from django.db.models.functions import Now

from deliveries.models import Circuit, Hold, Lane, Replay, Seat, Subscription
from deliveries.services.replay_counts import ON_ITS_WAY
from webhooks.models import Event, EventState

_STILL = frozenset({Circuit.OPEN.value, Circuit.HALF_OPEN.value})


class LaneNow(NamedTuple):
    """A lane, and how deep it was when last sampled; None where it never was."""

    subscription_id: UUID
    circuit: str
    hold: str
    seat: int | None
    pending: int | None
    due: int | None
    oldest_due_at: datetime | None
    dead: int | None
    oldest_dead_at: datetime | None
    sampled_at: datetime | None

    @property
    def is_parked(self) -> bool:
        """Held by a person or by its circuit, so that nothing in it moves."""
        return self.hold != Hold.NONE or self.circuit in _STILL


class SeatNow(NamedTuple):
    """A seat that somebody holds, or held and lost. Both times are the database's."""

    number: int
    is_live: bool
    is_draining: bool
    silent_s: float
    in_flight: int


class Named(NamedTuple):
    subscription_id: UUID
    name: str
    subscriber: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplaysNow:
    """Of those under way: how many in each state, and their items by where these are."""

    by_state: dict[str, int]
    items: dict[str, int]


def lanes() -> list[LaneNow]:
    """In the order their subscriptions were made in."""
    depth = (
        F(f"subscription__depth__{name}")
        for name in ("pending", "due", "oldest_due_at", "dead", "oldest_dead_at", "sampled_at")
    )
    rows = Lane.objects.order_by("pk").values_list("pk", "circuit", "hold", "seat_id", *depth)
    return [LaneNow(*row) for row in rows]


def names() -> list[Named]:
    rows = Subscription.objects.order_by("pk").values_list("pk", "name", "subscriber__name")
    return [Named(*row) for row in rows]


def seats() -> list[SeatNow]:
    taken = Seat.objects.filter(leased_until__isnull=False, seen_at__isnull=False).annotate(now=Now())
    rows: Iterable[tuple[Any, ...]] = taken.order_by("number").values_list(
        "number", "leased_until", "is_draining", "seen_at", "in_flight", "now"
    )
    return [
        SeatNow(
            number=number,
            is_live=until > now,
            is_draining=is_draining,
            silent_s=max(0.0, (now - seen_at).total_seconds()),
            in_flight=in_flight,
        )
        for number, until, is_draining, seen_at, in_flight, now in rows
    ]


def replays() -> ReplaysNow:
    under_way = Replay.objects.filter(state__in=ON_ITS_WAY).order_by().values("state")
    names = ("total", "admitted", "delivered", "failed", "skipped", "discarded", "returned")
    by_state, sums = {}, dict.fromkeys(names, 0)
    rows: Iterable[Any] = under_way.annotate(
        number=Count("pk"), **{f"sum_{name}": Sum(name) for name in names}
    )
    for row in rows:
        by_state[row["state"]] = row["number"]
        for name in names:
            sums[name] += row[f"sum_{name}"]
    total = sums.pop("total")
    return ReplaysNow(by_state=by_state, items={"waiting": total - sum(sums.values()), **sums})


def oldest_unrouted_at() -> datetime | None:
    """Since when it could have been routed: what was published for later waits for no router before."""
    waiting = Event.objects.filter(state=EventState.RECEIVED).order_by("id")
    times = waiting.values_list("received_at", "deliver_at").first()
    return max(at for at in times if at) if times else None


def database_bytes() -> int:
    sql = (
        "SELECT pg_database_size(current_database())"
        if connection.vendor == "postgresql"
        else "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return int(cursor.fetchone()[0])


def age_s(since: datetime | None, now: datetime | None = None) -> float:
    """Nought where there is nothing to have an age."""
    return 0.0 if since is None else max(0.0, ((now or datetime.now(UTC)) - since).total_seconds())
