"""Reads what the leased lanes may send next. A claim writes nothing: the lease already excludes everyone else."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet

from deliveries.deciders.mixing import Room, mix
from deliveries.models import Delivery, DeliveryBody, DeliveryState, Hold, Lane, Phase
from webhooks.models import EventBody

from .seats import Holding

# The limits of the claim are written into its text: a LIMIT taken from a column makes PostgreSQL plan for the
# whole index (measured: 214 µs instead of 5 with a million deliveries parked). Few sizes mean few plans.
LIMITS = (1, 2, 4, 10, 25, 50, 100, 250)


@dataclass(frozen=True, kw_only=True, slots=True)
class Need:
    """What a lane could take now: how many per phase, and which deliveries it already has in hand."""

    room: Room
    in_hand: Collection[UUID]


class Claimed(NamedTuple):
    """One due delivery, as the claim reads it: a plain row, since thousands are made in a second."""

    delivery_id: UUID
    lane_id: UUID
    event_id: UUID
    phase: int
    attempts: int
    budget_from: int
    budget_at: datetime
    trace_id: UUID
    size: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Body:
    content: bytes
    content_type: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """`revisions` names every lane that may move, with what a person last changed; `more` those with work left."""

    deliveries: list[Claimed]
    revisions: dict[UUID, int]
    more: frozenset[UUID]


def claim(*, holding: Holding, needs: Mapping[UUID, Need], now: datetime) -> Claim:
    """For each lane that is ours and may move its next deliveries by phase, never one that is in hand already."""
    revisions = moving(holding=holding, lanes=needs, now=now)
    rows: dict[UUID, list[Claimed]] = {lane: [] for lane in revisions}
    for row in _due(revisions, needs, now):
        rows[row.lane_id].append(row)
    chosen: list[Claimed] = []
    more: set[UUID] = set()
    for lane, found in rows.items():
        queues = [[row for row in found if row.phase == phase] for phase in Phase]
        taken = mix(needs[lane].room, queues)
        chosen += taken
        limit = _limit(needs[lane].room.total)
        if len(found) > len(taken) or any(len(queue) == limit for queue in queues):
            more.add(lane)
    return Claim(deliveries=chosen, revisions=revisions, more=frozenset(more))


def bodies(claimed: Iterable[Claimed]) -> dict[UUID, Body]:
    """The events' exact bytes, each once, however many deliveries carry it."""
    events = {row.event_id for row in claimed}
    rows = EventBody.objects.filter(event_id__in=events).values_list("event_id", "body", "content_type")
    return {event: Body(content=bytes(body), content_type=kind) for event, body, kind in rows}


def rendered(claimed: Iterable[Claimed]) -> dict[UUID, bytes]:
    """What a transform made of deliveries that were tried before."""
    tried = [row.delivery_id for row in claimed if row.attempts]
    rows = (
        DeliveryBody.objects.filter(delivery_id__in=tried).values_list("delivery_id", "body") if tried else ()
    )
    return {delivery: bytes(body) for delivery, body in rows}


def moving(*, holding: Holding, lanes: Collection[UUID], now: datetime) -> dict[UUID, int]:
    """Those of the lanes that are ours and may send, with their revision."""
    ours = Q(seat_id=holding.number, seat_epoch=holding.epoch, hold=Hold.NONE)
    quiet_over = Q(not_before__isnull=True) | Q(not_before__lte=now)
    found = Lane.objects.filter(ours, quiet_over, subscription_id__in=list(lanes))
    return dict(found.values_list("subscription_id", "revision"))


def _due(lanes: Collection[UUID], needs: Mapping[UUID, Need], now: datetime) -> Iterator[Claimed]:
    if connection.vendor != "postgresql":
        yield from _read_one_by_one(lanes, needs, now)
        return
    by_limit: dict[int, list[UUID]] = {}
    for lane in lanes:
        by_limit.setdefault(_limit(needs[lane].room.total), []).append(lane)
    for limit, group in by_limit.items():
        yield from _read_together(limit, group, [each for lane in group for each in needs[lane].in_hand], now)


def _limit(wanted: int) -> int:
    return next((size for size in LIMITS if size >= wanted), LIMITS[-1])


_DELIVERY = ("id", "subscription_id", "event_id", "phase", "attempts", "budget_from", "budget_at")
_EVENT = ("trace_id", "size")


@cache
def _lateral(limit: int) -> str:
    """All lanes in one statement; each of the three reads is served by the partial index of its phase."""
    columns = ", ".join(f"d.{name}" for name in _DELIVERY)
    reads = " UNION ALL ".join(
        f"""(SELECT {columns} FROM deliveries_delivery d
             WHERE d.subscription_id = lane.id AND d.state = 'pending' AND d.phase = {phase:d}
               AND d.due_at <= %(now)s AND d.id <> ALL(%(in_hand)s::uuid[])
             ORDER BY d.due_at, d.id LIMIT {limit:d})"""  # noqa: S608
        for phase in Phase
    )
    event = ", ".join(f"e.{name}" for name in _EVENT)
    return f"""SELECT d.*, {event} FROM unnest(%(lanes)s::uuid[]) AS lane(id)
               CROSS JOIN LATERAL ({reads}) d JOIN webhooks_event e ON e.id = d.event_id"""  # noqa: S608


def _read_together(limit: int, lanes: list[UUID], in_hand: list[UUID], now: datetime) -> Iterator[Claimed]:
    with connection.cursor() as cursor:
        # As text: psycopg2 quotes a str some five times as fast as a UUID, and a thousand may be in hand.
        given: dict[str, Any] = {
            "lanes": [lane.hex for lane in lanes],
            "in_hand": [each.hex for each in in_hand],
            "now": now,
        }
        cursor.execute(_lateral(limit), given)
        yield from (Claimed(*row) for row in cursor.fetchall())


def _read_one_by_one(lanes: Collection[UUID], needs: Mapping[UUID, Need], now: datetime) -> Iterator[Claimed]:
    """SQLite has no LATERAL, and a read costs it microseconds; so first ask which reads find anything."""
    columns = (*_DELIVERY, *(f"event__{name}" for name in _EVENT))
    for lane, *is_due in _with_work(lanes, now):
        limit = _limit(needs[lane].room.total)
        for phase in (phase for phase, found in zip(Phase, is_due, strict=True) if found):
            due = _queue(lane, phase, now).exclude(id__in=needs[lane].in_hand)
            yield from (Claimed(*row) for row in due.order_by("due_at", "id").values_list(*columns)[:limit])


def _with_work(lanes: Collection[UUID], now: datetime) -> Iterable[tuple[Any, ...]]:
    phases = {phase.name.lower(): Exists(_queue(OuterRef("pk"), phase, now)) for phase in Phase}
    return Lane.objects.filter(pk__in=lanes).annotate(**phases).values_list("pk", *phases)


def _queue(lane: UUID | OuterRef, phase: Phase, now: datetime) -> QuerySet[Delivery]:
    return Delivery.objects.filter(
        subscription_id=lane, state=DeliveryState.PENDING, phase=phase.value, due_at__lte=now
    )
