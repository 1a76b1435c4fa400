"""Reads what waits behind a lane in trouble: how much, since when, of which sources, in which cascades. Bounded.

It looks at the oldest of what is owed, by the index that each lane has of it; more than that is not counted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Count, Min

from deliveries.models import Cascade, Circuit, Delivery, DeliveryState, Lane

LOOKED_AT = 5_000  # deliveries of the lane, from the oldest
MOST_SHOWN = 8  # sources, and cascades


@dataclass(frozen=True, kw_only=True, slots=True)
class Behind:
    """A source or a cascade, and how many of what was looked at are of it. Only a source has a `slug`."""

    id: UUID
    name: str
    count: int
    slug: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class BlastRadius:
    """`is_more`: further deliveries wait behind those that were looked at."""

    parked: int
    is_more: bool
    oldest_at: datetime | None
    sources: Sequence[Behind]
    cascades: Sequence[Behind] | None  # None: not for this reader


def radius_in_trouble(lane: Lane) -> BlastRadius | None:
    """None of a lane that moves freely: what it owes is on its way."""
    is_in_trouble = lane.hold or lane.circuit != Circuit.CLOSED
    return blast_radius(lane.pk) if is_in_trouble else None


def blast_radius(subscription_id: UUID) -> BlastRadius:
    """In four questions, however much waits."""
    owed = Delivery.objects.filter(subscription_id=subscription_id, state=DeliveryState.PENDING)
    ids = list(owed.order_by("pk").values_list("pk", flat=True)[: LOOKED_AT + 1])
    looked_at = Delivery.objects.filter(pk__in=ids[:LOOKED_AT]).order_by()
    by_source = list(
        looked_at.values_list("source_id", "source__name", "source__slug").annotate(
            count=Count("pk"), oldest=Min("created_at")
        )
    )
    traces = looked_at.values("event__trace_id").annotate(count=Count("pk"))
    by_cascade = dict(traces.values_list("event__trace_id", "count"))
    known = Cascade.objects.filter(pk__in=list(by_cascade)).values_list("pk", "root__event_type")
    return BlastRadius(
        parked=min(len(ids), LOOKED_AT),
        is_more=len(ids) > LOOKED_AT,
        oldest_at=min((oldest for *_, oldest in by_source), default=None),
        sources=_most(
            [Behind(id=pk, name=name, count=count, slug=slug) for pk, name, slug, count, _ in by_source]
        ),
        cascades=_most([Behind(id=pk, name=kind or "no type", count=by_cascade[pk]) for pk, kind in known]),
    )


def _most(found: Sequence[Behind]) -> list[Behind]:
    return sorted(found, key=lambda each: (-each.count, each.name, each.id))[:MOST_SHOWN]
