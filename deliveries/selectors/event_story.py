"""Reads what one event's page tells: its key, its bytes, what caused it, what it caused. Bounded and by index."""

import hashlib
from datetime import datetime, timedelta
from itertools import islice
from uuid import UUID

from django.conf import settings
from django.db.models import Q

from deliveries.deciders.cascade_guard import WHY_WORDS, Why
from deliveries.deciders.causes import DOUBT_WORDS, Doubt
from deliveries.models import Cascade, Delivery, DoubtedCause, Quarantine
from webhooks.deciders.sameness import digest_of
from webhooks.deciders.schemes import SCHEMES, UnknownScheme, scheme
from webhooks.ids import first_id_at, public_id
from webhooks.models import (
    AuditEntry,
    BusinessKey,
    Event,
    EventBody,
    EventKey,
    EventState,
    KeyKind,
    Refusal,
)

from .delivery_story import brief

MOST_DELIVERIES = 100
MOST_CAUSED = 20
MOST_CONFLICTS = 20
MOST_TWINS = 3
LOOKED_THROUGH = 5_000  # keys before an event's own, for the same body


def content_of(event: Event) -> EventBody | None:
    """Nothing when retention has dropped it."""
    return EventBody.objects.filter(pk=event.pk).first()


def key_of(event: Event, body: bytes | None) -> EventKey | None:
    """By which it is known when it comes again: the sender's id, else what its body adds up to."""
    wanted = Q(kind=KeyKind.ID, digest=hashlib.sha256(event.external_id.encode()).digest())
    if body is not None:
        wanted |= Q(kind=KeyKind.FINGERPRINT, digest=_fingerprint(event, body))
    keys = EventKey.objects.filter(wanted, source_id=event.source_id, event_id=event.pk)
    return keys.order_by("kind").first()


def twins_of(event: Event, key: EventKey | None) -> list[EventKey]:
    """What brought the same body shortly before, under another id, of a sender who signs no id or may change it."""
    row = SCHEMES.get(event.source.scheme)
    if key is None or row is None or (row.guards_id and not row.may_rename):
        return []
    since = first_id_at(key.first_seen_at - timedelta(seconds=settings.HUB_FINGERPRINT_WINDOW_S))
    before = EventKey.objects.filter(pk__lt=key.pk, pk__gte=since, source_id=event.source_id)
    looked = before.order_by("-pk").only("event_id", "body_digest", "first_seen_at")[:LOOKED_THROUGH]
    digest = bytes(key.body_digest)
    found = (each for each in looked if bytes(each.body_digest) == digest and each.event_id != event.pk)
    return list(islice(found, MOST_TWINS))


def business_keys_of(event: Event) -> list[BusinessKey]:
    return list(BusinessKey.objects.filter(event_id=event.pk).order_by("name"))


def conflicts_of(event: Event) -> list[Refusal]:
    """Requests that came with its id and another body, the newest first."""
    rows = Refusal.objects.filter(event_id=event.pk, reason="id-conflict").order_by("-pk")
    return list(rows.only("received_at", "remote_address", "reason")[:MOST_CONFLICTS])


def deliveries_of(event: Event) -> list[Delivery]:
    return list(brief(Delivery.objects.filter(event_id=event.pk)).order_by("pk")[:MOST_DELIVERIES])


def cause_of(event: Event) -> Delivery | None:
    """The delivery that caused it, with its event and its subscription's name; nothing when there is none."""
    if event.cause_id is None:
        return None
    rows = Delivery.objects.filter(pk=event.cause_id).select_related("event", "subscription")
    return rows.only("event_type", "event__event_type", "event__received_at", "subscription__name").first()


def guarded(event: Event) -> dict[str, object]:
    """Why it was set aside and what came of that; and which cause it named that did not hold."""
    held = Quarantine.objects.filter(pk=event.pk).first()
    doubted = DoubtedCause.objects.filter(pk=event.pk).first() if event.cause_id is None else None
    return {
        "quarantine": held,
        "why_held": WHY_WORDS[Why(held.why)] if held else "",
        "doubted": doubted,
        "why_doubted": DOUBT_WORDS[Doubt(doubted.why)] if doubted else "",
    }


def cancelled_at(event: Event) -> datetime | None:
    """As the record of that act has it; the event does not say when."""
    if event.state != EventState.CANCELLED:
        return None
    acts = AuditEntry.objects.filter(
        object_kind="event", object_id=public_id("event", event.pk), verb="cancel"
    )
    return acts.order_by("-pk").values_list("at", flat=True).first()


def caused_by(event: Event, deliveries: list[Delivery]) -> list[Event]:
    """Events that its deliveries caused; they are in its cascade."""
    rows = Event.objects.filter(
        trace_id=event.trace_id, cause_id__isnull=False, cause_id__in=[each.pk for each in deliveries]
    )
    return list(rows.select_related("source").order_by("pk")[:MOST_CAUSED])


def cascade_of(trace_id: UUID) -> Cascade | None:
    return Cascade.objects.filter(pk=trace_id).select_related("root__source").first()


def _fingerprint(event: Event, body: bytes) -> bytes:
    try:
        return digest_of(scheme(event.source.scheme), body)
    except UnknownScheme:
        return hashlib.sha256(body).digest()
