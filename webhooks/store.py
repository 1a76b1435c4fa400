"""The only way an event comes into the tables. It decides nothing about a request: that was done before."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F

from webhooks import wake
from webhooks.ids import trace_id, uuid7
from webhooks.models import EventKey
from webhooks.receipt_sql import insert


@dataclass(frozen=True, kw_only=True, slots=True)
class Fact:
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
    if not insert(_values(fact, event_id)):
        return _seen_before(fact)
    transaction.on_commit(partial(wake.ring, wake.EVENTS))
    return Stored(event_id)


def _seen_before(fact: Fact) -> Duplicate | Conflict | SourceChanged:
    keys = EventKey.objects.filter(
        source_id=fact.source_id,
        kind=fact.kind,
        digest=fact.key_digest,
        source__revision=fact.source_revision,
        source__is_enabled=True,
    )
    found = keys.values_list("pk", "event_id", "body_digest", "first_seen_at").first()
    if found is None:
        return SourceChanged()
    pk, event_id, body_digest, first_seen_at = found
    key = EventKey.objects.filter(pk=pk)
    if bytes(body_digest) != fact.body_digest:
        key.update(conflicts=F("conflicts") + 1, last_seen_at=fact.received_at)
        return Conflict(event_id)
    key.update(duplicates=F("duplicates") + 1, last_seen_at=fact.received_at)
    return Duplicate(event_id, first_seen_at)


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
    }
