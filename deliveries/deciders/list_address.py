"""Reads the parameters of a list's address one by one, and remembers what was not understood. It never raises."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar
from urllib.parse import urlencode

from .list_query import SINCE, ListQuery, to_millisecond
from .matching import ANY, validate_pattern

MOST_VALUES = 50  # of one filter; a longer list is a slip, or an attack
MOST_LETTERS = 500  # of a search; no sender's id that we keep is longer
FIRST_YEAR, LAST_YEAR = 2000, 9999  # ids tell the time since 1970, and until long after

SLUG = re.compile(r"[a-z0-9-]{1,63}", re.ASCII)

T = TypeVar("T")
Q = TypeVar("Q", bound=ListQuery)
Params = Mapping[str, Sequence[str]]


class Reading:
    """Takes parameters one by one, and remembers which were known and what to say of them."""

    def __init__(self, params: Params) -> None:
        self.params = params
        self.known: set[str] = set()
        self.notices: list[str] = []

    def several(
        self, name: str, read: Callable[[str], T | None], *, separator: str | None = ","
    ) -> tuple[T, ...]:
        texts = [text for given in self._given(name) for text in given.split(separator or "\0")]
        if len(texts) > MOST_VALUES:
            self.notices.append(f"Of the filter {name} the first {MOST_VALUES} values were used.")
        read_ones = (self._read(name, text.strip(), read) for text in texts[:MOST_VALUES] if text.strip())
        return tuple(sorted({each for each in read_ones if each is not None}, key=str))

    def one(self, name: str, read: Callable[[str], T], otherwise: T) -> T:
        texts = [text.strip() for text in self._given(name) if text.strip()]
        if len(texts) > 1:
            self.notices.append(f"The filter {name} was given more than once; the first was used.")
        value = self._read(name, texts[0], read) if texts else None
        return otherwise if value is None else value

    def settle(self, query: Q, since: str) -> Q:
        """What contradicts itself is said, and the first of it holds."""
        if query.start and query.end and query.start >= query.end:
            self.notices.append("The filter to was ignored, since it is not later than from.")
            query = replace(query, end=None)
        if query.before and query.after:
            self.notices.append("The cursor after was ignored, since before was given too.")
            query = replace(query, after=None)
        if query.start or query.end:
            if since:
                self.notices.append("The filter since was ignored, since from or to was given too.")
            return replace(query, since="all")
        return replace(query, since=since or query.usual_since)

    def mention_the_rest(self) -> None:
        unknown = [clip(name) for name in self.params if name not in self.known][:MOST_VALUES]
        self.notices += [f"There is no filter “{name}”; it was ignored." for name in unknown]

    def _given(self, name: str) -> Sequence[str]:
        self.known.add(name)
        return self.params.get(name, ())

    def _read(self, name: str, text: str, read: Callable[[str], T | None]) -> T | None:
        try:
            return read(text)
        except (ValueError, KeyError, OverflowError):
            self.notices.append(f"The filter {name} does not know “{clip(text)}”; it was ignored.")
            return None


def matching(shape: re.Pattern[str]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if not shape.fullmatch(text):
            raise ValueError(text)
        return text

    return read


def pattern(text: str) -> str | None:
    if text == ANY:
        return None  # every type: no filter at all
    validate_pattern(text)
    return text


def search(text: str) -> str:
    if len(text) > MOST_LETTERS or not text.isprintable():
        raise ValueError(text)
    return text


def since(text: str) -> str:
    SINCE[text]
    return text


def moment(text: str) -> datetime:
    """ISO; UTC unless it says otherwise. To the millisecond, as ids tell the time."""
    at = datetime.fromisoformat(text)
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    if not FIRST_YEAR <= at.year < LAST_YEAR:
        raise ValueError(text)
    return to_millisecond(at)


def iso(at: datetime | None) -> str:
    return f"{at.replace(tzinfo=None).isoformat()}Z" if at else ""


def comma(values: Iterable[str]) -> list[str]:
    return [",".join(values)]


def clip(text: str) -> str:
    shown = "".join(each if each.isprintable() else "\ufffd" for each in text[:40])
    return shown + "…" if len(text) > 40 else shown


def time_params(query: ListQuery) -> dict[str, list[str]]:
    """The range of time, as it stands in an address; the usual one is not said."""
    by_span = query.start is None and query.end is None
    return {
        "since": [query.since if by_span and query.since != query.usual_since else ""],
        "from": [iso(query.start)],
        "to": [iso(query.end)],
    }


def as_url(params: Params) -> str:
    """The query string, with its question mark; without any filter the bare mark, which drops an older one."""
    return "?" + urlencode(params, doseq=True, safe=",:*>=")
