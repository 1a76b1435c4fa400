"""The two ways to tell Weir an event: its source's signed door, and the API. Neither keeps anything."""

import hmac
import json
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from typing import Any

from demo.api import Api
from demo.line import Line

Event = Mapping[str, Any]
Trace = Mapping[str, str]
Tell = Callable[[Event, Trace], None]


def signed_door(line: Line, source: str, secret: str) -> Tell:
    """Signs as Standard Webhooks wants it, so that Weir knows it is us and this is new."""
    key = b64decode(secret.removeprefix("whsec_"))

    def tell(event: Event, trace: Trace) -> None:
        body = json.dumps(event, separators=(",", ":")).encode()

        def headers() -> dict[str, str]:
            return {**trace, "content-type": "application/json", **_signature(key, event["event_id"], body)}

        line.ask("POST", f"/in/{source}", headers=headers, body=body)

    return tell


def api_door(api: Api, source: str) -> Tell:
    def tell(event: Event, trace: Trace) -> None:
        told = {name: event[name] for name in ("event_id", "event_type", "data")}
        api.post("events", {"source": source, **told}, trace)

    return tell


def _signature(key: bytes, message_id: str, body: bytes) -> dict[str, str]:
    timestamp = str(int(time.time()))
    digest = hmac.digest(key, f"{message_id}.{timestamp}.".encode() + body, "sha256")
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{b64encode(digest).decode()}",
    }
