"""Reads a JSON Schema within limits and says where a value does not fit it. It fetches nothing, ever.

A schema may refer to parts of itself only. A check is bounded in work, in depth and in what it tells, since both
the schema and what it is held against were written by others.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice
from typing import Any, Final

from jsonschema import Draft7Validator, Draft201909Validator, Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError
from jsonschema.validators import extend
from referencing import Registry, Resource
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from .patterns import check_pattern, matches

MAX_SIZE: Final = 65_536  # bytes of a schema, written compactly
MAX_DEPTH: Final = 64  # of a schema
MAX_WORK: Final = (
    100_000  # keywords applied in one check, a second or so; `anyOf` in itself would take for ever
)
MOST_PATTERNS: Final = 100  # of a schema: each is kept ready to match
MOST_FLAWS: Final = 10  # told of one value; who mends these asks again
LONGEST_FLAW: Final = 200  # characters; a flaw quotes the value
LONGEST_MATCHED: Final = 100_000  # characters held against a pattern
_MATCHED: Final = 2_000  # of those, as long as applying one keyword
LOCAL: Final = "#"
_REFERENCES: Final = ("$ref", "$dynamicRef", "$recursiveRef")
_LISTED: Final = 32  # entries of a keyword's list, as long as applying one keyword

Flaw = str
_left: ContextVar[list[int]] = ContextVar("_left")


class _TooMuchWork(Exception):  # noqa: N818
    """The check would take too long."""


@dataclass(frozen=True, slots=True)
class Schema:
    """One that was found fit. `flaws` never raises."""

    text: str
    _validator: Any = field(repr=False, compare=False)
    _why_unfit: str = ""  # of one that was kept when more would do

    def flaws(self, value: object) -> list[Flaw]:
        """Where the value does not fit, as `data.items[0].price: -1 is less than the minimum of 0`; at most ten."""
        if self._why_unfit:
            return [f"data: Nothing can be held against its schema. {self._why_unfit}"]
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
    _check_members(document)
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


def read_kept_schema(document: object) -> Schema:
    """One that was found fit when it was kept, perhaps by other rules: nothing fits what is unfit now."""
    try:
        return read_schema(document)
    except ValueError as error:
        return Schema("", None, _why_unfit=str(error))


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


def _check_members(document: Mapping[str, Any]) -> None:
    names: set[str] = set()
    patterns = 0
    for name, value, depth in _pairs(document):
        if depth > MAX_DEPTH:
            raise ValueError(f"The schema is nested more than {MAX_DEPTH} levels deep.")
        _check_pair(name, value, depth)
        names.add(name)
        patterns += (
            len(value) if name == "patternProperties" and isinstance(value, dict) else name == "pattern"
        )
    if patterns > MOST_PATTERNS:
        raise ValueError(f"A schema has at most {MOST_PATTERNS} patterns.")
    # There the library would match by Python's `re`.
    if {"unevaluatedProperties", "patternProperties"} <= names:
        raise ValueError("A schema with unevaluatedProperties can have no patternProperties.")


def _check_pair(name: str, value: Any, depth: int) -> None:
    if name in _REFERENCES and isinstance(value, str) and not value.startswith(LOCAL):
        raise ValueError(f"The schema refers to {value[:100]}; it may refer to parts of itself only (#/…).")
    if name == "$id" and isinstance(value, str) and depth > 1:
        raise ValueError("Only the schema as a whole may have an $id.")
    if name == "pattern" and isinstance(value, str):
        check_pattern(value)
    if name == "patternProperties" and isinstance(value, dict):
        for pattern in value:
            check_pattern(pattern)


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


def _spend(work: int) -> None:
    left = _left.get([MAX_WORK])
    left[0] -= work
    if left[0] < 0:
        raise _TooMuchWork


def _counted(keyword: Keyword) -> Keyword:
    def counted(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        _spend(1 + (len(value) // _LISTED if isinstance(value, dict | list) else 0))
        yield from keyword(validator, value, instance, schema) or ()

    return counted


def _pattern(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if not validator.is_type(instance, "string"):
        return
    if len(instance) > LONGEST_MATCHED:
        yield ValidationError(f"A text held against a pattern has at most {LONGEST_MATCHED:,} characters")
    elif not _fits(value, instance):
        yield ValidationError(f"{instance!r} does not match {value!r}")


def _pattern_properties(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if not validator.is_type(instance, "object"):
        return
    _spend(len(value) * len(instance) // _LISTED)
    for pattern, below in value.items():
        for name, each in instance.items():
            if _fits(pattern, name):
                yield from validator.descend(each, below, path=name, schema_path=pattern)


def _additional_properties(
    validator: Any, value: Any, instance: Any, schema: Any
) -> Iterator[ValidationError]:
    if not validator.is_type(instance, "object"):
        return
    named, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    _spend(len(patterns) * len(instance) // _LISTED)
    extras = [
        name for name in instance if name not in named and not any(_fits(each, name) for each in patterns)
    ]
    if isinstance(value, dict):
        for name in extras:
            yield from validator.descend(instance[name], value, path=name)
    elif not value and extras:
        yield ValidationError(f"Additional properties are not allowed: {', '.join(map(repr, extras))}")


def _fits(pattern: str, text: str) -> bool:
    _spend(len(text) // _MATCHED)
    return matches(pattern, text)


def _multiple(keyword: Keyword) -> Keyword:
    def multiple(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        try:
            yield from keyword(validator, value, instance, schema) or ()
        except OverflowError:  # a number beyond any float, held against one
            if Fraction(instance) % Fraction(value):
                yield ValidationError(f"{instance!r} is not a multiple of {value}")

    return multiple


def _unique(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    """In one pass, where the library holds each item against each."""
    if value and validator.is_type(instance, "array") and len(set(map(_same, instance))) < len(instance):
        yield ValidationError(f"{instance!r} has non-unique elements")


def _same(value: Any) -> Any:
    """The same for what JSON Schema calls equal: 1 is 1.0, and neither is true. Numbers are told as texts, whose
    hashes nobody can foresee."""
    if isinstance(value, dict):
        return frozenset((name, _same(each)) for name, each in value.items())
    if isinstance(value, list):
        return tuple(map(_same, value))
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return f"={value}" if isinstance(value, str) else repr(value)


def _bounded(kind: Any) -> Any:
    own = {**kind.VALIDATORS, "uniqueItems": _unique, "multipleOf": _multiple(kind.VALIDATORS["multipleOf"])}
    # These three, for the library would match by Python's `re`.
    own["pattern"] = _pattern
    own["patternProperties"], own["additionalProperties"] = _pattern_properties, _additional_properties
    keywords = {name: _counted(keyword) for name, keyword in own.items()}
    return extend(kind, keywords)  # type: ignore[no-untyped-call]


_LATEST: Final = _bounded(Draft202012Validator)
_DRAFTS: Final[dict[str, Any]] = {
    "": _LATEST,
    "https://json-schema.org/draft/2020-12/schema": _LATEST,
    "https://json-schema.org/draft/2019-09/schema": _bounded(Draft201909Validator),
    "https://json-schema.org/draft-07/schema": _bounded(Draft7Validator),
}
