"""Puts what is sent into a CloudEvent, structured as JSON (CloudEvents 1.0, and its JSON format). It never sends one.

What is JSON already becomes `data` byte for byte, so that no number is written another way. The same facts always
make the same bytes, so nothing of it need be kept between two attempts.
"""

import base64
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from webhooks.deciders.expressions import ExpressionFailed, parse_json
from webhooks.deciders.times import zulu

STRUCTURED: Final = "application/cloudevents+json"
NO_TYPE: Final = "event"  # the attribute may not be empty
JSON: Final = "application/json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """What an event's row says that the attributes repeat."""

    event_type: str
    source: str  # a URI reference
    at: datetime
    entity: str = ""


def source_of(public_url: str, slug: str) -> str:
    """Where such events come in; with the hub's address, where that is known."""
    return f"{public_url.rstrip('/')}/in/{slug}"


def wrap(*, message_id: str, told: Told, body: bytes, content_type: str) -> bytes:
    """`id` is the webhook-id, which names the delivery."""
    head = {
        "specversion": "1.0",
        "id": message_id,
        "source": told.source,
        "type": told.event_type or NO_TYPE,
        "time": zulu(told.at, to="auto"),
    }
    if told.entity:
        head["subject"] = told.entity
    if _is_json(body):
        return _joined(head | {"datacontenttype": JSON}, "data", body)
    if content_type:
        head["datacontenttype"] = content_type
    try:
        return _joined(head, "data", _written(body.decode()))
    except UnicodeDecodeError:
        return _joined(head, "data_base64", _written(base64.b64encode(body).decode()))


def _is_json(body: bytes) -> bool:
    try:
        parse_json(body)
        body.decode()  # other encodings of JSON cannot stand inside this one
    except (ExpressionFailed, UnicodeDecodeError):
        return False
    return not body.startswith(b"\xef\xbb\xbf")


def _joined(head: dict[str, str], name: str, value: bytes) -> bytes:
    return _written(head)[:-1] + f',"{name}":'.encode() + value + b"}"


def _written(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
