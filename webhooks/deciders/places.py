"""Finds the text at a place of a request that the table names. It never raises and never guesses.

A place is `header:<name>`, `form:<field>`, or `json:<path>` with dots between the names of nested objects and the
positions in lists (a name with dots in it stands in quotes). Several joined by ` + ` are one text with `/` in
between, if each of them holds something. `jmespath:<expression>` is what an operator may say besides.
"""

import re
from collections.abc import Sequence
from functools import lru_cache

from .arrival import Arrival
from .expressions import ExpressionFailed, compile_expression, parse_json

_EXPRESSION = "jmespath:"
_NAME = re.compile(r'"[^"]*"|[^."]+')
_Step = tuple[str, tuple[str, ...]]


def first_of(arrival: Arrival, places: Sequence[str]) -> str:
    for place in places:
        if text := look_up(arrival, place):
            return text
    return ""


def look_up(arrival: Arrival, place: str) -> str:
    """The text or number there; empty when there is none."""
    if place.startswith(_EXPRESSION):
        return evaluated(arrival, place.removeprefix(_EXPRESSION))
    steps = _steps(place)
    if len(steps) == 1:
        return _at(arrival, *steps[0])
    texts = [_at(arrival, kind, path) for kind, path in steps]
    return "/".join(texts) if all(texts) else ""


def evaluated(arrival: Arrival, expression: str) -> str:
    try:
        return as_text(compile_expression(expression).evaluate(parse_json(arrival.body)))
    except (ExpressionFailed, ValueError):
        return ""


def as_text(value: object) -> str:
    if isinstance(value, str):
        return value if value.strip() else ""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return str(value) if is_number else ""


def _at(arrival: Arrival, kind: str, path: tuple[str, ...]) -> str:
    if kind == "header":
        return arrival.headers.get(path[0], "").strip()
    if kind == "form":
        return next(iter(arrival.form.get(path[0], ())), "").strip()
    value = arrival.document
    for name in path:
        value = _inside(value, name)
    return as_text(value)


def _inside(value: object, name: str) -> object:
    if isinstance(value, dict):
        return value.get(name)
    if isinstance(value, list) and name.isdecimal():
        return value[int(name)] if int(name) < len(value) else None
    return None


@lru_cache(maxsize=1_024)
def _steps(place: str) -> tuple[_Step, ...]:
    found = []
    for single in place.split(" + "):
        kind, _, path = single.partition(":")
        names = {"header": (path.lower(),), "form": (path,)}.get(kind) or _path(path)
        found.append((kind, names))
    return tuple(found)


def _path(text: str) -> tuple[str, ...]:
    return tuple(name.strip('"') for name in _NAME.findall(text))
