"""Keeps a request that was not accepted, so that a person can mend the cause. It answers nobody."""

import ipaddress
import json
from uuid import UUID

from django.conf import settings
from django.db.models import Subquery

from webhooks.deciders.redaction import mask, mask_query
from webhooks.deciders.verify import Arrival
from webhooks.models import Event, Refusal

_MAX_QUERY = 2_000  # characters; what the database keeps
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
    if query != arrival.query:
        credentials[QUERY] = arrival.query
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
        credentials=json.dumps(credentials) if credentials else "",
        body=arrival.body,
        event_id=_if_it_still_exists(event_id),
    )
    _keep_the_latest(source_id)
    return refusal


def _keep_the_latest(source_id: UUID) -> None:
    # Walks one index, no further than the bound; a flood of bad signatures must not fill the disk.
    of_source = Refusal.objects.filter(source_id=source_id).order_by("-id")
    first_too_many = of_source.values("id")[settings.HUB_REFUSALS_PER_SOURCE :][:1]
    of_source.order_by().filter(id__lte=Subquery(first_too_many)).delete()


def _if_it_still_exists(event_id: UUID | None) -> UUID | None:
    # An id is remembered longer than the event it was taken for.
    return Event.objects.filter(id=event_id).values_list("id", flat=True).first() if event_id else None


def _address(text: str) -> str | None:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None
