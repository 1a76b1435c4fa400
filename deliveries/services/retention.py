"""Drops what is past its retention, in small batches: bodies first, rows later. Never what is still owed.

A pending delivery and an unresolved dead letter keep their event, its body and all their attempts, however old.
A replay itself, with its counts, is kept for ever; its items go with the rows they name.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from time import monotonic
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Exists, OuterRef, QuerySet

from deliveries.models import (
    Alert,
    Cascade,
    CircuitChange,
    Delivery,
    DeliveryBody,
    DeliveryState,
    DepthSlice,
    EntityVersion,
    Exchange,
    Mute,
    Replay,
    ReplayItem,
    Rollup,
    RollupFailure,
    TypeFailure,
    TypeRollup,
)
from webhooks.ids import first_id_at
from webhooks.models import Event, EventBody, EventKey, EventState, ReceiptRollup, Refusal
from webhooks.services import kept_answers

from . import replay_packs, replays
from .rearming import ACTIVE

BATCH = 500  # rows in one transaction: well under 50 ms, so that SQLite's other writers don't wait
BUDGET_S = 240.0  # one run; what is left waits for the next
OWED = (DeliveryState.PENDING, DeliveryState.DEAD)
KEEP_ROLLUPS_DAYS = {60: 2, 900: 8, 3600: 396, 86_400: 396}  # by the width of a slice: the wider, the longer
KEEP_RECEIPTS_DAYS = 31  # of rollups at the door: pages ask for the last day, people for the last month
UNROUTED = (EventState.SCHEDULED, EventState.RECEIVED, EventState.QUARANTINED)


def drop_expired(*, now: datetime) -> dict[str, int]:
    """Says how many of each were dropped. Ids tell the time (UUIDv7), so each step reads an index from its start."""
    bodies = first_id_at(now - timedelta(days=settings.HUB_KEEP_BODIES_DAYS))
    rows = first_id_at(now - timedelta(days=settings.HUB_KEEP_ROWS_DAYS))
    keys_until = now - timedelta(days=settings.HUB_KEEP_ROWS_DAYS)
    refusals = first_id_at(now - timedelta(days=settings.HUB_KEEP_REFUSALS_DAYS))
    steps: dict[str, Callable[[], QuerySet[Any]]] = {
        "event bodies": lambda: _bodies(bodies),
        "exchanges": lambda: Exchange.objects.filter(attempt_id__lt=bodies).exclude(
            attempt__delivery__state__in=OWED
        ),
        "made bodies": lambda: DeliveryBody.objects.filter(delivery_id__lt=bodies).exclude(
            delivery__state__in=OWED
        ),
        "replay items": lambda: ReplayItem.objects.filter(
            replay_id__in=Replay.objects.filter(finished_at__lt=keys_until).values("pk")
        ),
        "deliveries": lambda: Delivery.objects.filter(~_is_chosen(), id__lt=rows).exclude(state__in=OWED),
        "events": lambda: _events(rows),
        "event keys": lambda: EventKey.objects.filter(id__lt=rows, last_seen_at__lt=keys_until),
        "entity versions": lambda: _versions(keys_until, rows),
        "circuit changes": lambda: CircuitChange.objects.filter(id__lt=rows),
        "refusals": lambda: Refusal.objects.filter(id__lt=refusals),
        "kept answers": lambda: kept_answers.expired(now=now),
        "alerts": lambda: Alert.objects.filter(id__lt=rows, closed_at__lt=keys_until),  # with their messages
        "mutes": lambda: Mute.objects.filter(until__lt=keys_until),
    }
    deadline = monotonic() + BUDGET_S
    dropped = {name: _drop(step, deadline) for name, step in steps.items()}
    returned = sum(replays.return_waiting(each) for each in replays.cut_short())
    return dropped | {
        "rollups": _drop_rollups(now, deadline),
        "receipts": _drop_receipts(now, deadline),
        "items of cancelled replays": returned,
    }


def _drop_receipts(now: datetime, deadline: float) -> int:
    before = now - timedelta(days=KEEP_RECEIPTS_DAYS)
    return _drop(partial(ReceiptRollup.objects.filter, starts_at__lt=before), deadline, order="starts_at")


def _drop_rollups(now: datetime, deadline: float) -> int:
    dropped = 0
    for width_s, days in KEEP_ROLLUPS_DAYS.items():
        old = {"width_s": width_s, "starts_at__lt": now - timedelta(days=days)}
        for model in (Rollup, RollupFailure, TypeRollup, TypeFailure, DepthSlice):
            # By age, as their index is; wide slices that are kept lie between narrow ones that are not.
            dropped += _drop(partial(model.objects.filter, **old), deadline, order="starts_at")
    return dropped


def _drop(step: Callable[[], QuerySet[Any]], deadline: float, *, order: str = "pk") -> int:
    dropped = 0
    while monotonic() < deadline:
        replay_packs.unpack()  # what replays have chosen, and want kept, shows among their items alone
        ids = list(step().order_by(order).values_list("pk", flat=True)[:BATCH])
        if ids:
            # Asked again: a replay may have begun in between.
            replay_packs.while_none_starts(step().filter(pk__in=ids).delete)
        dropped += len(ids)
        if len(ids) < BATCH:
            break
    return dropped


def _bodies(before: UUID) -> QuerySet[EventBody]:
    owed = Delivery.objects.filter(event_id=OuterRef("event_id"), state__in=OWED)
    chosen = ReplayItem.objects.filter(event_id=OuterRef("event_id"), state__in=ACTIVE)
    bodies = EventBody.objects.filter(~Exists(owed), ~Exists(chosen), event_id__lt=before)
    return bodies.exclude(event__state__in=UNROUTED)


def _is_chosen() -> Exists:
    """A replay that is not over still wants it."""
    return Exists(
        ReplayItem.objects.filter(
            event_id=OuterRef("event_id"), subscription_id=OuterRef("subscription_id"), state__in=ACTIVE
        )
    )


def _events(before: UUID) -> QuerySet[Event]:
    kept = Delivery.objects.filter(event_id=OuterRef("id"))
    chosen = ReplayItem.objects.filter(event_id=OuterRef("id"), state__in=ACTIVE)
    # A cascade goes with its first event, and tells of what waits in quarantine.
    told = Cascade.objects.filter(root_id=OuterRef("id"), quarantined__gt=0)
    events = Event.objects.filter(~Exists(kept), ~Exists(chosen), ~Exists(told), id__lt=before)
    return events.exclude(state__in=UNROUTED)


def _versions(before: datetime, rows: UUID) -> QuerySet[EntityVersion]:
    """Not while an old delivery of the lane is owed: an older version could then follow a newer one."""
    old = Delivery.objects.filter(subscription_id=OuterRef("subscription_id"), id__lt=rows, state__in=OWED)
    return EntityVersion.objects.filter(~Exists(old), seen_at__lt=before)
