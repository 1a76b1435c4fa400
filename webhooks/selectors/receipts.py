"""Reads what came of all requests at the door since the hub began, and how long each source has been silent.

It reads totals and one index entry for each source that is expected to speak, never events or refusals by their number.
"""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from webhooks.models import ReceiptTotal, Source

from .sources import with_last_event


class Receipts(NamedTuple):
    source_id: UUID
    verdict: str
    reason: str  # of those that were refused
    number: int


class Expected(NamedTuple):
    """A source that owes us an event now and then; what it sent last, or else when it was made."""

    source_id: UUID
    every_s: int
    last_at: datetime


def receipts() -> list[Receipts]:
    """In the order they began in; no row ever goes."""
    rows = ReceiptTotal.objects.order_by("id").values_list("source_id", "verdict", "reason", "count")
    return [Receipts(*row) for row in rows]


def slugs() -> dict[UUID, str]:
    return dict(Source.objects.values_list("pk", "slug"))


def expected() -> list[Expected]:
    sources = with_last_event(Source.objects.filter(is_enabled=True, expected_every_s__isnull=False))
    return [
        Expected(each.pk, each.expected_every_s, max(each.last_event_at or each.created_at, each.created_at))
        for each in sources.order_by("pk")
    ]
