"""Reads a deliveries query from an address and writes it back. It never raises: what it does not know, it says."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TypeVar
from urllib.parse import urlencode
from uuid import UUID

from webhooks.ids import parse_id, public_id

from .delivery_query import DEFAULT_SINCE, SINCE, DeliveryQuery, Status, to_millisecond
from .matching import ANY, validate_pattern
from .outcome import Outcome

MOST_VALUES = 50  # of one filter; a longer list is a slip, or an attack
MOST_ATTEMPTS = 10_000
MOST_LETTERS = 500  # of a search; no sender's id that we keep is longer
FIRST_YEAR, LAST_YEAR = 2000, 9999  # ids tell the time since 1970, and until long after

_CODE = re.compile(r"[1-5][0-9]{2}|[2-5]xx|net", re.ASCII)
_SLUG = re.compile(r"[a-z0-9-]{1,63}", re.ASCII)
_FINGERPRINT = re.compile(r"v[0-9]{1,3}:[0-9a-f]{1,36}", re.ASCII)
_ATTEMPTS = re.compile(r">=([0-9]{1,6})", re.ASCII)

T = TypeVar("T")
Params = Mapping[str, Sequence[str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Parsed:
    """`notices` say in one sentence each what was not understood, and so was left out."""

    query: DeliveryQuery
    notices: tuple[str, ...] = ()


def parse(params: Params) -> Parsed:
    """Whatever stands in an address. It never raises: what it does not understand, it says."""
    reading = _Reading(params)
    query = DeliveryQuery(
        statuses=reading.several("status", Status),
        subscriptions=reading.several("sub", lambda text: parse_id("subscription", text)),
        sources=reading.several("source", _matching(_SLUG)),
        types=reading.several("type", _pattern, separator=None),
        codes=reading.several("code", _matching(_CODE)),
        outcomes=reading.several("error", Outcome),
        fingerprint=reading.one("fp", _matching(_FINGERPRINT), ""),
        search=reading.one("q", _search, ""),
        start=reading.one("from", _moment, None),
        end=reading.one("to", _moment, None),
        attempts=reading.one("attempts", _at_least, 0),
        oldest_first=reading.one("order", {"oldest": True, "newest": False}.__getitem__, False),
        before=reading.one("before", _cursor, None),
        after=reading.one("after", _cursor, None),
    )
    query = reading.settle(query, reading.one("since", _since, ""))
    reading.mention_the_rest()
    return Parsed(query=query, notices=tuple(reading.notices))


def to_params(query: DeliveryQuery) -> dict[str, list[str]]:
    """What `parse` reads back as the same value; it is also how criteria are kept as JSON."""
    by_span = query.start is None and query.end is None
    texts: dict[str, list[str]] = {
        "status": _comma(query.statuses),
        "sub": _comma(public_id("subscription", each) for each in query.subscriptions),
        "source": _comma(query.sources),
        "type": list(query.types),
        "code": _comma(query.codes),
        "error": _comma(query.outcomes),
        "fp": [query.fingerprint],
        "q": [query.search],
        "since": [query.since if by_span and query.since != _default_since(query) else ""],
        "from": [_iso(query.start)],
        "to": [_iso(query.end)],
        "attempts": [f">={query.attempts}" if query.attempts else ""],
        "order": ["oldest" if query.oldest_first else ""],
        "before": [public_id("delivery", query.before) if query.before else ""],
        "after": [public_id("delivery", query.after) if query.after else ""],
    }
    return {name: values for name, values in texts.items() if any(values)}


def to_url(query: DeliveryQuery) -> str:
    """The query string, with its question mark; without any filter the bare mark, which drops an older one."""
    return "?" + urlencode(to_params(query), doseq=True, safe=",:*>=")


def _default_since(query: DeliveryQuery) -> str:
    """An exact search, or one issue, is looked for in all that is kept."""
    return "all" if query.search or query.fingerprint else DEFAULT_SINCE


class _Reading:
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

    def settle(self, query: DeliveryQuery, since: str) -> DeliveryQuery:
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
        return replace(query, since=since or _default_since(query))

    def mention_the_rest(self) -> None:
        unknown = [_clip(name) for name in self.params if name not in self.known][:MOST_VALUES]
        self.notices += [f"There is no filter “{name}”; it was ignored." for name in unknown]

    def _given(self, name: str) -> Sequence[str]:
        self.known.add(name)
        return self.params.get(name, ())

    def _read(self, name: str, text: str, read: Callable[[str], T | None]) -> T | None:
        try:
            return read(text)
        except (ValueError, KeyError, OverflowError):
            self.notices.append(f"The filter {name} does not know “{_clip(text)}”; it was ignored.")
            return None


def _matching(shape: re.Pattern[str]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if not shape.fullmatch(text):
            raise ValueError(text)
        return text

    return read


def _pattern(text: str) -> str | None:
    if text == ANY:
        return None  # every type: no filter at all
    validate_pattern(text)
    return text


def _search(text: str) -> str:
    if len(text) > MOST_LETTERS or not text.isprintable():
        raise ValueError(text)
    return text


def _at_least(text: str) -> int:
    found = _ATTEMPTS.fullmatch(text)
    if found is None or not 1 <= int(found[1]) <= MOST_ATTEMPTS:
        raise ValueError(text)
    return int(found[1])


def _since(text: str) -> str:
    SINCE[text]
    return text


def _cursor(text: str) -> UUID:
    return parse_id("delivery", text)


def _moment(text: str) -> datetime:
    """ISO; UTC unless it says otherwise. To the millisecond, as ids tell the time."""
    at = datetime.fromisoformat(text)
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    if not FIRST_YEAR <= at.year < LAST_YEAR:
        raise ValueError(text)
    return to_millisecond(at)


def _iso(at: datetime | None) -> str:
    return f"{at.replace(tzinfo=None).isoformat()}Z" if at else ""


def _comma(values: Iterable[str]) -> list[str]:
    return [",".join(values)]


def _clip(text: str) -> str:
    shown = "".join(each if each.isprintable() else "\ufffd" for each in text[:40])
    return shown + "…" if len(text) > 40 else shown
