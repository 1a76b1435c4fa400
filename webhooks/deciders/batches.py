"""Parts a request that reports many events into bodies that report one each, all else in them unchanged.

A provider's own shape stays: each body has the same lists, with a single item. It checks no signature.
"""

import json
from collections.abc import Iterator
from typing import Any

from .arrival import Arrival
from .scheme_columns import Scheme

_ROOT = "@"


def bodies_of(row: Scheme, arrival: Arrival) -> list[bytes]:
    """The body as it came, byte for byte, unless it really holds more than one event."""
    if not row.batch or not _may_be_batch(row, arrival) or not _has_list(row, arrival.document):
        return [arrival.body]
    try:
        documents = [json.loads(arrival.body)]
        for path in row.batch:
            documents = [part for document in documents for part in _parted(document, path)]
        if len(documents) < 2:
            return [arrival.body]
        return [_written(part) for part in documents]
    except (ValueError, RecursionError):
        return [arrival.body]


def _written(document: Any) -> bytes:
    """Half a character has no UTF-8: where there is one, all that is not ASCII is escaped."""
    try:
        return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        return json.dumps(document, separators=(",", ":")).encode()


def _may_be_batch(row: Scheme, arrival: Arrival) -> bool:
    return arrival.headers.get("content-type", "").lower().startswith(row.batch_type)


def _has_list(row: Scheme, document: Any) -> bool:
    """Most requests report one event; whether this one does costs no second parse."""
    for path in row.batch:
        lists = _lists(document, path)
        if sum(len(items) for items in lists.values()) > 1:
            return True
    return False


def _parted(document: Any, path: str) -> Iterator[Any]:
    """One document for each item of the list at `path`; `a|b` are lists side by side, parted likewise."""
    lists = _lists(document, path)
    if not any(lists.values()):
        yield document
        return
    steps = [] if path == _ROOT else path.split(".")[:-1]
    for name, items in lists.items():
        for item in items:
            yield _with(document, steps, name, [item], set(lists))


def _lists(document: Any, path: str) -> dict[str, list[Any]]:
    """By name, those of the lists at `path` that are there; the root's name is empty."""
    if path == _ROOT:
        return {"": document} if isinstance(document, list) else {}
    *steps, names = path.split(".")
    for step in steps:
        document = _inside(document, step)
    if not isinstance(document, dict):
        return {}
    return {
        name: items for name in names.split("|") if isinstance(items := document.get(name), list) and items
    }


def _inside(document: Any, step: str) -> Any:
    if isinstance(document, dict):
        return document.get(step)
    return document[int(step)] if isinstance(document, list) and step.isdecimal() and document else None


def _with(document: Any, steps: list[str], name: str, items: list[Any], others: set[str]) -> Any:
    """A copy in which the list `name` holds `items` and its neighbours are left out."""
    if not name:
        return items
    if not steps:
        kept = {key: value for key, value in document.items() if key == name or key not in others}
        return kept | {name: items}
    first, *rest = steps
    if isinstance(document, list):
        return [_with(document[int(first)], rest, name, items, others)]
    return document | {first: _with(document[first], rest, name, items, others)}
