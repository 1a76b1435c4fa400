"""The one event that every bench sends: 1 KiB of JSON, in the shape the hub understands without being told."""

import json
from typing import Any

BODY_SIZE = 1024
EVENT_TYPE = "order.placed"
CONTENT_TYPE = "application/json"


def lane_type(number: int) -> str:
    """A type of event that one lane alone wants."""
    return f"order.lane{number}"


def body(event_id: str, event_type: str = EVENT_TYPE) -> bytes:
    event = {"event_id": event_id, "event_type": event_type, "data": {"order": "ORD-0091734", "note": ""}}
    text = json.dumps(event)
    return f"{text[:-3]}{'x' * (BODY_SIZE - len(text))}{text[-3:]}".encode()


def publication(port: int, path: str, key: str, event_id: str, batch: int) -> bytes:
    """A request that publishes one such event over the API, or a batch of them."""
    many = {"events": [_said(f"{event_id}-{number}") for number in range(batch)]}
    content = json.dumps(many if batch else _said(event_id)).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: {CONTENT_TYPE}\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


def _said(event_id: str) -> dict[str, Any]:
    return {"source": "shop", **json.loads(body(event_id))}
