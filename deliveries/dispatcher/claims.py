"""Reads what the leased lanes may send next. It marks nothing as taken: the lease already excludes everyone else.

Only in lanes that want the latest only does it write: what is outdated becomes superseded.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet

from deliveries.deciders.cloudevents import Told, source_of
from deliveries.deciders.mixing import Room, mix
from deliveries.models import Delivery, DeliveryBody, DeliveryState, Hold, Lane, Phase
from webhooks.models import Event, EventBody

from . import ordered, versions
from .seats import Holding

# The limits of the claim are written into its text: a LIMIT taken from a column makes PostgreSQL plan for the
# whole index (measured: 214 µs instead of 5 with a million deliveries parked). Few sizes mean few plans.
LIMITS = (1, 2, 4, 10, 25, 50, 100, 250)
ROUNDS = 8  # reads of one claim past what is outdated; some thousands, then the next turn goes on


@dataclass(frozen=True, kw_only=True, slots=True)
class Need:
    """What a lane could take now: how many per phase, which deliveries it has in hand, and its rules of passing."""

    room: Room
    in_hand: Collection[UUID]
    is_ordered: bool = False
    latest_only: bool = False


class Claimed(NamedTuple):
    """One due delivery, as the claim reads it: a plain row, since thousands are made in a second."""

    delivery_id: UUID
    lane_id: UUID
    event_id: UUID
    phase: int
    attempts: int
    budget_from: int
    budget_at: datetime
    due_at: datetime
    trace_id: UUID
    size: int
    entity: str = ""
    entity_version: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Body:
    content: bytes
    content_type: str
    tracestate: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """`more` names the lanes with work left; `waiting` those whose work waits for what they have in hand."""

    deliveries: list[Claimed]
    more: frozenset[UUID]
    waiting: frozenset[UUID] = frozenset()


Found = dict[UUID, list[Claimed]]
InHand = Mapping[UUID, Collection[UUID]]


def claim(*, holding: Holding, needs: Mapping[UUID, Need], now: datetime) -> Claim:
    """For each lane, which must be ours and moving, its next deliveries: never one that is in hand already."""
    found = _read(needs, now)
    kept_back, waiting = _pass_over_outdated(holding, needs, found, now)
    chosen: list[Claimed] = []
    # An ordered lane with something in hand was not even looked at.
    more = kept_back | {lane for lane, need in needs.items() if need.is_ordered and need.in_hand}
    for lane, rows in found.items():
        need = needs[lane]
        if need.is_ordered:
            taken = rows[: need.room.total]
            has_more = bool(rows)
        else:
            queues = [[row for row in rows if row.phase == phase] for phase in Phase]
            taken = mix(need.room, queues)
            limit = _limit(need.room.total)
            has_more = len(rows) > len(taken) or any(len(queue) == limit for queue in queues)
        chosen += taken
        if has_more:
            more.add(lane)
    waiting -= {row.lane_id for row in chosen}
    return Claim(deliveries=chosen, more=frozenset(more - waiting), waiting=frozenset(waiting))


def _pass_over_outdated(
    holding: Holding, needs: Mapping[UUID, Need], found: Found, now: datetime
) -> tuple[set[UUID], set[UUID]]:
    """Leaves in `found`, of lanes that want the latest only, what may be sent; says which lanes are to be asked again.

    What is outdated becomes superseded, and what is behind it is read in its place. Also says in which lanes
    nothing but what is in hand keeps the rest: to read past thousands that wait, turn after turn, would cost
    all the others dear.
    """
    asked = {lane: need for lane, need in needs.items() if need.latest_only}
    kept_back: set[UUID] = set()
    moved: set[UUID] = set()
    if not asked:
        return kept_back, moved
    busy = versions.in_hand([each for need in asked.values() for each in need.in_hand])
    rows: Found = {lane: found[lane] for lane in asked if lane in found}
    for _ in range(ROUNDS):
        sifted = versions.sift(holding=holding, found=rows, busy=busy, now=now)
        found |= {lane: each.fit for lane, each in sifted.items()}
        asked = {
            lane: replace(
                asked[lane], in_hand=[*asked[lane].in_hand, *(row.delivery_id for row in each.waiting)]
            )
            for lane, each in sifted.items()
            if (each.outdated or each.waiting) and len(each.fit) < asked[lane].room.total
        }
        kept_back |= {lane for lane, each in sifted.items() if each.outdated or each.waiting}
        moved |= {lane for lane, each in sifted.items() if each.outdated or each.fit}
        if not asked:
            break
        ahead = _ahead(lane for lane, need in asked.items() if need.is_ordered)
        if ahead:
            versions.sift(holding=holding, found=ahead, busy=busy, now=now)
        rows = {lane: [] for lane in asked} | _read(asked, now, LIMITS[-1])
    return kept_back, {lane for lane in kept_back - moved if needs[lane].in_hand}


def bodies(claimed: Iterable[Claimed]) -> dict[UUID, Body]:
    """The events' exact bytes, each once, however many deliveries carry it."""
    events = {row.event_id for row in claimed}
    rows = EventBody.objects.filter(event_id__in=events).values_list(
        "event_id", "body", "content_type", "tracestate"
    )
    return {
        event: Body(content=bytes(body), content_type=kind, tracestate=carried)
        for event, body, kind, carried in rows
    }


def rendered(claimed: Iterable[Claimed]) -> dict[UUID, bytes]:
    """What a transform made of deliveries that were tried before."""
    tried = [row.delivery_id for row in claimed if row.attempts]
    rows = (
        DeliveryBody.objects.filter(delivery_id__in=tried).values_list("delivery_id", "body") if tried else ()
    )
    return {delivery: bytes(body) for delivery, body in rows}


def told(claimed: Iterable[Claimed]) -> dict[UUID, Told]:
    """What a CloudEvent says of these events. Without any it asks nothing."""
    events = {row.event_id for row in claimed}
    if not events:
        return {}
    rows = Event.objects.filter(pk__in=events).values_list(
        "pk", "event_type", "occurred_at", "received_at", "entity", "source__slug"
    )
    return {
        pk: Told(
            event_type=event_type,
            source=source_of(settings.HUB_PUBLIC_URL, slug),
            at=occurred_at or received_at,
            entity=entity,
        )
        for pk, event_type, occurred_at, received_at, entity, slug in rows
    }


def moving(*, holding: Holding, lanes: Collection[UUID], now: datetime) -> dict[UUID, int]:
    """Those of the lanes that are ours and may send, with their revision."""
    ours = Q(seat_id=holding.number, seat_epoch=holding.epoch, hold=Hold.NONE)
    quiet_over = Q(not_before__isnull=True) | Q(not_before__lte=now)
    found = Lane.objects.filter(ours, quiet_over, subscription_id__in=list(lanes))
    return dict(found.values_list("subscription_id", "revision"))


def _read(needs: Mapping[UUID, Need], now: datetime, least: int = 0) -> Found:
    """What is due in each lane, as many as it has room for or `least`; in an ordered one, whose turn it is."""
    found: Found = {}
    for row in (*_due(needs, now, least), *_turns(needs, now)):
        found.setdefault(row.lane_id, []).append(row)
    return found


def _turns(needs: Mapping[UUID, Need], now: datetime) -> list[Claimed]:
    free = [lane for lane, need in needs.items() if need.is_ordered and not need.in_hand]
    due = [turn.delivery_id for turn in ordered.turns(free).values() if turn.due_at <= now]
    return _of(due)


def _ahead(lanes: Iterable[UUID]) -> Found:
    """What else waits in ordered lanes whose turn was outdated, so that not each is found by itself."""
    return {lane: _of(ordered.following(lane, most=LIMITS[-1])) for lane in lanes}


def _of(ids: Collection[UUID]) -> list[Claimed]:
    if not ids:
        return []
    pending = Delivery.objects.filter(id__in=ids, state=DeliveryState.PENDING)
    return [Claimed(*row) for row in pending.values_list(*_COLUMNS)]


def _due(needs: Mapping[UUID, Need], now: datetime, least: int) -> Iterator[Claimed]:
    by_limit: dict[int, list[UUID]] = {}
    for lane, need in needs.items():
        if not need.is_ordered:
            by_limit.setdefault(_limit(max(need.room.total, least)), []).append(lane)
    read = _read_together if connection.vendor == "postgresql" else _read_one_by_one
    for limit, lanes in by_limit.items():
        yield from read(limit, {lane: needs[lane].in_hand for lane in lanes}, now)


def _limit(wanted: int) -> int:
    return next((size for size in LIMITS if size >= wanted), LIMITS[-1])


_DELIVERY = ("id", "subscription_id", "event_id", "phase", "attempts", "budget_from", "budget_at", "due_at")
_EVENT = ("trace_id", "size", "entity", "entity_version")
_COLUMNS = (*_DELIVERY, *(f"event__{name}" for name in _EVENT))


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


def _read_together(limit: int, lanes: InHand, now: datetime) -> Iterator[Claimed]:
    in_hand = [each for held in lanes.values() for each in held]
    with connection.cursor() as cursor:
        # As text: psycopg2 quotes a str some five times as fast as a UUID, and a thousand may be in hand.
        given: dict[str, Any] = {
            "lanes": [lane.hex for lane in lanes],
            "in_hand": [each.hex for each in in_hand],
            "now": now,
        }
        cursor.execute(_lateral(limit), given)
        yield from (Claimed(*row) for row in cursor.fetchall())


def _read_one_by_one(limit: int, lanes: InHand, now: datetime) -> Iterator[Claimed]:
    """SQLite has no LATERAL, and a read costs it microseconds; so first ask which reads find anything."""
    for lane, *is_due in _with_work(list(lanes), now):
        for phase in (phase for phase, found in zip(Phase, is_due, strict=True) if found):
            due = _queue(lane, phase, now).exclude(id__in=lanes[lane])
            yield from (Claimed(*row) for row in due.order_by("due_at", "id").values_list(*_COLUMNS)[:limit])


def _with_work(lanes: Collection[UUID], now: datetime) -> Iterable[tuple[Any, ...]]:
    phases = {phase.name.lower(): Exists(_queue(OuterRef("pk"), phase, now)) for phase in Phase}
    return Lane.objects.filter(pk__in=lanes).annotate(**phases).values_list("pk", *phases)


def _queue(lane: UUID | OuterRef, phase: Phase, now: datetime) -> QuerySet[Delivery]:
    return Delivery.objects.filter(
        subscription_id=lane, state=DeliveryState.PENDING, phase=phase.value, due_at__lte=now
    )
