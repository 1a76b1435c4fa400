"""Reads a JSON Schema within limits and says where a value does not fit it. It fetches nothing, ever.

A schema may refer to parts of itself only. A check is bounded in work, in depth and in what it tells, since both
the schema and what it is held against were written by others.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from jsonschema import Draft7Validator, Draft201909Validator, Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError
from jsonschema.validators import extend
from referencing import Registry, Resource
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

MAX_SIZE: Final = 65_536  # bytes of a schema, written compactly
MAX_DEPTH: Final = 64  # of a schema
MAX_WORK: Final = (
    100_000  # keywords applied in one check, a second or so; `anyOf` in itself would take for ever
)
MOST_FLAWS: Final = 10  # told of one value; who mends these asks again
LONGEST_FLAW: Final = 200  # characters; a flaw quotes the value
LONGEST_MATCHED: Final = 2_000  # characters held against a pattern
LONGEST_PATTERN: Final = 500
LOCAL: Final = "#"
_REFERENCES: Final = ("$ref", "$dynamicRef", "$recursiveRef")
_IN_PATTERNS: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|[()*+]|\{\d*,\}|.", re.DOTALL)
_UNBOUNDED: Final = re.compile(r"[*+]|\{\d*,\}")

Flaw = str
_left: ContextVar[list[int]] = ContextVar("_left")


class _TooMuchWork(Exception):  # noqa: N818
    """The check would take too long."""


@dataclass(frozen=True, slots=True)
class Schema:
    """One that was found fit. `flaws` never raises."""

    text: str
    _validator: Any = field(repr=False, compare=False)

    def flaws(self, value: object) -> list[Flaw]:
        """Where the value does not fit, as `data.items[0].price: -1 is less than the minimum of 0`; at most ten."""
        token = _left.set([MAX_WORK])
        try:
            found = islice(self._validator.iter_errors(value), MOST_FLAWS)
            return [f"{_place(error)}: {error.message[:LONGEST_FLAW]}" for error in found]
        except _TooMuchWork:
            return ["data: It takes too much work to hold this against its schema."]
        except RecursionError:
            return ["data: It is nested too deeply to be held against its schema."]
        except Unresolvable:
            return ["data: Its schema refers to something that is not there."]
        finally:
            _left.reset(token)


def read_schema(document: object) -> Schema:
    """Raises ValueError with one sentence, which says where, when this is no schema that we hold anything against."""
    if not isinstance(document, dict):
        raise ValueError('A schema is a JSON object, such as {"type": "object"}.')
    text = _written(document)
    for name, value, depth in _pairs(document):
        if depth > MAX_DEPTH:
            raise ValueError(f"The schema is nested more than {MAX_DEPTH} levels deep.")
        _check_pair(name, value, depth)
    kind = _DRAFTS.get(_draft(document))
    if kind is None:
        raise ValueError(
            "The $schema must name draft 2020-12, 2019-09 or 07, or be left out: then it is 2020-12."
        )
    try:
        kind.check_schema(document)
    except SchemaError as error:
        where = "/".join(map(str, error.absolute_path))
        raise ValueError(f"This is no JSON Schema, at /{where}: {error.message[:LONGEST_FLAW]}.") from None
    except RecursionError:
        raise ValueError("The schema is nested too deeply.") from None
    _check_references(document)
    return Schema(text, kind(document, registry=Registry()))


def _written(document: Mapping[str, Any]) -> str:
    try:
        text = json.dumps(document, separators=(",", ":"), allow_nan=False)
    except (ValueError, RecursionError):
        raise ValueError("The schema has a number or a depth that JSON cannot hold.") from None
    if len(text) > MAX_SIZE:
        raise ValueError(f"The schema has more than {MAX_SIZE:,} bytes.")
    return text


def _draft(document: Mapping[str, Any]) -> str:
    return str(document.get("$schema", "")).rstrip("#").replace("http://", "https://")


def _pairs(document: object) -> Iterator[tuple[str, Any, int]]:
    """Every member of every object with its depth, without recursion."""
    pending: list[tuple[object, int]] = [(document, 1)]
    while pending:
        node, depth = pending.pop()
        if isinstance(node, dict):
            yield from ((str(name), value, depth) for name, value in node.items())
            pending.extend((value, depth + 1) for value in node.values())
        elif isinstance(node, list):
            pending.extend((value, depth + 1) for value in node)


def _check_pair(name: str, value: Any, depth: int) -> None:
    if name in _REFERENCES and isinstance(value, str) and not value.startswith(LOCAL):
        raise ValueError(f"The schema refers to {value[:100]}; it may refer to parts of itself only (#/…).")
    if name == "$id" and isinstance(value, str) and depth > 1:
        raise ValueError("Only the schema as a whole may have an $id.")
    if name == "pattern" and isinstance(value, str):
        _check_pattern(value)
    if name == "patternProperties" and isinstance(value, dict):
        for pattern in value:
            _check_pattern(str(pattern))


def _check_pattern(pattern: str) -> None:
    """A repeat inside a repeat can take longer than the world has been: such a pattern is written another way."""
    if len(pattern) > LONGEST_PATTERN:
        raise ValueError(f"A pattern has at most {LONGEST_PATTERN} characters.")
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError):
        raise ValueError(f"The pattern {pattern[:80]!r} is not a regular expression.") from None
    groups, just_closed = [False], False  # whether something repeats in each open group
    for part in (found[0] for found in _IN_PATTERNS.finditer(pattern)):
        is_repeat = _UNBOUNDED.fullmatch(part) is not None
        if is_repeat and just_closed:
            raise ValueError(f"The pattern {pattern[:80]!r} repeats what repeats, which may take for ever.")
        just_closed = False
        if part == "(":
            groups.append(False)
        elif part == ")" and len(groups) > 1:
            just_closed = groups.pop()
            groups[-1] |= just_closed
        elif is_repeat:
            groups[-1] = True


def _check_references(document: Mapping[str, Any]) -> None:
    """Each leads somewhere; told now, or else at somebody's first event."""
    resource = Resource.from_contents(document, default_specification=DRAFT202012)
    base = resource.id() or ""
    resolver = Registry().with_resource(base, resource).crawl().resolver(base)
    for name, value, _ in _pairs(document):
        if name in _REFERENCES and isinstance(value, str):
            try:
                resolver.lookup(value)
            except Unresolvable:
                raise ValueError(f"The schema refers to {value[:100]}, which it does not have.") from None


def _place(error: ValidationError) -> str:
    parts = ["data"]
    for step in error.absolute_path:
        parts.append(f"[{step}]" if isinstance(step, int) else f".{str(step)[:100]}")
    return "".join(parts)


Keyword = Callable[[Any, Any, Any, Any], Any]


def _counted(keyword: Keyword) -> Keyword:
    def counted(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        left = _left.get([MAX_WORK])
        left[0] -= 1
        if left[0] < 0:
            raise _TooMuchWork
        yield from keyword(validator, value, instance, schema) or ()

    return counted


def _matched(keyword: Keyword) -> Keyword:
    def matched(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        if isinstance(instance, str) and len(instance) > LONGEST_MATCHED:
            yield ValidationError(f"A text held against a pattern has at most {LONGEST_MATCHED:,} characters")
            return
        yield from keyword(validator, value, instance, schema) or ()

    return matched


def _bounded(kind: Any) -> Any:
    keywords = {name: _counted(keyword) for name, keyword in kind.VALIDATORS.items()}
    keywords["pattern"] = _matched(keywords["pattern"])
    return extend(kind, keywords)  # type: ignore[no-untyped-call]


_LATEST: Final = _bounded(Draft202012Validator)
_DRAFTS: Final[dict[str, Any]] = {
    "": _LATEST,
    "https://json-schema.org/draft/2020-12/schema": _LATEST,
    "https://json-schema.org/draft/2019-09/schema": _bounded(Draft201909Validator),
    "https://json-schema.org/draft-07/schema": _bounded(Draft7Validator),
}
