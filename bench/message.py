"""The one event that every bench sends: 1 KiB of JSON, in the shape the hub understands without being told."""

import json

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
