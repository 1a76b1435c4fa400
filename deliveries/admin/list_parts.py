"""What the pages of long lists share: choices of a filter, spans of time, what forms send along. It asks nothing."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from deliveries.deciders.delivery_words import SINCE_WORDS
from deliveries.deciders.list_query import ListQuery
from deliveries.selectors.keyset import COUNTED, Page
from deliveries.selectors.patience import TooSlow, patience

Q = TypeVar("Q", bound=ListQuery)
Address = Callable[[Any], str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """One value of a filter: chosen or not, and where choosing it leads."""

    words: str
    address: str
    is_chosen: bool


def spans(query: ListQuery, address: Address) -> list[Choice]:
    return [
        Choice(
            words=words,
            address=address(replace(query.first_page(), since=since, start=None, end=None)),
            is_chosen=query.since == since and not (query.start or query.end),
        )
        for since, words in SINCE_WORDS.items()
    ]


def toggled(query: ListQuery, name: str, value: Any, words: str, address: Address) -> Choice:
    chosen = getattr(query, name)
    after = set(chosen) ^ {value}
    changed: dict[str, Any] = {name: tuple(sorted(after, key=str))}
    return Choice(words=words, address=address(replace(query, **changed)), is_chosen=value in chosen)


def kept(params: Mapping[str, Sequence[str]]) -> dict[str, list[tuple[str, str]]]:
    """What a small form sends along, so that it changes its own filter and no other."""
    pairs = [(name, value) for name, values in params.items() for value in values]
    return {
        "time": [pair for pair in pairs if pair[0] not in ("since", "from", "to")],
        "q": [pair for pair in pairs if pair[0] != "q"],
        "all": pairs,
    }


def neighbours(query: Q, found: Page, address: Address) -> dict[str, str]:
    if not found.ids:
        return {"next": "", "previous": ""}
    return {
        "next": address(query.following(found.ids[-1])) if found.has_next else "",
        "previous": address(query.preceding(found.ids[0])) if found.has_previous else "",
    }


def counted(count: Callable[[], int]) -> str:
    """In words; empty where it takes too long."""
    try:
        with patience(1):
            number = count()
    except TooSlow:
        return ""
    return f"{COUNTED // 1000}k+" if number > COUNTED else f"{number:,}"
