"""Publishes an event for a key holder: the door's store and verdicts. It checks no key and no signature."""

import hashlib
import json
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils import timezone

from webhooks import store
from webhooks.deciders.business_keys import business_keys_of
from webhooks.deciders.causality import Parent
from webhooks.deciders.expressions import ExpressionFailed, render_json
from webhooks.deciders.identify import MAX_ENTITY, MAX_ID, MAX_TYPE, check_name, check_version
from webhooks.deciders.verify import Arrival
from webhooks.models import KeyKind, Source

from .refuse import refuse

_CONTENT_TYPE = "application/json"
VERIFIED_BY = "api-key"
PUBLISHED = "API"  # in the place of a method: such a request came with a key, and has no signature

Verdict = store.Stored | store.Duplicate | store.Conflict


def publish(
    *,
    source: Source,
    event_id: str | None = None,
    event_type: str,
    data: object,
    entity: str | None = None,
    entity_version: int | None = None,
    cause_id: UUID | None = None,
    sender: Parent | None = None,
) -> Verdict:
    """Raises ValidationError, by field, when this cannot be an event.

    An event may name what it is about (`entity`), which state of that it tells (`entity_version`), the
    delivery that caused it, and the span it was sent from (`sender`).
    """
    external_id = uuid4().hex if event_id is None else event_id
    _check("event_id", "event id", external_id, MAX_ID)
    _check("event_type", "event type", event_type, MAX_TYPE)
    subject = _subject(entity, entity_version)
    now = timezone.now()
    body = _body({"event_id": external_id, "event_type": event_type}, now, subject | {"data": data})
    while True:
        _check_enabled(source)
        fact = _fact(source, external_id, event_type, data, body, now, subject)
        verdict = store.store(replace(fact, cause_id=cause_id, sender=sender))
        if isinstance(verdict, store.Conflict):
            _keep_conflict(source, fact, verdict, now)
        if not isinstance(verdict, store.SourceChanged):
            return verdict
        source = _as_it_is_now(source)


def _check(field: str, what: str, text: str, limit: int) -> None:
    try:
        check_name(what, text, limit)
    except ValueError as error:
        raise ValidationError({field: str(error)}) from None
    if not text.strip():
        raise ValidationError({field: f"The {what} is blank."})


def _check_enabled(source: Source) -> None:
    if not source.is_enabled:
        raise ValidationError({"source": "This source is disabled."})


def _subject(entity: str | None, version: int | None) -> dict[str, str | int]:
    """What was said of the event's subject, as it is written in the body."""
    if entity is None:
        if version is not None:
            raise ValidationError({"entity_version": "A version needs the entity that it is a version of."})
        return {}
    _check("entity", "entity", entity, MAX_ENTITY)
    if version is None:
        return {"entity": entity}
    try:
        check_version(version)
    except ValueError as error:
        raise ValidationError({"entity_version": str(error)}) from None
    return {"entity": entity, "entity_version": version}


def _body(head: dict[str, object], now: datetime, rest: dict[str, object]) -> bytes:
    timestamp = now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    try:
        body = render_json({**head, "timestamp": timestamp, **rest})
    except ExpressionFailed:
        raise ValidationError({"data": "This holds something that JSON cannot."}) from None
    if len(body) > settings.HUB_MAX_BODY:
        raise ValidationError({"data": f"The event is larger than {settings.HUB_MAX_BODY} bytes."})
    return body


def _fact(
    source: Source,
    external_id: str,
    event_type: str,
    data: object,
    body: bytes,
    now: datetime,
    subject: dict[str, Any],
) -> store.Fact:
    # The timestamp differs with every try, so what was said is digested, not the body.
    said = json.dumps([event_type, data, *([subject] if subject else [])], sort_keys=True)
    return store.Fact(
        source_id=source.id,
        source_revision=source.revision,
        kind=KeyKind.ID,
        key_digest=hashlib.sha256(external_id.encode()).digest(),
        external_id=external_id,
        event_type=event_type,
        occurred_at=now,
        received_at=now,
        body=body,
        body_digest=hashlib.sha256(said.encode()).digest(),
        content_type=_CONTENT_TYPE,
        headers=[],
        verified_by=VERIFIED_BY,
        business_keys=business_keys_of(source.business_keys, body),
        **subject,
    )


def _keep_conflict(source: Source, fact: store.Fact, conflict: store.Conflict, now: datetime) -> None:
    arrival = Arrival(
        method=PUBLISHED, headers={}, body=fact.body, query="", remote_address="", received_at=now
    )
    refuse(
        source_id=source.id,
        arrival=arrival,
        reason="id-conflict",
        detail="This id was published before, with other data.",
        claimed_id=fact.external_id,
        event_id=conflict.event_id,
    )


def _as_it_is_now(source: Source) -> Source:
    try:
        return Source.objects.get(pk=source.pk)
    except Source.DoesNotExist:
        raise ValidationError({"source": "This source is gone."}) from None
