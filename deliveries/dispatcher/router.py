"""Turns stored events into deliveries owed, in one transaction a batch. It sends nothing."""

import logging
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from time import monotonic
from uuid import UUID

from django.db import connection, transaction
from django.db.utils import (
    InterfaceError,
    InternalError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
)
from django.utils import timezone

from deliveries.deciders.cascade_guard import Why
from deliveries.deciders.matching import MatchTable, Wanted
from deliveries.models import Delivery, EventTotal, Quarantine
from deliveries.models.cascade import Fate
from deliveries.services.lanes import hold_lanes, wake_sleeping
from deliveries.services.notices import notify
from webhooks import spans, story
from webhooks.deciders.expressions import ExpressionFailed, parse_json
from webhooks.deciders.wording import storable
from webhooks.ids import public_id
from webhooks.models import Event, EventBody, EventState

from . import cascades, counting, telling
from .owed import Arrived, Owed, insert
from .routes import Routes
from .seats import Holding, SeatLost, fence

log = logging.getLogger(__name__)

EVENTS = 500  # events looked at in one transaction
BYTES = 16 * 1024 * 1024  # bodies read for filters at once
FILTERS_S = 0.05  # one subscription's costly filter may keep the others' deliveries waiting no longer
DELIVERIES = 5000  # deliveries inserted in one transaction: some 100 ms of PostgreSQL's time
ERROR_LENGTH = 300
ALONE_S = 0.05  # events routed one by one may keep everything else at the database waiting no longer
ROUTER_LOCK = 0x57454952  # "WEIR": one router at a time, since two would only do each other's work again

# What no event can be blamed for: the database, its tables, the machine, a seat that was taken over.
BLAMELESS = (
    SeatLost, OperationalError, InterfaceError, ProgrammingError, InternalError, NotSupportedError, OSError,
    MemoryError,
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Routed:
    """What one batch came to: the lanes given work, those of them that slept, and whether more events wait."""

    lanes: frozenset[UUID]
    woken: frozenset[UUID]
    events: int
    more: bool


NOTHING = Routed(lanes=frozenset(), woken=frozenset(), events=0, more=False)


def route(*, holding: Holding, routes: Routes, now: datetime) -> Routed:
    """Routes the oldest waiting events. Routing twice changes nothing: the pair of event and subscription is unique.

    An event that fails in a way nobody foresaw is set aside, so that those behind it go on.
    """
    try:
        return _route(holding, routes, now)
    except BLAMELESS:
        raise
    except Exception:
        log.exception("A batch of events could not be routed; trying them one by one.")
    routes.forget()
    routes.current()  # what fails here is no event's fault, and raises
    return _route_one_by_one(holding, routes, now)


def _route(holding: Holding, routes: Routes, now: datetime, only: UUID | None = None) -> Routed:
    with transaction.atomic():
        fence(holding)
        if not _alone():
            return NOTHING
        waiting = _waiting(only)
        if not waiting:
            return NOTHING
        placed = cascades.place(waiting, now)
        kept = placed.held()
        going = [event for event in waiting if event.id not in kept]
        # Read after the events: who subscribed before an event came must not miss it.
        matches = _matches(going, routes.current())
        whole, owed = _batch([event for event in going if event.id in matches], matches)
        hold_lanes(connection, {each.subscription_id for each in owed})
        insert(owed, now)
        cascades.write(placed, [each.id for each in whole], now)
        held = [each for each in waiting if each.id in kept]
        counting.add(EventTotal, Counter((each.source_id, EventState.QUARANTINED.value) for each in held))
        _mark(whole, matches, now)
        lanes = {each.subscription_id for each in owed if not each.failure}
        woken = wake_sleeping(lanes, at=now)
    _tell(whole, matches, placed.traces(), now)
    for each in placed.places:
        if each.why:
            telling.quarantined(each.event_id, each.trace_id, each.why, depth=each.depth)
    return Routed(
        lanes=frozenset(lanes),
        woken=woken,
        events=len(whole) + len(held),
        more=len(waiting) == EVENTS or len(whole) < len(going),
    )


def _route_one_by_one(holding: Holding, routes: Routes, now: datetime) -> Routed:
    """For a moment only: the next turn tries a batch again, without those that are set aside by now."""
    lanes: set[UUID] = set()
    woken: set[UUID] = set()
    events = 0
    deadline = monotonic() + ALONE_S
    for event in _waiting():
        if monotonic() > deadline:
            break
        try:
            routed = _route(holding, routes, now, only=event.id)
        except BLAMELESS:
            raise
        except Exception:
            log.exception("This event could not be routed and is set aside: %s", public_id("event", event.id))
            _set_aside(holding, event)
            continue
        lanes |= routed.lanes
        woken |= routed.woken
        events += routed.events
        if not routed.events:
            break  # too wide for one transaction: it is finished before those that came after it
    return Routed(lanes=frozenset(lanes), woken=frozenset(woken), events=events, more=True)


def _set_aside(holding: Holding, event: Arrived) -> None:
    with transaction.atomic():
        fence(holding)
        if Event.objects.filter(pk=event.id, state=EventState.RECEIVED).update(state=EventState.QUARANTINED):
            text = (
                f"Event {event.external_id[:100]} could not be routed and is in quarantine; the log says why."
            )
            counting.add(EventTotal, {(event.source_id, EventState.QUARANTINED.value): 1})
            now = timezone.now()
            note, _ = Quarantine.objects.update_or_create(
                event_id=event.id,
                defaults={
                    "why": Why.UNROUTABLE,
                    "fate": Fate.WAITING,
                    "set_aside_at": now,
                    "settled_at": None,
                },
            )
            cascades.count_again(note.trace_id, now)
            notify(kind="event-quarantined", object_kind="event", object_id=event.id, text=text)
            # A place that was found just now has gone with its transaction, so this is the event's own trace.
            transaction.on_commit(partial(telling.quarantined, event.id, event.trace_id, Why.UNROUTABLE))


def _alone() -> bool:
    if connection.vendor != "postgresql":
        return True
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [ROUTER_LOCK])
        return bool(cursor.fetchone()[0])


def _waiting(only: UUID | None = None) -> list[Arrived]:
    waiting = Event.objects.filter(state=EventState.RECEIVED).order_by("id")
    if only is not None:
        waiting = waiting.filter(pk=only)
    return [Arrived(*row) for row in waiting.values_list(*Arrived._fields)[:EVENTS]]


def _matches(events: Sequence[Arrived], table: MatchTable) -> dict[UUID, list[Owed]]:
    """Who is owed which event: for as many, from the first, as memory and a moment's time allow; at least one."""
    candidates = {event.id: _candidates(event, table) for event in events}
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


def wanted_by(event: Arrived, table: MatchTable, body: bytes) -> list[Owed]:
    """Who is owed this one event."""
    return list(_wanted(event, _candidates(event, table), {event.id: body}))


def _candidates(event: Arrived, table: MatchTable) -> Sequence[Wanted]:
    found = table.candidates(event.source_id, event.event_type)
    if event.target_id is None:
        return found
    return [wanted for wanted in found if wanted.subscriber_id == event.target_id]


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
            yield Owed(event=event, wanted=wanted)
            continue
        try:
            if unreadable:
                raise ExpressionFailed(unreadable)
            if wanted.filter.holds(document):
                yield Owed(event=event, wanted=wanted)
        except ExpressionFailed as failure:
            failed = storable(f"Filter: {failure}", ERROR_LENGTH)
            yield Owed(event=event, wanted=wanted, failure=failed)


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
    if not waiting:
        return [], []
    widest = waiting[0]
    made = set(Delivery.objects.filter(event_id=widest.id).values_list("subscription_id", flat=True))
    missing = [each for each in matches[widest.id] if each.subscription_id not in made]
    return ([widest] if len(missing) <= DELIVERIES else []), missing[:DELIVERIES]


def _tell(
    events: Collection[Arrived],
    matches: Mapping[UUID, list[Owed]],
    traces: Mapping[UUID, UUID],
    now: datetime,
) -> None:
    """`traces` are of those that have had the trace of what caused them since a moment ago."""
    if not events or not (story.is_told() or spans.is_on()):
        return
    for event in events:
        owed = len(matches[event.id])
        story.tell(
            "routed" if owed else "unmatched",
            event_id=event.id,
            deliveries=owed,
            trace_id=traces.get(event.id, event.trace_id),
        )
        if spans.is_on():
            _span(event, traces.get(event.id, event.trace_id), owed, now)


def _span(event: Arrived, trace_id: UUID, owed: int, began_at: datetime) -> None:
    span = spans.Span(
        name="route",
        at=spans.Place(trace_id.int, spans.route_id(event.id)),
        kind="internal",
        began_at=began_at,
        ended_at=timezone.now(),
        parent_id=spans.receive_id(event.id),
        attributes={"weir.event_id": public_id("event", event.id), "weir.deliveries": owed},
    )
    spans.emit(span)


def _mark(events: Iterable[Arrived], matches: Mapping[UUID, list[Owed]], now: datetime) -> None:
    routed = [event for event in events if matches[event.id]]
    unmatched = [event for event in events if not matches[event.id]]
    counts: Counter[tuple[UUID, str]] = Counter()
    for state, marked in ((EventState.ROUTED, routed), (EventState.UNMATCHED, unmatched)):
        if marked:
            ids = [event.id for event in marked]
            Event.objects.filter(id__in=ids, state=EventState.RECEIVED).update(state=state, routed_at=now)
            counts.update((event.source_id, state.value) for event in marked)
    counting.add(EventTotal, counts)
