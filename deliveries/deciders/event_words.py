"""Decides how an events query is said to people: chips to take off one by one. It reads no table."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from .delivery_words import narrowed, time_words
from .event_query import STATUS_WORDS, EventQuery
from .list_query import DEFAULT_SINCE


@dataclass(frozen=True, kw_only=True, slots=True)
class EventChip:
    """One filter in words, and the query without it."""

    words: str
    without: EventQuery


def event_chips(query: EventQuery) -> list[EventChip]:
    return [EventChip(words=words, without=without) for words, without in _each(query.first_page())]


def _each(query: EventQuery) -> Iterator[tuple[str, EventQuery]]:
    if query.search:
        yield query.search, replace(query, search="", since=narrowed(query))
    if words := time_words(query):
        yield words, replace(query, start=None, end=None, since=DEFAULT_SINCE)
    for status in query.statuses:
        yield (
            STATUS_WORDS[status],
            replace(query, statuses=tuple(each for each in query.statuses if each != status)),
        )
    for source in query.sources:
        yield (
            f"Source {source}",
            replace(query, sources=tuple(each for each in query.sources if each != source)),
        )
    for pattern in query.types:
        yield pattern, replace(query, types=tuple(each for each in query.types if each != pattern))
