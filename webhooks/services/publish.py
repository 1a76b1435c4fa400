"""Publishes an event for a key holder: the door's store and verdicts. It checks no key and no signature."""

import hashlib
import json
from datetime import datetime
from uuid import uuid4

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils import timezone

from webhooks import store
from webhooks.deciders.expressions import ExpressionFailed, render_json
from webhooks.deciders.identify import MAX_ID, MAX_TYPE, check_name
from webhooks.deciders.verify import Arrival
from webhooks.models import KeyKind, Source

from .refuse import refuse

_CONTENT_TYPE = "application/json"
_VERIFIED_BY = "api-key"

Verdict = store.Stored | store.Duplicate | store.Conflict


def publish(*, source: Source, event_id: str | None = None, event_type: str, data: object) -> Verdict:
    """Raises ValidationError, by field, when this cannot be an event."""
    external_id = uuid4().hex if event_id is None else event_id
    _check("event_id", "event id", external_id, MAX_ID)
    _check("event_type", "event type", event_type, MAX_TYPE)
    now = timezone.now()
    body = _body(external_id, event_type, data, now)
    while True:
        _check_enabled(source)
        verdict = store.store(_fact(source, external_id, event_type, data, body, now))
        if isinstance(verdict, store.Conflict):
            _keep_conflict(source, body, verdict, now)
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


def _body(external_id: str, event_type: str, data: object, now: datetime) -> bytes:
    timestamp = now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    try:
        body = render_json(
            {"event_id": external_id, "event_type": event_type, "timestamp": timestamp, "data": data}
        )
    except ExpressionFailed:
        raise ValidationError({"data": "This holds something that JSON cannot."}) from None
    if len(body) > settings.HUB_MAX_BODY:
        raise ValidationError({"data": f"The event is larger than {settings.HUB_MAX_BODY} bytes."})
    return body


def _fact(
    source: Source, external_id: str, event_type: str, data: object, body: bytes, now: datetime
) -> store.Fact:
    # The timestamp differs with every try, so what was said is digested, not the body.
    said = json.dumps([event_type, data], sort_keys=True)
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
        verified_by=_VERIFIED_BY,
    )


def _keep_conflict(source: Source, body: bytes, conflict: store.Conflict, now: datetime) -> None:
    arrival = Arrival(method="POST", headers={}, body=body, query="", remote_address="", received_at=now)
    refuse(
        source_id=source.id,
        arrival=arrival,
        reason="id-conflict",
        detail="This id was published before, with other data.",
        event_id=conflict.event_id,
    )


def _as_it_is_now(source: Source) -> Source:
    try:
        return Source.objects.get(pk=source.pk)
    except Source.DoesNotExist:
        raise ValidationError({"source": "This source is gone."}) from None
