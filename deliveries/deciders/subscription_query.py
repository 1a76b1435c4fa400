"""Decides which subscriptions somebody asks for, and how a subscription stands in one word. It reads no table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Final
from urllib.parse import urlencode

STATES: Final = ("active", "paused", "disabled", "unproved", "circuit")
SORTS: Final = ("name", "host", "state", "success", "p95", "dead", "rate")
BIGGEST_FIRST: Final = frozenset({"p95", "dead", "rate"})  # the way one asks for them first
DEEPEST_PAGE: Final = 10_000
STATE_WORDS: Final[dict[str, str]] = {
    "active": "Active",
    "paused": "Paused",
    "disabled": "Disabled",
    "unproved": "Waits for its proof",
    "open": "Circuit open",
    "half_open": "Half-open",
    "recovering": "Recovering",
}
# The worst first: what nobody may have noticed stands before what somebody decided.
TROUBLE: Final = ("open", "half_open", "recovering", "disabled", "unproved", "paused", "active")


def standing(*, hold: str, circuit: str) -> str:
    """A key of STATE_WORDS: a person's word before what the circuit says."""
    return hold or ("active" if circuit == "closed" else circuit)


def fits(state: str, *, hold: str, circuit: str) -> bool:
    """Whether a lane is one of those that a filter of STATES asks for."""
    if state == "circuit":
        return circuit != "closed"
    return not state or standing(hold=hold, circuit=circuit) == state


@dataclass(frozen=True, kw_only=True, slots=True)
class SubscriptionQuery:
    """Empty means: any. `sort` is one of SORTS, with a minus for the other way; empty: trouble first."""

    state: str = ""
    subscriber: str = ""  # a public id
    q: str = ""  # part of a name or a host, or an id
    sort: str = ""
    page: int = 1

    def address(self) -> str:
        """Its own part of a URL; a page's plain address is `?`."""
        default = SubscriptionQuery()
        pairs = [(each.name, getattr(self, each.name)) for each in fields(self)]
        return "?" + urlencode([(name, value) for name, value in pairs if value != getattr(default, name)])

    def sorted_by(self, column: str) -> "SubscriptionQuery":
        """The same by this column, and the other way when it is already."""
        first, other = (f"-{column}", column) if column in BIGGEST_FIRST else (column, f"-{column}")
        return replace(self, sort=other if self.sort == first else first, page=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Read:
    query: SubscriptionQuery
    notices: Sequence[str]


def read(params: Mapping[str, str]) -> Read:
    """What a URL asks for; what it cannot mean is left out and named in a notice."""
    query, notices = SubscriptionQuery(), []
    for name, value in params.items():
        found = _READERS.get(name, _nothing)(query, value.strip())
        if found is None:
            notices.append(_ignored(name, value))
        else:
            query = found
    return Read(query=query, notices=notices)


def _ignored(name: str, value: str) -> str:
    if name not in _READERS:
        return f"There is no filter “{name[:40]}”; it was ignored."
    return f"The filter {name} cannot be “{value[:40]}”; it was ignored."


def _nothing(query: SubscriptionQuery, value: str) -> SubscriptionQuery | None:
    return None


def _state(query: SubscriptionQuery, value: str) -> SubscriptionQuery | None:
    return replace(query, state=value) if value in ("", *STATES) else None


def _subscriber(query: SubscriptionQuery, value: str) -> SubscriptionQuery | None:
    return replace(query, subscriber=value) if len(value) <= 100 else None


def _q(query: SubscriptionQuery, value: str) -> SubscriptionQuery | None:
    return replace(query, q=value) if len(value) <= 200 else None


def _sort(query: SubscriptionQuery, value: str) -> SubscriptionQuery | None:
    return replace(query, sort=value) if value.removeprefix("-") in ("", *SORTS) and value != "-" else None


def _page(query: SubscriptionQuery, value: str) -> SubscriptionQuery | None:
    is_number = value.isascii() and value.isdigit() and len(value) < 6
    return replace(query, page=int(value)) if is_number and 0 < int(value) <= DEEPEST_PAGE else None


_READERS: Final = {"state": _state, "subscriber": _subscriber, "q": _q, "sort": _sort, "page": _page}
