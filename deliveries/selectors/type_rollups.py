"""Reads what the slices of event types add up to, over every subscription: one statement each. It reads no raw row."""

from deliveries.models import TypeFailure, TypeRollup
from deliveries.models.rollup import OTHER_TYPES

from .rollups import Cause, Figures, Window, causes_of, figures_of, sum_of, sums, tiles


def totals(window: Window, event_type: str) -> Figures:
    return sum_of(TypeRollup.objects.filter(tiles(window), event_type=event_type))


def causes(window: Window, event_type: str) -> list[Cause]:
    return causes_of(TypeFailure.objects.filter(tiles(window), event_type=event_type))


def busiest(window: Window, most: int) -> list[tuple[str | None, Figures]]:
    """Those with the most attempts first, with latencies; None: the types beyond those that were told apart."""
    rows = TypeRollup.objects.filter(tiles(window)).order_by().values("event_type")
    ranked = rows.annotate(**sums(with_latency=True)).order_by("-attempts", "event_type")[:most]
    return [
        (None if row["event_type"] == OTHER_TYPES else row["event_type"], figures_of(row)) for row in ranked
    ]
