"""Reads events as a query asks: a page by key, or a bounded count; and what each row of a page tells besides."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import reduce
from operator import or_
from typing import Any
from uuid import UUID

from django.db.models import Count, Q

from deliveries.deciders.delivery_query import Status
from deliveries.deciders.delivery_signs import shown_status
from deliveries.deciders.event_query import EventQuery, EventStatus, Tab
from deliveries.models import Delivery
from webhooks.ids import parse_id
from webhooks.models import BusinessKey, Event, EventKey, KeyKind, Source

from .columns import Column, Filters, equal, source_ids, time_range, types_of
from .keyset import Page, bounded_count, page_sql, read_page

MOST_FOUND = 200  # events that share a sender's id or a business key; the newest
REPEATED, CONFLICTED = Q(duplicates__gt=0), Q(conflicts__gt=0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """What is known of one event beside its row."""

    statuses: dict[Status, int] = field(default_factory=dict)  # of its deliveries
    duplicates: int = 0
    conflicts: int = 0

    @property
    def deliveries(self) -> int:
        return sum(self.statuses.values())


def events_filters(query: EventQuery, now: datetime) -> Filters:
    columns = [
        _found(query.search),
        time_range(query, now),
        _tab(query.tab),
        _statuses(query.statuses),
        equal("source_id", source_ids(query.sources)) if query.sources else None,
        types_of(query.types, Event),
    ]
    return Filters(columns=[column for column in columns if column is not None])


def events_page(query: EventQuery, now: datetime, size: int) -> Page:
    return read_page(Event, events_filters(query, now).branches(), query, size)


def count_events(query: EventQuery, now: datetime) -> int:
    filters = events_filters(query.first_page(), now)
    return bounded_count(Event, filters.branches(), order=filters.counting_order)


def events_sql(query: EventQuery, now: datetime, size: int) -> tuple[str, Sequence[Any]]:
    """The statement that reads a page: so that a test can ask the database how it goes about it."""
    return page_sql(Event, events_filters(query, now).branches(), query, size)


def events_of(ids: Sequence[UUID]) -> list[Event]:
    """Rows of a list, in the order of their ids given."""
    found = Event.objects.filter(pk__in=ids).select_related("source").in_bulk() if ids else {}
    return [found[each] for each in ids if each in found]


def told_of(ids: Sequence[UUID], held: frozenset[UUID]) -> dict[UUID, Told]:
    """In two questions, however many events."""
    statuses: dict[UUID, dict[Status, int]] = {each: {} for each in ids}
    counted = Delivery.objects.filter(event_id__in=ids).order_by()
    for event, state, phase, lane, number in counted.values_list(
        "event_id", "state", "phase", "subscription_id"
    ).annotate(number=Count("pk")):
        status = shown_status(state=state, phase=phase, is_held=lane in held)
        statuses[event][status] = statuses[event].get(status, 0) + number
    repeats = dict.fromkeys(ids, (0, 0))
    keys = EventKey.objects.filter(event_id__in=ids).order_by()
    # Each by its own small index.
    for event, duplicates in keys.filter(REPEATED).values_list("event_id", "duplicates"):
        repeats[event] = (repeats[event][0] + duplicates, repeats[event][1])
    for event, conflicts in keys.filter(CONFLICTED).values_list("event_id", "conflicts"):
        repeats[event] = (repeats[event][0], repeats[event][1] + conflicts)
    return {
        each: Told(statuses=statuses[each], duplicates=repeats[each][0], conflicts=repeats[each][1])
        for each in ids
    }


def ids_for(search: str) -> list[UUID]:
    """Events with this id of ours or of a delivery, this sender's id, operation, entity or business key; the newest."""
    found = {pk for pk in (_parsed("event", search),) if pk is not None} | set(telling_of(search))
    if (delivery := _parsed("delivery", search)) is not None:
        found |= set(Delivery.objects.filter(pk=delivery).values_list("event_id", flat=True))
    by_senders_id = Event.objects.filter(external_id=search)
    found |= set(by_senders_id.order_by("-pk").values_list("pk", flat=True)[:MOST_FOUND])
    bearing = BusinessKey.objects.filter(_business_key(search)).order_by("-event_id")
    return sorted(found | set(bearing.values_list("event_id", flat=True)[:MOST_FOUND]))


def telling_of(search: str) -> list[UUID]:
    """Events that report this operation, or that are about this entity; the newest so many."""
    digest = hashlib.sha256(search.encode()).digest()
    # By the index that keeps operations apart, which begins with the source; there are few.
    sources = list(Source.objects.order_by().values_list("pk", flat=True)[:MOST_FOUND])
    keys = EventKey.objects.filter(source_id__in=sources, kind=KeyKind.OPERATION, digest=digest)
    about = Event.objects.filter(entity=search).exclude(entity="").order_by("-pk")
    return [*keys.values_list("event_id", flat=True), *about.values_list("pk", flat=True)[:MOST_FOUND]]


def _business_key(search: str) -> Q:
    """`ORD-0091734`, or with the name of the key before it."""
    name, _, value = search.partition(" ")
    return Q(value=search) | Q(value=value.strip(), name=name.lower())


def _parsed(kind: str, text: str) -> UUID | None:
    try:
        return parse_id(kind, text)
    except ValueError:
        return None


def _found(search: str) -> Column | None:
    if not search:
        return None
    whole = Q(pk__in=ids_for(search))
    return Column(whole=whole, alternatives=[whole], leads=True)


def _tab(tab: Tab) -> Column | None:
    if tab is Tab.EVENTS:
        return None
    keys = EventKey.objects.filter(REPEATED if tab is Tab.DUPLICATES else CONFLICTED)
    whole = Q(pk__in=keys.order_by().values("event_id"))
    return Column(whole=whole, alternatives=[whole], narrows=True)


def _statuses(statuses: Sequence[EventStatus]) -> Column | None:
    if not statuses:
        return None
    several = [_status(each) for each in statuses]
    whole = reduce(or_, several)
    return Column(whole=whole, alternatives=several, narrows=EventStatus.ROUTED not in statuses)


def _status(status: EventStatus) -> Q:
    """The rare ones each say which small index they are in."""
    for indexed in _RARE:
        if status in indexed:
            return Q(state__in=[each.value for each in indexed]) & Q(state=status.value)
    return Q(state=status.value)


_RARE = (
    (EventStatus.UNMATCHED, EventStatus.QUARANTINED),
    (EventStatus.DISCARDED, EventStatus.CANCELLED),
)
