"""Tells what happens to an event, one line for each step, under ids by which all of it is found again.

It decides nothing, and where lines go and how they look is settled where the hub is started (`use`). What a person must
not read in a log does not get there: no secret is ever told, and a body only as HUB_LOG_PAYLOADS allows.
"""

import json
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from logging import CRITICAL, DEBUG, INFO, WARNING
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings

from webhooks.deciders.redaction import mask_document
from webhooks.deciders.times import zulu
from webhooks.ids import public_id

__all__ = ["DEBUG", "INFO", "WARNING", "Place", "is_told", "payload", "tell", "together", "use"]

LONGEST = 16_384  # characters of a body in one line
_KINDS = {
    "event_id": "event",
    "delivery_id": "delivery",
    "subscription_id": "subscription",
    "attempt_id": "attempt",
    "source_id": "source",
    "replay_id": "replay",
}


class Place(NamedTuple):
    """Where lines go: those of `least` and above, each by its level, its step and its fields.

    `group` holds lines back for `together`.
    """

    write: Callable[[int, str, dict[str, object]], None]
    least: int
    group: Callable[[], AbstractContextManager[object]] = nullcontext


_place = Place(write=lambda level, step, fields: None, least=CRITICAL)  # until somebody says where


def use(place: Place) -> None:
    global _place
    _place = place


def together() -> AbstractContextManager[object]:
    """What is told inside may be written together: a write for each line takes as long as making it."""
    return _place.group()


def is_told(level: int = INFO) -> bool:
    """For those who would have to look up what they tell."""
    return level >= _place.least


def tell(step: str, *, level: int = INFO, **fields: object) -> None:
    """One line; ids and times are given as they are and told as people read them, and what is None is left out."""
    if level < _place.least:
        return
    shown: dict[str, object] = {}
    for name, value in fields.items():
        if value is None:
            continue
        if type(value) is UUID:
            kind = _KINDS.get(name)
            value = public_id(kind, value) if kind else value.hex
        elif type(value) is datetime:
            value = zulu(value)
        shown[name] = value
    _place.write(level, step, shown)


def payload(name: str, body: bytes | memoryview) -> dict[str, Any]:
    """A body as a field of a line; nothing unless HUB_LOG_PAYLOADS asks for bodies."""
    how = settings.HUB_LOG_PAYLOADS
    if how == "off" or not body:
        return {}
    raw = bytes(body)
    text = raw.decode("utf-8", "replace") if how == "full" else redacted(raw, settings.HUB_LOG_REDACT)
    return {name: text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(raw):,} bytes)"}


def redacted(body: bytes, names: Collection[str]) -> str:
    """JSON whose sensitive values are masked. Of anything else only its size is told: nobody knows where to look."""
    try:
        return json.dumps(mask_document(json.loads(body), names), ensure_ascii=False)
    except ValueError:
        return f"({len(body):,} bytes that are not JSON)"
    except RecursionError:
        return f"({len(body):,} bytes of JSON, nested too deeply to be masked)"
