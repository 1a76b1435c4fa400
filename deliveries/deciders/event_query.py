"""Which events somebody asks for: one frozen value, read from an address and written back. It reads no table.

It stands on this side, and not beside events, because it shares patterns and spans with the deliveries query.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID

from webhooks.ids import parse_id, public_id

from .list_address import (
    SLUG,
    Params,
    Reading,
    as_url,
    comma,
    matching,
    moment,
    pattern,
    search,
    since,
    time_params,
)
from .list_query import ListQuery


class Tab(StrEnum):
    """Any; those that came again; those whose id came with another body; and requests that became no event."""

    EVENTS = "events"
    DUPLICATES = "duplicates"
    CONFLICTS = "conflicts"
    REFUSALS = "refusals"


class EventStatus(StrEnum):
    """What people call an event's state; the stored states."""

    SCHEDULED = "scheduled"  # published for later
    RECEIVED = "received"  # waits for a router
    ROUTED = "routed"
    UNMATCHED = "unmatched"
    QUARANTINED = "quarantined"
    DISCARDED = "discarded"  # out of quarantine
    CANCELLED = "cancelled"  # before its time had come


STATUS_WORDS: Final[dict[EventStatus, str]] = {
    EventStatus.SCHEDULED: "Scheduled",
    EventStatus.RECEIVED: "Waiting",
    EventStatus.ROUTED: "Routed",
    EventStatus.UNMATCHED: "Unmatched",
    EventStatus.QUARANTINED: "Quarantined",
    EventStatus.DISCARDED: "Discarded",
    EventStatus.CANCELLED: "Cancelled",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class EventQuery(ListQuery):
    """Empty means: any. Lists are sorted and without repetition, so that equal questions are equal values."""

    tab: Tab = Tab.EVENTS
    statuses: tuple[EventStatus, ...] = ()
    sources: tuple[str, ...] = ()  # slugs
    types: tuple[str, ...] = ()  # event types, or patterns such as order.*


@dataclass(frozen=True, kw_only=True, slots=True)
class ParsedEvents:
    """`notices` say in one sentence each what was not understood, and so was left out."""

    query: EventQuery
    notices: tuple[str, ...] = ()


def parse_events(params: Params) -> ParsedEvents:
    reading = Reading(params)
    query = EventQuery(
        tab=reading.one("tab", Tab, Tab.EVENTS),
        statuses=reading.several("state", EventStatus),
        sources=reading.several("source", matching(SLUG)),
        types=reading.several("type", pattern, separator=None),
        search=reading.one("q", search, ""),
        start=reading.one("from", moment, None),
        end=reading.one("to", moment, None),
        oldest_first=reading.one("order", {"oldest": True, "newest": False}.__getitem__, False),
        before=reading.one("before", _cursor, None),
        after=reading.one("after", _cursor, None),
    )
    query = reading.settle(query, reading.one("since", since, ""))
    reading.mention_the_rest()
    return ParsedEvents(query=query, notices=tuple(reading.notices))


def events_params(query: EventQuery) -> dict[str, list[str]]:
    texts: dict[str, list[str]] = {
        "tab": ["" if query.tab is Tab.EVENTS else query.tab],
        "state": comma(query.statuses),
        "source": comma(query.sources),
        "type": list(query.types),
        "q": [query.search],
        **time_params(query),
        "order": ["oldest" if query.oldest_first else ""],
        "before": [public_id("event", query.before) if query.before else ""],
        "after": [public_id("event", query.after) if query.after else ""],
    }
    return {name: values for name, values in texts.items() if any(values)}


def events_url(query: EventQuery) -> str:
    return as_url(events_params(query))


def _cursor(text: str) -> UUID:
    return parse_id("event", text)
