"""Makes spans of what happened to an event, for OpenTelemetry, out of what is known once it has happened.

Off, which is the default, a span costs one comparison and nothing of OpenTelemetry is loaded; `use` turns it on. A span
is made after the fact, so nothing waits for it, and what is told of an attempt is told only once it is recorded.

An event's spans are one trace, the cascade's: `receive`, below it `route`, below that each `attempt`. Processes share
nothing for it, since the ids of the first two follow from the event's. A sender's own trace is joined by a link, not
continued: its id is the sender's word, and a job that sends ten thousand events in one trace is not one cascade. Where
the event says which delivery caused it, that trace is ours already, and `receive` hangs below the sender's span.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple
from uuid import UUID

from webhooks.deciders.trace_context import Parent

Value = str | int | float | bool


class Place(NamedTuple):
    """Where a span is: 128 and 64 bits."""

    trace_id: int
    span_id: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    name: str
    at: Place
    kind: Literal["server", "internal", "client"]
    began_at: datetime
    ended_at: datetime
    parent_id: int | None = None
    links: tuple[Place, ...] = ()
    attributes: Mapping[str, Value] = field(default_factory=dict)
    error: str = ""


_emit: Callable[[Span], None] | None = None
_flush: Callable[[], object] | None = None


def use(emit: Callable[[Span], None] | None, flush: Callable[[], object] | None = None) -> None:
    """`emit` takes each span, and must neither wait nor raise; None turns them off."""
    global _emit, _flush
    _emit, _flush = emit, flush


def is_on() -> bool:
    return _emit is not None


def emit(span: Span) -> None:
    if _emit is not None:
        _emit(span)


def flush() -> None:
    """Before a process ends: what waits is sent."""
    if _flush is not None:
        _flush()


def received(
    *, event_id: UUID, trace_id: UUID, is_caused: bool, sender: Parent | None
) -> tuple[Place, Parent | None]:
    """Where an event's first span is, and below which one."""
    if is_caused and sender is not None:
        return Place(sender.trace_id, receive_id(event_id)), sender
    return Place(trace_id.int, receive_id(event_id)), None


def receive_id(event_id: UUID) -> int:
    """The random half of a UUIDv7, which is never nought."""
    return event_id.int & 0xFFFF_FFFF_FFFF_FFFF


def route_id(event_id: UUID) -> int:
    return int.from_bytes(hashlib.sha256(event_id.bytes + b"route").digest()[:8]) or 1
