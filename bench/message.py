"""The one event that every bench sends: 1 KiB of JSON, in the shape the hub understands without being told."""

import json

BODY_SIZE = 1024
EVENT_TYPE = "order.placed"
CONTENT_TYPE = "application/json"


def body(event_id: str) -> bytes:
    event = {"event_id": event_id, "event_type": EVENT_TYPE, "data": {"order": "ORD-0091734", "note": ""}}
    text = json.dumps(event)
    return f"{text[:-3]}{'x' * (BODY_SIZE - len(text))}{text[-3:]}".encode()
