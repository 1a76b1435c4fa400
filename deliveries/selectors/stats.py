"""Reads figures of any window from rollups alone: of all, by subscription, by type. A few statements, however long."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from deliveries.models import Subscription
from deliveries.models.rollup import EVERY

from . import rollups, type_rollups
from .rollups import Cause, Figures, Window

# Slices of this width begin within so long ago: an hour less than retention keeps them.
KEPT: Final = ((60, timedelta(hours=47)), (900, timedelta(hours=191)))
WIDEST_S: Final = 3_600
MOST: Final = 250  # subscriptions or types that are told apart: those with the most attempts


@dataclass(frozen=True, kw_only=True, slots=True)
class OfSubscription:
    id: UUID
    name: str
    figures: Figures


@dataclass(frozen=True, kw_only=True, slots=True)
class OfType:
    """`event_type` is None where types are not told apart, since their day had too many."""

    event_type: str | None
    figures: Figures


@dataclass(frozen=True, kw_only=True, slots=True)
class Stats:
    total: Figures
    causes: Sequence[Cause]


def covering(since: datetime, until: datetime, *, now: datetime) -> Window:
    """The window of whole slices that both lie in: the narrowest slices that are still kept of its beginning."""
    width = next((width for width, kept in KEPT if since >= now - kept), WIDEST_S)
    first = int(since.timestamp()) // width * width
    last = -(-int(until.timestamp()) // width) * width
    return Window(
        since=datetime.fromtimestamp(first, UTC),
        until=datetime.fromtimestamp(max(last, first + width), UTC),
        step_s=width,
    )


def stats(window: Window, subscription: UUID | None = None) -> Stats:
    of = subscription or EVERY
    return Stats(total=rollups.totals(window, of), causes=rollups.causes(window, of))


def stats_of_type(window: Window, event_type: str) -> Stats:
    return Stats(
        total=type_rollups.totals(window, event_type), causes=type_rollups.causes(window, event_type)
    )


def by_type(window: Window) -> tuple[list[OfType], bool]:
    """The busiest first, and whether there are more."""
    found = type_rollups.busiest(window, MOST + 1)
    return [OfType(event_type=each, figures=figures) for each, figures in found[:MOST]], len(found) > MOST


def by_subscription(window: Window) -> tuple[list[OfSubscription], bool]:
    """The busiest first, and whether there are more."""
    found = rollups.busiest(window, MOST + 1)
    chosen = dict(found[:MOST])
    names = dict(Subscription.objects.filter(pk__in=chosen).values_list("pk", "name"))
    told = [
        OfSubscription(id=key, name=names[key], figures=figures)
        for key, figures in chosen.items()
        if key in names
    ]
    return told, len(found) > MOST
