"""Reads a deliveries query from an address and writes it back. It never raises: what it does not know, it says."""

import re
from dataclasses import dataclass
from uuid import UUID

from webhooks.ids import parse_id, public_id

from .delivery_query import DeliveryQuery, Status
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
from .outcome import Outcome

MOST_ATTEMPTS = 10_000

CODE = re.compile(r"[1-5][0-9]{2}|[2-5]xx|net", re.ASCII)
_FINGERPRINT = re.compile(r"v[0-9]{1,3}:[0-9a-f]{1,36}", re.ASCII)
_ATTEMPTS = re.compile(r">=([0-9]{1,6})", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class Parsed:
    """`notices` say in one sentence each what was not understood, and so was left out."""

    query: DeliveryQuery
    notices: tuple[str, ...] = ()


def parse(params: Params) -> Parsed:
    """Whatever stands in an address. It never raises: what it does not understand, it says."""
    reading = Reading(params)
    query = DeliveryQuery(
        statuses=reading.several("status", Status),
        subscriptions=reading.several("sub", lambda text: parse_id("subscription", text)),
        sources=reading.several("source", matching(SLUG)),
        types=reading.several("type", pattern, separator=None),
        codes=reading.several("code", matching(CODE)),
        outcomes=reading.several("error", Outcome),
        fingerprints=reading.several("fp", matching(_FINGERPRINT)),
        replay=reading.one("replay", lambda text: parse_id("replay", text), None),
        search=reading.one("q", search, ""),
        start=reading.one("from", moment, None),
        end=reading.one("to", moment, None),
        attempts=reading.one("attempts", _at_least, 0),
        below=reading.one("below", _node, None),
        oldest_first=reading.one("order", {"oldest": True, "newest": False}.__getitem__, False),
        before=reading.one("before", _cursor, None),
        after=reading.one("after", _cursor, None),
    )
    query = reading.settle(query, reading.one("since", since, ""))
    reading.mention_the_rest()
    return Parsed(query=query, notices=tuple(reading.notices))


def to_params(query: DeliveryQuery) -> dict[str, list[str]]:
    """What `parse` reads back as the same value; it is also how criteria are kept as JSON."""
    texts: dict[str, list[str]] = {
        "status": comma(query.statuses),
        "sub": comma(public_id("subscription", each) for each in query.subscriptions),
        "source": comma(query.sources),
        "type": list(query.types),
        "code": comma(query.codes),
        "error": comma(query.outcomes),
        "fp": comma(query.fingerprints),
        "replay": [public_id("replay", query.replay) if query.replay else ""],
        "q": [query.search],
        **time_params(query),
        "attempts": [f">={query.attempts}" if query.attempts else ""],
        "below": [query.below.hex if query.below else ""],
        "order": ["oldest" if query.oldest_first else ""],
        "before": [public_id("delivery", query.before) if query.before else ""],
        "after": [public_id("delivery", query.after) if query.after else ""],
    }
    return {name: values for name, values in texts.items() if any(values)}


def to_url(query: DeliveryQuery) -> str:
    return as_url(to_params(query))


def _at_least(text: str) -> int:
    found = _ATTEMPTS.fullmatch(text)
    if found is None or not 1 <= int(found[1]) <= MOST_ATTEMPTS:
        raise ValueError(text)
    return int(found[1])


def _node(text: str) -> UUID:
    """An event or a delivery; which of the two is told by the tables."""
    kind = "event" if text.startswith("evt_") else "delivery"
    return parse_id(kind, text)


def _cursor(text: str) -> UUID:
    return parse_id("delivery", text)
