"""Describes, as OpenAPI 3.1 does under `webhooks`, the requests that Weir sends for each type of the catalogue.

A name leads to a Path Item: here the hub is the caller, and whoever subscribes implements it. It reads no table.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

_REFERENCES: Final = ("$ref", "$dynamicRef", "$recursiveRef")


@dataclass(frozen=True, kw_only=True, slots=True)
class TypeFacts:
    """What the catalogue, or Weir of its own, says of one event type."""

    name: str
    description: str = ""
    schema: Mapping[str, Any] | None = None
    example: Any = None
    is_deprecated: bool = False
    event_id: str = "3f2c9a547d1e4b8e9a770c6d2f1b5e10"  # such as one may be


def webhooks_section(types: Iterable[TypeFacts]) -> dict[str, Any]:
    """The value of the document's top-level `webhooks`, by the types' names in their order."""
    return {each.name: {"post": _operation(each)} for each in sorted(types, key=lambda each: each.name)}


def _operation(each: TypeFacts) -> dict[str, Any]:
    media: dict[str, Any] = {"schema": _envelope(each)}
    if each.example is not None:
        media["example"] = _example(each)
    operation: dict[str, Any] = {
        "operationId": f"receive:{each.name}",
        "summary": f"Weir tells a subscriber of {each.name}",
        "description": each.description
        or f"Sent to every subscription that wants {each.name} and neither filters nor transforms it.",
        "parameters": [_header(name, text, pattern) for name, text, pattern in _HEADERS],
        "requestBody": {"required": True, "content": {"application/json": media}},
        "responses": _RESPONSES,
    }
    return operation | ({"deprecated": True} if each.is_deprecated else {})


def _envelope(each: TypeFacts) -> dict[str, Any]:
    """What is published, as it is sent: the data that the type describes, and what Weir says around it."""
    return {
        "type": "object",
        "required": ["event_id", "event_type", "timestamp", "data"],
        "properties": {
            "event_id": {"type": "string", "description": "The publisher's id of the event."},
            "event_type": {"const": each.name},
            "timestamp": {"type": "string", "format": "date-time", "description": "When it was published."},
            "entity": {"type": "string", "description": "What it is about, where its publisher said so."},
            "entity_version": {"type": "integer", "description": "Which state of that it tells."},
            "data": _data(each),
        },
    }


def _data(each: TypeFacts) -> dict[str, Any]:
    """Given an id of its own where it refers to itself: `#/…` would else mean the document around it."""
    if each.schema is None:
        return {}
    schema = dict(each.schema)
    if "$id" not in schema and _refers(schema):
        schema = {"$id": f"urn:weir:event-type:{each.name}", **schema}
    return schema


def _refers(node: object) -> bool:
    pending = [node]
    while pending:
        part = pending.pop()
        if isinstance(part, dict):
            if any(isinstance(part.get(name), str) for name in _REFERENCES):
                return True
            pending.extend(part.values())
        elif isinstance(part, list):
            pending.extend(part)
    return False


def _example(each: TypeFacts) -> dict[str, Any]:
    return {
        "event_id": each.event_id,
        "event_type": each.name,
        "timestamp": "2026-01-01T00:00:00.000Z",
        "data": each.example,
    }


def _header(name: str, text: str, pattern: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "header",
        "required": True,
        "description": text,
        "schema": {"type": "string", "pattern": pattern},
    }


_HEADERS: Final = (
    ("webhook-id", "Names the delivery: the same on every attempt and replay. Do it once.", "^dlv_[0-9a-f]{32}$"),
    ("webhook-timestamp", "When this attempt was made, in Unix seconds.", "^[0-9]+$"),
    (
        "webhook-signature",
        "By every live key, with spaces between: v1 is HMAC-SHA256, v1a ed25519, over id.timestamp.body.",
        "^v1a?,[A-Za-z0-9+/]+=*( v1a?,[A-Za-z0-9+/]+=*)*$",
    ),
)  # fmt: skip
_RESPONSES: Final = {
    "2XX": {"description": "It was heard, and is not sent again."},
    "410": {"description": "Never again: the subscription is disabled."},
    "4XX": {
        "description": "Not this one: dead after three attempts, unless the subscription says otherwise."
    },
    "default": {"description": "Later: it is sent again; a Retry-After is heeded."},
}
