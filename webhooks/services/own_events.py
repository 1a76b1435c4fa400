"""Writes the events that Weir itself sends, in the caller's transaction. It never decides who hears of what.

Their source is made when the first of them is written. Nobody publishes by it, nothing comes in at its door, and
nobody changes it.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError

from webhooks import store_many
from webhooks.deciders.expressions import render_json
from webhooks.deciders.own import OWN_SOURCE
from webhooks.deciders.times import zulu
from webhooks.models import KeyKind, Source
from webhooks.store import Fact

BY_WEIR = "weir"  # who vouches for it
_SLUGS = (
    "weir",
    "weir-itself",
    "weir-hub-events",
)  # a person may have taken the first before it meant anything
_REFUSED = "This source is Weir's own: by it Weir tells what happens here, and nobody changes it."


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnEvent:
    """`key` names the fact, so that it is written once however often it is told."""

    event_type: str
    key: str
    target_id: UUID
    data: Mapping[str, Any]


def write(events: Sequence[OwnEvent], now: datetime) -> None:
    if events:
        _ensure_source()
        store_many.store_own([_fact(event, now) for event in events])


def check_not_own(source_id: UUID) -> None:
    """Raises ValidationError."""
    if source_id == OWN_SOURCE:
        raise ValidationError({"source": [_REFUSED]})


def _ensure_source() -> None:
    if Source.objects.filter(pk=OWN_SOURCE).exists():
        return
    taken = set(Source.objects.filter(slug__in=_SLUGS).values_list("slug", flat=True))
    slug = next(slug for slug in _SLUGS if slug not in taken)
    made = Source(id=OWN_SOURCE, name="Weir itself", slug=slug, scheme="none")
    Source.objects.bulk_create([made], ignore_conflicts=True)  # another may make it at this moment


def _fact(event: OwnEvent, now: datetime) -> Fact:
    timestamp = zulu(now)
    external_id = f"{event.event_type}/{event.key}"
    body = {"event_id": external_id, "event_type": event.event_type, "timestamp": timestamp}
    said = json.dumps([event.event_type, event.data], sort_keys=True).encode()
    return Fact(
        source_id=OWN_SOURCE,
        source_revision=1,
        kind=KeyKind.ID,
        key_digest=hashlib.sha256(f"{external_id}/{event.target_id}".encode()).digest(),
        external_id=external_id,
        event_type=event.event_type,
        occurred_at=now,
        received_at=now,
        body=render_json({**body, "data": event.data}),
        body_digest=hashlib.sha256(said).digest(),
        content_type="application/json",
        headers=[],
        verified_by=BY_WEIR,
        target_id=event.target_id,
    )
