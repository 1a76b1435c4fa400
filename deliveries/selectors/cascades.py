"""Reads cascades: a page of them, and one with all its events and deliveries. A constant number of questions."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Count

from deliveries.deciders.cascade_guard import WHY_WORDS, Why
from deliveries.deciders.cascade_tree import Hop, Leg
from deliveries.deciders.delivery_query import Status
from deliveries.deciders.delivery_signs import response_tag, shown_status
from deliveries.models import Cascade, Delivery
from webhooks.ids import parse_uuid
from webhooks.models import Event, EventState

from .delivery_filters import held_lanes
from .event_pages import ids_for

MOST_EVENTS = 5_000
MOST_DELIVERIES = 10_000
SUMMED_EVENTS = 500  # a larger cascade's deliveries are counted on its own page only


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    cascades: Sequence[Cascade]
    has_next: bool
    has_previous: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """`is_cut`: there is more of it than was read."""

    root: Hop
    hops: Sequence[Hop]
    legs: Sequence[Leg]
    is_cut: bool


def cascades_page(
    *, search: str, before: UUID | None, after: UUID | None, size: int, is_quarantined: bool = False
) -> Listed:
    """By their first events, the newest first. `before` and `after` are such events."""
    rows = Cascade.objects.select_related("root__source")
    if is_quarantined:
        rows = rows.filter(quarantined__gt=0)
    if search:
        rows = rows.filter(pk__in=traces_of(search))
    if after:
        found = list(rows.filter(root_id__gt=after).order_by("root_id")[: size + 1])
        return Listed(cascades=found[:size][::-1], has_next=True, has_previous=len(found) > size)
    if before:
        rows = rows.filter(root_id__lt=before)
    found = list(rows.order_by("-root_id")[: size + 1])
    return Listed(cascades=found[:size], has_next=len(found) > size, has_previous=before is not None)


def traces_of(search: str) -> list[UUID]:
    """Cascades of which an event or a delivery has this id, or whose trace id it is."""
    found = set(Event.objects.filter(pk__in=ids_for(search)).values_list("trace_id", flat=True))
    with suppress(ValueError):
        found.add(parse_uuid(search))
    return sorted(found)


def statuses_of(cascades: Sequence[Cascade]) -> dict[UUID, dict[Status, int]]:
    """Of the deliveries of each that is small enough."""
    small = [each for each in cascades if each.events <= SUMMED_EVENTS]
    told: dict[UUID, dict[Status, int]] = {each.trace_id: {} for each in small}
    held = held_lanes() if small else frozenset()
    members = dict(
        Event.objects.filter(trace_id__in=list(told), cause_id__isnull=False).values_list("pk", "trace_id")
    ) | {each.root_id: each.trace_id for each in small}
    counted = Delivery.objects.filter(event_id__in=list(members)).order_by()
    for event, state, phase, lane, number in counted.values_list(
        "event_id", "state", "phase", "subscription_id"
    ).annotate(number=Count("pk")):
        status, sums = shown_status(state=state, phase=phase, is_held=lane in held), told[members[event]]
        sums[status] = sums.get(status, 0) + number
    return told


def read_cascade(cascade: Cascade) -> Found:
    root = cascade.root
    rows = Event.objects.filter(trace_id=cascade.trace_id, cause_id__isnull=False).exclude(pk=root.pk)
    names = ("pk", "event_type", "source__name", "received_at", "state", "cause_id", "quarantine__why")
    events = list(rows.order_by("pk").values_list(*names)[: MOST_EVENTS + 1])
    hops = [_hop(*each) for each in events[:MOST_EVENTS]]
    legs = _legs([root.pk, *(hop.id for hop in hops)])
    return Found(
        root=_hop(root.pk, root.event_type, root.source.name, root.received_at, root.state, None),
        hops=hops,
        legs=legs[:MOST_DELIVERIES],
        is_cut=len(events) > MOST_EVENTS or len(legs) > MOST_DELIVERIES,
    )


def _hop(
    pk: UUID,
    event_type: str,
    source: str,
    at: datetime,
    state: str,
    cause: UUID | None,
    why: str | None = None,
) -> Hop:
    said = WHY_WORDS[Why(why)] if why and state == EventState.QUARANTINED else ""
    return Hop(id=pk, event_type=event_type, source=source, at=at, state=state, cause_id=cause, why=said)


def _legs(events: Sequence[UUID]) -> list[Leg]:
    held = held_lanes()
    rows = Delivery.objects.filter(event_id__in=events).order_by("pk")
    names = (
        "pk", "event_id", "subscription_id", "subscription__name", "state", "phase", "last_outcome", "last_status",
        "created_at", "last_attempt_at", "last_latency_ms",
    )  # fmt: skip
    legs = []
    for row in rows.values_list(*names)[: MOST_DELIVERIES + 1]:
        pk, event, lane, name, state, phase, outcome, code, begins, last_at, latency = row
        tag, tone = response_tag(outcome, code)
        ends = last_at + timedelta(milliseconds=latency or 0) if last_at else begins
        status = shown_status(state=state, phase=phase, is_held=lane in held)
        legs.append(
            Leg(
                id=pk, event_id=event, subscription_id=lane, subscription=name, status=status, tag=tag, tone=tone,
                begins=begins, ends=ends,
            )
        )  # fmt: skip
    return legs
