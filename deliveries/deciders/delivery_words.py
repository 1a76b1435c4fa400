"""Decides how a deliveries query is said to people: chips to take off one by one, and one line. It reads no table."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from webhooks.ids import public_id

from .delivery_query import DeliveryQuery, Status
from .list_query import DEFAULT_SINCE, SINCE, ListQuery
from .outcome import Outcome

STATUS_WORDS: Final[dict[Status, str]] = {
    Status.PENDING: "Pending",
    Status.RETRYING: "Retrying",
    Status.HELD: "Held",
    Status.DEAD: "Dead letter",
    Status.DELIVERED: "Delivered",
    Status.DISCARDED: "Discarded",
    Status.SUPERSEDED: "Superseded",
}

OUTCOME_WORDS: Final[dict[Outcome, str]] = {
    Outcome.OK: "answered 2xx",
    Outcome.GONE: "410 Gone",
    Outcome.CLIENT_ERROR: "refused by the receiver",
    Outcome.REDIRECT: "redirected",
    Outcome.THROTTLED: "throttled",
    Outcome.SERVER_ERROR: "failed at the receiver",
    Outcome.TIMEOUT: "timeout",
    Outcome.REFUSED: "no connection",
    Outcome.RESET: "connection broke",
    Outcome.DNS: "host not found",
    Outcome.TLS: "TLS failed",
    Outcome.BAD_RESPONSE: "answer not understood",
    Outcome.BLOCKED: "address blocked",
    Outcome.OVERSIZED: "payload too large",
    Outcome.UNSENDABLE: "request cannot be built",
    Outcome.TRANSFORM_FAILED: "transform failed",
    Outcome.FILTER_FAILED: "filter failed",
    Outcome.OWN_TROUBLE: "put back by Weir",
}

SINCE_WORDS: Final = {
    "15m": "Last 15 minutes",
    "1h": "Last hour",
    "24h": "Last 24 hours",
    "7d": "Last 7 days",
    "30d": "Last 30 days",
    "all": "Any time",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Chip:
    """One filter in words, and the query without it."""

    words: str
    without: DeliveryQuery


def chips(query: DeliveryQuery, *, names: Mapping[UUID, str]) -> list[Chip]:
    """All filters but the status, which the tabs show. `names` are the subscriptions'."""
    first = query.first_page()
    return [Chip(words=words, without=without) for words, without in _each(first, names)]


def sentence(query: DeliveryQuery, *, names: Mapping[UUID, str]) -> str:
    """Such as `Dead letter, ERP core, last 24 hours`: for records and confirmations."""
    said = [STATUS_WORDS[status] for status in query.statuses] or ["All deliveries"]
    said += [chip.words for chip in chips(query, names=names)]
    if query.since == DEFAULT_SINCE:
        said.append(SINCE_WORDS[DEFAULT_SINCE])
    return ", ".join(said)


def _each(query: DeliveryQuery, names: Mapping[UUID, str]) -> Iterator[tuple[str, DeliveryQuery]]:
    if query.search:
        # Without the search its wide time range would read everything.
        without = replace(query, search="")
        yield f"Id {query.search}", replace(without, since=narrowed(without))
    yield from _time(query)
    for each in query.subscriptions:
        name = names.get(each) or public_id("subscription", each)
        yield name, replace(query, subscriptions=_but(query.subscriptions, each))
    for source in query.sources:
        yield f"Source {source}", replace(query, sources=_but(query.sources, source))
    for pattern in query.types:
        yield pattern, replace(query, types=_but(query.types, pattern))
    for code in query.codes:
        yield code_words(code), replace(query, codes=_but(query.codes, code))
    for outcome in query.outcomes:
        yield _headed(OUTCOME_WORDS[outcome]), replace(query, outcomes=_but(query.outcomes, outcome))
    for fingerprint in query.fingerprints:
        fewer = replace(query, fingerprints=_but(query.fingerprints, fingerprint))
        yield f"Issue {fingerprint}", fewer if fewer.fingerprints else replace(fewer, since=narrowed(fewer))
    if query.replay:
        without = replace(query, replay=None)
        yield f"Replay {public_id('replay', query.replay)}", replace(without, since=narrowed(without))
    if query.below:
        without = replace(query, below=None)
        yield "Below one node of a cascade", replace(without, since=narrowed(without))
    if query.attempts:
        plural = "" if query.attempts == 1 else "s"
        yield f"At least {query.attempts} attempt{plural}", replace(query, attempts=0)


def _time(query: DeliveryQuery) -> Iterator[tuple[str, DeliveryQuery]]:
    if words := time_words(query):
        yield words, replace(query, start=None, end=None, since=DEFAULT_SINCE)


def time_words(query: ListQuery) -> str:
    """The range of time, where it is not the usual one."""
    if query.start or query.end:
        said = [f"from {_said(query.start)}"] if query.start else []
        said += [f"to {_said(query.end)}"] if query.end else []
        return _headed(" ".join(said))
    return SINCE_WORDS[query.since] if query.usual_since == DEFAULT_SINCE != query.since else ""


def _headed(words: str) -> str:
    return words[:1].upper() + words[1:]


def code_words(code: str) -> str:
    return "No answer" if code == "net" else f"Response {code}"


def narrowed(query: ListQuery) -> str:
    """The time range of what is left of a query: as wide as is read soon, unless it says another."""
    return "all" if query.start or query.end else query.usual_since


def _but(values: Sequence[str] | Sequence[UUID] | Sequence[Outcome], gone: object) -> tuple:  # type: ignore[type-arg]
    return tuple(value for value in values if value != gone)


def _said(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC" if at else ""


assert SINCE.keys() == SINCE_WORDS.keys()  # noqa: S101 (a span without words would break every page)
