"""The way an event comes into the tables; `store_many` is the other one, for many at once.

It decides nothing about a request: that was done before.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import DateTimeField, F, QuerySet, Value
from django.db.models.functions import Greatest
from django.utils import timezone

from webhooks import spans, story, wake
from webhooks.deciders.trace_context import Parent
from webhooks.ids import public_id, trace_id, uuid7
from webhooks.models import EventKey, KeyKind
from webhooks.receipt_sql import PROOF, claim, insert, keep


class Fact(NamedTuple):  # a frozen dataclass of as many fields takes three times as long to make
    """Everything an event is made of, except the ids that we give it."""

    source_id: UUID
    source_revision: int
    kind: str
    key_digest: bytes
    external_id: str
    event_type: str
    occurred_at: datetime | None
    received_at: datetime
    body: bytes
    body_digest: bytes  # tells a repeat from a conflict
    content_type: str
    headers: Sequence[tuple[str, str]]
    verified_by: str
    operation_id: str = ""
    entity: str = ""
    entity_version: int | None = None
    cause_id: UUID | None = (
        None  # the delivery it says it follows from; whoever routes it looks whether that is so
    )
    tracestate: str = ""  # other vendors' entries, which go out again with its deliveries
    business_keys: Sequence[tuple[str, str]] = ()
    sender: Parent | None = None  # the sender's span, where traces are told
    target_id: UUID | None = None  # the one subscriber it is for
    deliver_at: datetime | None = None  # not routed before
    former_digest: Callable[[], bytes] | None = None  # what an earlier version would have made of the same

    def repeats(self, body_digest: bytes | memoryview) -> bool:
        """Whether what took our id, and had this digest, said the same."""
        taken = bytes(body_digest)
        return taken == self.body_digest or (self.former_digest is not None and taken == self.former_digest())


@dataclass(frozen=True, kw_only=True, slots=True)
class Proof:
    """What a publication was decided by, for the statement that stores it to compare: see `receipt_sql`."""

    api_key_digest: str
    type_state: str | None  # None: the catalogue had no such type
    type_changed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Stored:
    event_id: UUID


@dataclass(frozen=True, slots=True)
class Duplicate:
    event_id: UUID
    first_seen_at: datetime


@dataclass(frozen=True, slots=True)
class Conflict:
    """The same id with another body. `event_id` is the event that was first."""

    event_id: UUID


@dataclass(frozen=True, slots=True)
class SourceChanged:
    """The source is no longer as the caller knew it: load it and decide again."""


Verdict = Stored | Duplicate | Conflict | SourceChanged


def store(fact: Fact) -> Verdict:
    """Returns `Stored` only once the event is committed, or will be with the caller's transaction."""
    event_id = uuid7()
    if fact.operation_id:
        return _store_operation(fact, event_id)
    values = _values(fact, event_id)
    if not insert(values, fact.business_keys):
        return _seen_before(fact)
    return _stored(fact, values)


def store_proved(fact: Fact, proof: Proof) -> Stored | None:
    """For what was decided by copies in memory. None, and nothing is stored, unless all of them still hold.

    None is no verdict: the id may be taken, the source changed, the key revoked. Decide again, by the tables.
    """
    values = _values(fact, uuid7())
    held = {name: getattr(proof, name) for name in PROOF}
    return _stored(fact, values) if insert(values, fact.business_keys, held) else None


def _stored(fact: Fact, values: Mapping[str, Any]) -> Stored:
    transaction.on_commit(partial(_announce, fact, values["event_id"], values["trace_id"]))
    return Stored(values["event_id"])


def _announce(fact: Fact, event_id: UUID, trace: UUID) -> None:
    wake.ring(wake.EVENTS)
    tell_stored(fact, event_id, trace)


def tell_stored(fact: Fact, event_id: UUID, trace: UUID) -> None:
    """The first step of an event's life, for logs and traces."""
    if spans.is_on():
        _span(fact, event_id, trace)
    story.tell(
        "received",
        event_id=event_id,
        source_id=fact.source_id,
        external_id=fact.external_id,
        event_type=fact.event_type,
        size=len(fact.body),
        verified_by=fact.verified_by,
        cause_id=public_id("delivery", fact.cause_id) if fact.cause_id else None,
        trace_id=trace,
        **story.payload("body", fact.body),
    )


def _span(fact: Fact, event_id: UUID, trace: UUID) -> None:
    at, below = spans.received(
        event_id=event_id, trace_id=trace, is_caused=fact.cause_id is not None, sender=fact.sender
    )
    span = spans.Span(
        name="receive",
        at=at,
        kind="server",
        began_at=fact.received_at,
        ended_at=timezone.now(),
        parent_id=below and below.span_id,
        links=(spans.Place(*fact.sender),) if fact.sender and not below else (),
        attributes={
            "weir.event_id": public_id("event", event_id),
            "weir.source_id": public_id("source", fact.source_id),
            "weir.event_type": fact.event_type,
            "messaging.message.body.size": len(fact.body),
        },
    )
    spans.emit(span)


def _store_operation(fact: Fact, event_id: UUID) -> Verdict:
    """Whatever its id, an event that reports an operation known already is that event again.

    Its id is remembered all the same, so that it stays a duplicate however often it comes.
    """
    with transaction.atomic():
        values = _values(fact, event_id)
        if not claim(values):
            return _seen_before(fact)
        first_id, first_seen_at = _holder(fact, event_id)
        if first_id != event_id:
            _keys(fact).update(event_id=first_id)
            return Duplicate(first_id, first_seen_at)
        keep(values, fact.business_keys)
        return _stored(fact, values)


def _holder(fact: Fact, event_id: UUID) -> tuple[UUID, datetime]:
    """The event that reported the operation first; this one, if nobody did before."""
    at = fact.received_at
    ours = EventKey(
        source_id=fact.source_id,
        kind=KeyKind.OPERATION,
        digest=_operation_digest(fact),
        event_id=event_id,
        body_digest=fact.body_digest,
        first_seen_at=at,
        last_seen_at=at,
    )
    # Where another receipt is about to take it, this waits until that one has committed.
    EventKey.objects.bulk_create([ours], ignore_conflicts=True)
    held = _operations(fact)
    first_id, first_seen_at = held.values_list("event_id", "first_seen_at").get()
    if first_id != event_id:
        held.update(duplicates=F("duplicates") + 1, last_seen_at=_latest(at))
    return first_id, first_seen_at


def _latest(at: datetime) -> Greatest:
    """What was refused and is accepted after all came earlier than what was seen since."""
    return Greatest(F("last_seen_at"), Value(at, DateTimeField()))


def _operation_digest(fact: Fact) -> bytes:
    return hashlib.sha256(fact.operation_id.encode()).digest()


def _operations(fact: Fact) -> QuerySet[EventKey]:
    return EventKey.objects.filter(
        source_id=fact.source_id, kind=KeyKind.OPERATION, digest=_operation_digest(fact)
    )


def _keys(fact: Fact) -> QuerySet[EventKey]:
    return EventKey.objects.filter(source_id=fact.source_id, kind=fact.kind, digest=fact.key_digest)


def _seen_before(fact: Fact) -> Duplicate | Conflict | SourceChanged:
    keys = _keys(fact).filter(source__revision=fact.source_revision, source__is_enabled=True)
    found = keys.values_list("pk", "event_id", "body_digest", "first_seen_at").first()
    if found is None:
        return SourceChanged()
    pk, event_id, body_digest, first_seen_at = found
    key = EventKey.objects.filter(pk=pk)
    if not fact.repeats(body_digest):
        key.update(conflicts=F("conflicts") + 1, last_seen_at=_latest(fact.received_at))
        return Conflict(event_id)
    key.update(duplicates=F("duplicates") + 1, last_seen_at=_latest(fact.received_at))
    return Duplicate(event_id, first_seen_at)


def peek(fact: Fact) -> Duplicate | Conflict | None:
    """What `store` would say of it now, as far as ids tell; None when it would be stored. It writes nothing."""
    held = _keys(fact).values_list("event_id", "body_digest", "first_seen_at").first()
    if held is not None and not _is_past_window(fact, held[2]):
        event_id, body_digest, first_seen_at = held
        return Duplicate(event_id, first_seen_at) if fact.repeats(body_digest) else Conflict(event_id)
    if not fact.operation_id:
        return None
    found = _operations(fact).values_list("event_id", "first_seen_at").first()
    return Duplicate(*found) if found else None


def _is_past_window(fact: Fact, first_seen_at: datetime) -> bool:
    window = timedelta(seconds=settings.HUB_FINGERPRINT_WINDOW_S)
    return fact.kind == KeyKind.FINGERPRINT and first_seen_at < fact.received_at - window


def _values(fact: Fact, event_id: UUID) -> dict[str, Any]:
    """One value for each of the parameters in `receipt_sql`."""
    return {
        "key_id": uuid7(),
        "event_id": event_id,
        "trace_id": trace_id(),
        "window_start": fact.received_at - timedelta(seconds=settings.HUB_FINGERPRINT_WINDOW_S),
        "source_id": fact.source_id,
        "source_revision": fact.source_revision,
        "kind": str(fact.kind),
        "key_digest": fact.key_digest,
        "external_id": fact.external_id,
        "event_type": fact.event_type,
        "occurred_at": fact.occurred_at,
        "received_at": fact.received_at,
        "body": fact.body,
        "body_digest": fact.body_digest,
        "content_type": fact.content_type,
        "headers": json.dumps(fact.headers),
        "verified_by": fact.verified_by,
        "operation_id": fact.operation_id,
        "entity": fact.entity,
        "entity_version": fact.entity_version,
        "cause_id": fact.cause_id,
        "target_id": fact.target_id,
        "deliver_at": fact.deliver_at,
        "tracestate": fact.tracestate,
    }
