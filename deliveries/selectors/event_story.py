"""Reads what one event's page tells: its key, its bytes, what caused it, what it caused. Bounded and by index."""

import hashlib
from uuid import UUID

from django.db.models import Q

from deliveries.models import Cascade, Delivery
from webhooks.deciders.sameness import digest_of
from webhooks.deciders.schemes import UnknownScheme, scheme
from webhooks.models import BusinessKey, Event, EventBody, EventKey, KeyKind, Refusal

from .delivery_story import brief

MOST_DELIVERIES = 100
MOST_CAUSED = 20
MOST_CONFLICTS = 20


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
