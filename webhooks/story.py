"""Tells what happens to an event, one line for each step, under ids by which all of it is found again.

It decides nothing, and where lines go and how they look is settled where the hub is started (`use`). What a person must
not read in a log does not get there: no secret is ever told, and a body only as HUB_LOG_PAYLOADS allows.
"""

import json
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from logging import DEBUG, INFO, WARNING
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings

from webhooks.deciders.redaction import mask_document
from webhooks.deciders.times import zulu
from webhooks.ids import public_id

__all__ = ["DEBUG", "INFO", "WARNING", "is_told", "payload", "tell", "together", "use"]

LONGEST = 16_384  # characters of a body in one line
_KINDS = {
    "event_id": "event",
    "delivery_id": "delivery",
    "subscription_id": "subscription",
    "attempt_id": "attempt",
    "source_id": "source",
    "replay_id": "replay",
}

_log: Any = structlog.wrap_logger(
    structlog.PrintLogger(), wrapper_class=structlog.make_filtering_bound_logger(WARNING)
).bind()  # until somebody says where to


_group: Callable[[], AbstractContextManager[object]] = nullcontext


def use(log: Any, *, group: Callable[[], AbstractContextManager[object]] = nullcontext) -> None:
    """`log` is a bound logger of structlog; it decides which levels are told. `group` holds lines back: `together`."""
    global _log, _group
    _log, _group = log, group


def together() -> AbstractContextManager[object]:
    """What is told inside may be written together: a write for each line takes as long as making it."""
    return _group()


def is_told(level: int = INFO) -> bool:
    """For those who would have to look up what they tell."""
    return bool(_log.is_enabled_for(level))


def tell(step: str, *, level: int = INFO, **fields: object) -> None:
    """One line; ids and times are given as they are and told as people read them, and what is None is left out."""
    if not _log.is_enabled_for(level):
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
    _log.log(level, step, **shown)


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
        document = json.loads(body)
    except (ValueError, RecursionError):
        return f"({len(body):,} bytes that are not JSON)"
    return json.dumps(mask_document(document, names), ensure_ascii=False)
