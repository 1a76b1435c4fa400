"""Keeps a request that was not accepted, so that a person can mend the cause. It answers nobody."""

import ipaddress
import json
from threading import Lock
from uuid import UUID

from django.conf import settings
from django.db.models import F, Q, Sum, Window
from django.db.models.functions import RowNumber

from webhooks.deciders.redaction import mask, mask_query
from webhooks.deciders.verify import Arrival
from webhooks.models import Event, Refusal

_MAX_QUERY = 2_000  # characters; what the database keeps in the open
_PART = 64  # of a bound: what a process keeps beyond it at most, before it looks again
QUERY = "?"  # among the credentials: the whole query string; no header can have this name

# Of each source, how many this process kept since it looked, and how many bytes.
_unlooked: dict[UUID, tuple[int, int]] = {}
_lock = Lock()


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
    _look_after_the_bounds(source_id, refusal.size)
    return refusal


def _look_after_the_bounds(source_id: UUID, size: int) -> None:
    if _is_time_to_look(source_id, size):
        try:
            _keep_the_latest(source_id)
        except BaseException:
            _unlooked.pop(source_id, None)  # so that the next one looks
            raise


def _is_time_to_look(source_id: UUID, size: int) -> bool:
    """At a process's first refusal of a source, and whenever it has kept a 64th of a bound since it looked.

    To look costs as much as is kept: so the cost of one refusal does not grow with the bounds.
    """
    with _lock:
        number, total = _unlooked.get(source_id, (settings.HUB_REFUSALS_PER_SOURCE, 0))
        number, total = number + 1, total + size
        is_time = (
            number >= settings.HUB_REFUSALS_PER_SOURCE // _PART
            or total >= settings.HUB_REFUSAL_BYTES_PER_SOURCE // _PART
        )
        _unlooked[source_id] = (0, 0) if is_time else (number, total)
    return is_time


def _keep_the_latest(source_id: UUID) -> None:
    """Bounded in number and in bytes: a flood of bad signatures must not fill the disk, nor a few huge bodies.

    Walks one index, no further than what is kept, and before it locks anything. The very latest stays whatever its
    size, or there would be nothing to show.
    """
    newest_first = F("id").desc()
    ranked = Refusal.objects.filter(source_id=source_id).annotate(
        place=Window(RowNumber(), order_by=newest_first),
        bytes_so_far=Window(Sum("size"), order_by=newest_first),
    )
    too_many = Q(place__gt=settings.HUB_REFUSALS_PER_SOURCE)
    too_large = Q(place__gt=1, bytes_so_far__gt=settings.HUB_REFUSAL_BYTES_PER_SOURCE)
    first_too_many = (
        ranked.filter(too_many | too_large).order_by(newest_first).values_list("id", flat=True).first()
    )
    if first_too_many:
        Refusal.objects.filter(source_id=source_id, id__lte=first_too_many).delete()


def _if_it_still_exists(event_id: UUID | None) -> UUID | None:
    # An id is remembered longer than the event it was taken for.
    return Event.objects.filter(id=event_id).values_list("id", flat=True).first() if event_id else None


def _address(text: str) -> str | None:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None
