"""Turns stored events into deliveries owed, in one transaction a batch. It sends nothing."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import NamedTuple
from uuid import UUID

from django.db import connection, transaction

from deliveries.deciders.matching import MatchTable, Wanted
from deliveries.deciders.outcome import Outcome, fingerprint
from deliveries.models import Delivery, DeliveryState
from deliveries.services.dead_letters import Death, bury
from deliveries.services.lanes import hold_lanes, wake_sleeping
from webhooks.deciders.expressions import ExpressionFailed, parse_json
from webhooks.deciders.wording import storable
from webhooks.ids import uuid7
from webhooks.models import Event, EventBody, EventState

from . import rows
from .routes import Routes
from .seats import Holding, fence

EVENTS = 500  # events looked at in one transaction
BYTES = 16 * 1024 * 1024  # bodies read for filters at once
FILTERS_S = 0.05  # one subscription's costly filter may keep the others' deliveries waiting no longer
DELIVERIES = 5000  # deliveries inserted in one transaction: some 100 ms of PostgreSQL's time
ERROR_LENGTH = 300
ROUTER_LOCK = 0x57454952  # "WEIR": one router at a time, since two would only do each other's work again


@dataclass(frozen=True, kw_only=True, slots=True)
class Routed:
    """What one batch came to: the lanes that were given work, and whether more events wait."""

    lanes: frozenset[UUID]
    events: int
    more: bool


class Arrived(NamedTuple):
    """An event that waits for its router."""

    id: UUID
    source_id: UUID
    event_type: str
    external_id: str
    size: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Owed:
    """One delivery to be made; `failure` says why it is dead from the start."""

    event: Arrived
    subscription_id: UUID
    failure: str = ""


def route(*, holding: Holding, routes: Routes, now: datetime) -> Routed:
    """Routes the oldest waiting events. Routing twice changes nothing: the pair of event and subscription is unique."""
    with transaction.atomic():
        fence(holding)
        if not _alone():
            return Routed(lanes=frozenset(), events=0, more=False)
        waiting = _waiting()
        if not waiting:
            return Routed(lanes=frozenset(), events=0, more=False)
        matches = _matches(waiting, routes.current())
        whole, owed = _batch([event for event in waiting if event.id in matches], matches)
        lanes = {each.subscription_id for each in owed if not each.failure}
        hold_lanes(connection, lanes)
        _insert(owed, now)
        _mark(whole, matches, now)
        wake_sleeping(lanes, at=now)
    return Routed(
        lanes=frozenset(lanes), events=len(whole), more=len(waiting) == EVENTS or len(whole) < len(waiting)
    )


def _alone() -> bool:
    if connection.vendor != "postgresql":
        return True
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [ROUTER_LOCK])
        return bool(cursor.fetchone()[0])


def _waiting() -> list[Arrived]:
    columns = ("id", "source_id", "event_type", "external_id", "size")
    waiting = Event.objects.filter(state=EventState.RECEIVED).order_by("id")
    return [Arrived(*row) for row in waiting.values_list(*columns)[:EVENTS]]


def _matches(events: Sequence[Arrived], table: MatchTable) -> dict[UUID, list[Owed]]:
    """Who is owed which event: for as many, from the first, as memory and a moment's time allow; at least one."""
    candidates = {event.id: table.candidates(event.source_id, event.event_type) for event in events}
    filtered = {event for event, found in candidates.items() if any(wanted.filter for wanted in found)}
    events = _within_memory(events, filtered)
    asked = [event.id for event in events if event.id in filtered]
    bodies = dict(EventBody.objects.filter(event_id__in=asked).values_list("event_id", "body"))
    deadline = monotonic() + FILTERS_S
    matches: dict[UUID, list[Owed]] = {}
    for event in events:
        matches[event.id] = list(_wanted(event, candidates[event.id], bodies))
        if monotonic() > deadline:
            break
    return matches


def _within_memory(events: Sequence[Arrived], filtered: Collection[UUID]) -> Sequence[Arrived]:
    total = 0
    for position, event in enumerate(events):
        total += event.size if event.id in filtered else 0
        if total > BYTES and position:
            return events[:position]
    return events


def _wanted(
    event: Arrived, found: Iterable[Wanted], bodies: Mapping[UUID, bytes | memoryview]
) -> Iterable[Owed]:
    document: object = None
    unreadable = ""
    if event.id in bodies:
        try:
            document = parse_json(bytes(bodies[event.id]))
        except ExpressionFailed as failure:
            unreadable = str(failure)
    for wanted in found:
        if wanted.filter is None:
            yield Owed(event=event, subscription_id=wanted.subscription_id)
            continue
        try:
            if unreadable:
                raise ExpressionFailed(unreadable)
            if wanted.filter.holds(document):
                yield Owed(event=event, subscription_id=wanted.subscription_id)
        except ExpressionFailed as failure:
            yield Owed(
                event=event,
                subscription_id=wanted.subscription_id,
                failure=storable(f"Filter: {failure}", ERROR_LENGTH),
            )


def _batch(
    waiting: Sequence[Arrived], matches: Mapping[UUID, list[Owed]]
) -> tuple[list[Arrived], list[Owed]]:
    """As many whole events as fit; an event too wide for one transaction is begun, and finished by later ones."""
    whole: list[Arrived] = []
    owed: list[Owed] = []
    for event in waiting:
        if len(owed) + len(matches[event.id]) > DELIVERIES:
            break
        whole.append(event)
        owed += matches[event.id]
    if whole:
        return whole, owed
    widest = waiting[0]
    made = set(Delivery.objects.filter(event_id=widest.id).values_list("subscription_id", flat=True))
    missing = [each for each in matches[widest.id] if each.subscription_id not in made]
    return ([widest] if len(missing) <= DELIVERIES else []), missing[:DELIVERIES]


_COLUMNS = (
    "id", "event", "subscription", "source", "event_type", "external_id", "state", "phase", "created_at",
    "due_at", "attempts", "budget_from", "budget_at", "settled_at", "last_outcome", "last_error", "fingerprint",
)  # fmt: skip


def _insert(owed: Sequence[Owed], now: datetime) -> None:
    made = [(uuid7(), each) for each in owed]
    rows.insert(Delivery, _COLUMNS, [_row(delivery, each, now) for delivery, each in made], ignore=True)
    deaths = {delivery: _death(delivery, each) for delivery, each in made if each.failure}
    if deaths:
        # Not those whose pair was there already: their row was passed over.
        truly = Delivery.objects.filter(id__in=list(deaths)).values_list("id", flat=True)
        bury(deaths=[deaths[delivery] for delivery in truly], now=now)


def _row(delivery: UUID, each: Owed, now: datetime) -> tuple[object, ...]:
    event, dead = each.event, bool(each.failure)
    return (
        delivery, event.id, each.subscription_id, event.source_id, event.event_type, event.external_id,
        DeliveryState.DEAD if dead else DeliveryState.PENDING, 0, now,
        None if dead else now, 0, 0, now, now if dead else None,
        Outcome.FILTER_FAILED.value if dead else "", each.failure,
        _death(delivery, each).fingerprint if dead else "",
    )  # fmt: skip


def _death(delivery: UUID, each: Owed) -> Death:
    reason = Outcome.FILTER_FAILED
    return Death(
        delivery_id=delivery,
        subscription_id=each.subscription_id,
        reason=reason.value,
        fingerprint=fingerprint(str(each.subscription_id), reason, None, each.failure),
        status=None,
        error=each.failure,
    )


def _mark(events: Iterable[Arrived], matches: Mapping[UUID, list[Owed]], now: datetime) -> None:
    routed = [event.id for event in events if matches[event.id]]
    unmatched = [event.id for event in events if not matches[event.id]]
    for state, ids in ((EventState.ROUTED, routed), (EventState.UNMATCHED, unmatched)):
        if ids:
            Event.objects.filter(id__in=ids, state=EventState.RECEIVED).update(state=state, routed_at=now)
