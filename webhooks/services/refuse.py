"""Keeps a request that was not accepted, so that a person can mend the cause. It answers nobody."""

import ipaddress
import json
from uuid import UUID

from django.conf import settings
from django.db.models import F, Q, Subquery, Sum, Window
from django.db.models.functions import RowNumber

from webhooks.deciders.redaction import mask, mask_query
from webhooks.deciders.verify import Arrival
from webhooks.models import Event, Refusal

_MAX_QUERY = 2_000  # characters; what the database keeps in the open
QUERY = "?"  # among the credentials: the whole query string; no header can have this name


def refuse(
    *,
    source_id: UUID,
    arrival: Arrival,
    reason: str,
    detail: str = "",
    claimed_id: str = "",
    event_id: UUID | None = None,
) -> Refusal:
    """Raw bytes, masked headers, sealed credentials: all that verifying again will need."""
    headers, credentials = mask(arrival.headers.items())
    query = mask_query(arrival.query)
    if query != arrival.query or len(query) > _MAX_QUERY:  # whole, for some schemes sign it
        credentials[QUERY] = arrival.query
    sealed = json.dumps(credentials) if credentials else ""
    refusal = Refusal.objects.create(
        source_id=source_id,
        reason=reason,
        detail=detail[:500],
        claimed_id=claimed_id[:500],
        received_at=arrival.received_at,
        remote_address=_address(arrival.remote_address),
        method=arrival.method[:10],
        query=query[:_MAX_QUERY],
        headers=headers,
        credentials=sealed,
        body=arrival.body,
        size=len(arrival.body) + len(json.dumps(headers)) + len(query[:_MAX_QUERY]) + len(sealed),
        event_id=_if_it_still_exists(event_id),
    )
    _keep_the_latest(source_id)
    return refusal


def _keep_the_latest(source_id: UUID) -> None:
    """Bounded in number and in bytes: a flood of bad signatures must not fill the disk, nor a few huge bodies.

    Walks one index, no further than what is kept. The very latest stays whatever its size, or there would be
    nothing to show.
    """
    newest_first = F("id").desc()
    ranked = Refusal.objects.filter(source_id=source_id).annotate(
        place=Window(RowNumber(), order_by=newest_first),
        bytes_so_far=Window(Sum("size"), order_by=newest_first),
    )
    too_many = Q(place__gt=settings.HUB_REFUSALS_PER_SOURCE)
    too_large = Q(place__gt=1, bytes_so_far__gt=settings.HUB_REFUSAL_BYTES_PER_SOURCE)
    first_too_many = ranked.filter(too_many | too_large).order_by(newest_first).values("id")[:1]
    Refusal.objects.filter(source_id=source_id, id__lte=Subquery(first_too_many)).delete()


def _if_it_still_exists(event_id: UUID | None) -> UUID | None:
    # An id is remembered longer than the event it was taken for.
    return Event.objects.filter(id=event_id).values_list("id", flat=True).first() if event_id else None


def _address(text: str) -> str | None:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None
