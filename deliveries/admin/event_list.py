"""What the events page shows: tabs, filters, one page of rows, and whether what was searched for arrived at all."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from django.core.cache import cache

from deliveries.deciders.delivery_query import Status
from deliveries.deciders.delivery_words import STATUS_WORDS as DELIVERY_WORDS
from deliveries.deciders.event_query import (
    STATUS_WORDS,
    EventQuery,
    EventStatus,
    ParsedEvents,
    Tab,
    events_params,
    events_url,
)
from deliveries.deciders.event_words import event_chips
from deliveries.selectors import arrivals
from deliveries.selectors.columns import known_types
from deliveries.selectors.delivery_filters import held_lanes
from deliveries.selectors.event_pages import (
    Told,
    count_events,
    events_of,
    events_page,
    ids_for,
    told_of,
)
from deliveries.selectors.keyset import Page
from deliveries.selectors.patience import TooSlow, patience
from webhooks.models import Event

from .delivery_list import (
    CHOICES_FRESH_S,
    CHOSEN_FRESH_S,
    COUNTS_FRESH_S,
    LISTED,
    PAGE,
    known_sources,
)
from .list_parts import Choice, counted, kept, neighbours, spans, toggled

TABS: Final = (
    (Tab.EVENTS, "Events"), (Tab.DUPLICATES, "Duplicates"), (Tab.CONFLICTS, "Conflicts"), (Tab.REFUSALS, "Refusals"),
)  # fmt: skip
# The worst first: what a person must see stands where the eye begins.
WORST_FIRST: Final = (
    Status.DEAD, Status.HELD, Status.RETRYING, Status.PENDING, Status.DISCARDED, Status.SUPERSEDED, Status.DELIVERED,
)  # fmt: skip
UNKNOWN_FOR: Final = timedelta(hours=24)


@dataclass(frozen=True, kw_only=True, slots=True)
class Some:
    """So many deliveries of one event in one state."""

    status: Status
    number: int

    @property
    def words(self) -> str:
        return DELIVERY_WORDS[self.status]


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    event: Event
    words: str
    told: Told
    some: Sequence[Some]
    only_source: str


def list_context(parsed: ParsedEvents, now: datetime) -> dict[str, Any]:
    """All of the page. When the database is too slow, the page without rows, which says so and keeps the filters."""
    query = parsed.query
    try:
        with patience():
            found, is_slow = _page(query, now), False
            rows = shown_rows(found.ids, query)
            answer = _answer(query, now) if query.search else None
            reasons = _reasons(query, now)
    except TooSlow:
        found, rows, answer, reasons, is_slow = Page(), [], None, [], True
    return {
        "query": query,
        "notices": parsed.notices,
        "rows": rows,
        "answer": answer,
        "reasons": reasons,
        "is_slow": is_slow,
        "tabs": _tabs(query),
        "chips": [(chip.words, events_url(chip.without)) for chip in event_chips(query)],
        "is_unfiltered": query == EventQuery(tab=query.tab),
        "clear": events_url(EventQuery(tab=query.tab)),
        "widened": events_url(replace(query.first_page(), since="all", start=None, end=None)),
        "here": events_url(query.first_page()),
        "turned": events_url(replace(query.first_page(), oldest_first=not query.oldest_first)),
        **neighbours(query, found, events_url),
        **_choices(query),
        "now": now,
    }


def shown_rows(ids: Sequence[UUID], query: EventQuery) -> list[Row]:
    told, first = told_of(ids, held_lanes()) if ids else {}, query.first_page()
    return [
        Row(
            event=event,
            words=STATUS_WORDS[EventStatus(event.state)],
            told=told[event.pk],
            some=some_of(told[event.pk]),
            only_source=events_url(replace(first, sources=(event.source.slug,))),
        )
        for event in events_of(ids)
    ]


def some_of(told: Told) -> list[Some]:
    return [
        Some(status=status, number=told.statuses[status]) for status in WORST_FIRST if status in told.statuses
    ]


def newer_rows(query: EventQuery, after: UUID, now: datetime) -> list[Row]:
    """What came since, newest first; at most a page of it, and then the newest."""
    asked = replace(query, before=None, after=None, oldest_first=False)
    return shown_rows([each for each in _page(asked, now).ids if each > after], asked)


def counts(query: EventQuery, now: datetime) -> dict[str, str]:
    """How many each tab would show, up to a limit; a tab that takes too long has none."""
    asked = replace(query.first_page(), oldest_first=False)
    key = "events.counts." + sha256(events_url(asked).encode()).hexdigest()
    told = cache.get(key)
    if told is None:
        told = {tab.value: _count(replace(asked, tab=tab), now) for tab, _ in TABS}
        cache.set(key, told, COUNTS_FRESH_S)
    return dict(told)


def _page(query: EventQuery, now: datetime) -> Page:
    return Page() if query.tab is Tab.REFUSALS else events_page(query, now, PAGE)


def _count(query: EventQuery, now: datetime) -> str:
    if query.tab is Tab.REFUSALS:
        return counted(lambda: sum(each.count for each in _reasons(query, now)))
    return counted(partial(count_events, query, now))


def _reasons(query: EventQuery, now: datetime) -> list[arrivals.Reason]:
    if query.tab is not Tab.REFUSALS:
        return []
    if query.search:
        return arrivals.refused_with(query.search, ids_for(query.search))
    return arrivals.refused_by_reason(query.begins(now), query.sources)


def _answer(query: EventQuery, now: datetime) -> dict[str, Any]:
    """Did it arrive at all?"""
    ids = ids_for(query.search)
    events = events_of(ids[-1:])
    refused = arrivals.refused_with(query.search, ids)
    gone = [] if events else arrivals.outlived_keys(query.search)
    told = {
        "count": len(ids),
        "newest": events[0] if events else None,
        "repeats": arrivals.repeats_of(ids) if events else None,
        "refused": [each for each in refused if each.slug != "id-conflict"],
        "gone": gone,
        "kept_since": arrivals.kept_since(now),
    }
    if events or refused or gone:
        return told
    return told | {
        "sources": arrivals.last_signs(),
        "unknown": arrivals.unknown_sources(now - UNKNOWN_FOR),
        "has_keys": arrivals.has_business_keys(),
    }


def _tabs(query: EventQuery) -> list[tuple[str, Choice]]:
    first = query.first_page()
    return [
        (
            tab.value,
            Choice(words=words, address=events_url(replace(first, tab=tab)), is_chosen=query.tab is tab),
        )
        for tab, words in TABS
    ]


def _choices(query: EventQuery) -> dict[str, Any]:
    first = query.first_page()
    known = cache.get_or_set("events.types", partial(known_types, Event), CHOICES_FRESH_S) or []
    sources = cache.get_or_set("deliveries.sources", known_sources, CHOSEN_FRESH_S) or []
    return {
        "spans": spans(query, events_url),
        "kept": kept(events_params(first)),
        "states": [
            toggled(first, "statuses", each, words, events_url) for each, words in STATUS_WORDS.items()
        ],
        "types": [toggled(first, "types", each, each, events_url) for each in known[:LISTED]],
        "sources": [toggled(first, "sources", slug, name, events_url) for slug, name in sources],
    }
