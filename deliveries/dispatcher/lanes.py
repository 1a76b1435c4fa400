"""Leases lanes to a seat, puts them to sleep and lets them go. It never reads or changes a delivery's state.

A lane is *free* when it names no seat, or a seat's bygone epoch. A free lane sleeps until `next_due_at`.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery

from deliveries.models import Delivery, DeliveryState, Hold, Lane, Phase, Seat

from .seats import Holding, fence, live_seats


@dataclass(frozen=True, kw_only=True, slots=True)
class Taken:
    subscription_id: UUID
    subscriber_id: UUID
    revision: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Slept:
    """What going to sleep came to: lanes let go, and lanes that turned out to have work due."""

    asleep: frozenset[UUID]
    awake: frozenset[UUID]


def quota(now: datetime) -> int:
    """How many lanes one seat may hold: its share of those that have work or an owner."""
    active = Lane.objects.filter(Q(hold=Hold.NONE, next_due_at__lte=now) | Q(seat__isnull=False)).count()
    return max(1, ceil(active / live_seats()))


def take(*, holding: Holding, now: datetime, most: int, known: Collection[UUID] = ()) -> list[Taken]:
    """Leases up to `most` free lanes that have work due, the longest waiting first.

    `known` are the lanes in hand. A lane that is ours without being known was taken by a commit that was heard
    of as a failure: it is taken again, or nobody would serve it.
    """
    if most <= 0:
        return []
    with transaction.atomic():
        fence(holding)
        # NO KEY, so that a router adding deliveries (KEY SHARE) does not make us skip the lane.
        free = (
            _free(Lane.objects.filter(hold=Hold.NONE, next_due_at__lte=now), holding)
            .exclude(subscription_id__in=known)
            .order_by("next_due_at")
            .select_for_update(skip_locked=connection.features.has_select_for_update_skip_locked, no_key=True)
        )
        taken = [
            Taken(subscription_id=lane, subscriber_id=subscriber, revision=revision)
            for lane, subscriber, revision in free.values_list(
                "subscription_id", "subscriber_id", "revision"
            )[:most]
        ]
        Lane.objects.filter(subscription_id__in=[lane.subscription_id for lane in taken]).update(
            seat_id=holding.number, seat_epoch=holding.epoch
        )
    return taken


def next_wake(now: datetime) -> datetime | None:
    """When the next sleeping lane has work."""
    asleep = Lane.objects.filter(hold=Hold.NONE, next_due_at__gt=now).order_by("next_due_at")
    return asleep.values_list("next_due_at", flat=True).first()


def sleep(*, holding: Holding, lanes: Collection[UUID], now: datetime) -> Slept:
    """Lets lanes go that seem idle, unless work turns out to be due.

    No wake-up is lost: the lanes are locked FOR UPDATE first, which waits for any router that is adding to
    them, and only then, in a statement of its own, is due work looked for.
    """
    with transaction.atomic():
        fence(holding)
        due = _next_due(_lock(holding, lanes))
        awake = {lane for lane, (at, is_held) in due.items() if at is not None and at <= now and not is_held}
        _let_go({lane: at for lane, (at, _) in due.items() if lane not in awake})
    return Slept(asleep=frozenset(set(lanes) - awake), awake=frozenset(awake))


def release(*, holding: Holding, lanes: Collection[UUID]) -> None:
    """Lets lanes go whether or not they have work: another seat may take them at once."""
    with transaction.atomic():
        fence(holding)
        _let_go({lane: at for lane, (at, _) in _next_due(_lock(holding, lanes)).items()})


def _free(lanes: QuerySet[Lane], holding: Holding) -> QuerySet[Lane]:
    owner = Seat.objects.filter(number=OuterRef("seat_id"), epoch=OuterRef("seat_epoch"))
    others = owner.exclude(number=holding.number, epoch=holding.epoch)
    return lanes.filter(Q(seat__isnull=True) | ~Exists(others))


def _mine(holding: Holding) -> QuerySet[Lane]:
    return Lane.objects.filter(seat_id=holding.number, seat_epoch=holding.epoch)


def _lock(holding: Holding, lanes: Collection[UUID]) -> list[UUID]:
    """Those of the lanes that are still ours: one let go by a commit we never heard of may be another's by now."""
    rows = _mine(holding).filter(subscription_id__in=lanes).order_by("subscription_id")
    return list(rows.select_for_update().values_list("subscription_id", flat=True))


def _next_due(lanes: Collection[UUID]) -> dict[UUID, tuple[datetime | None, bool]]:
    """For each lane: when its next delivery may be tried, and whether a person holds the lane."""
    phases = {f"due_{phase.name.lower()}": _first_due(phase) for phase in Phase}
    rows = (
        Lane.objects.filter(subscription_id__in=lanes)
        .annotate(**phases)
        .values_list("subscription_id", "hold", "not_before", *phases)
    )
    return {lane: (_soonest(dues, not_before), hold != Hold.NONE) for lane, hold, not_before, *dues in rows}


def _first_due(phase: Phase) -> Subquery:
    pending = Delivery.objects.filter(
        subscription_id=OuterRef("subscription_id"), state=DeliveryState.PENDING, phase=phase.value
    )
    return Subquery(pending.order_by("due_at", "id").values("due_at")[:1])


def _soonest(dues: Iterable[datetime | None], not_before: datetime | None) -> datetime | None:
    soonest = min((due for due in dues if due is not None), default=None)
    return max(soonest, not_before) if soonest and not_before else soonest


def _let_go(lanes: dict[UUID, datetime | None]) -> None:
    rows = [
        Lane(subscription_id=lane, seat=None, seat_epoch=None, next_due_at=at) for lane, at in lanes.items()
    ]
    if rows:
        Lane.objects.bulk_update(rows, ["seat", "seat_epoch", "next_due_at"], batch_size=500)


def quiet(*, holding: Holding, until: dict[UUID, datetime]) -> None:
    """Notes that endpoints asked for quiet (Retry-After). A later wish never shortens an earlier one."""
    for lane, at in until.items():
        _mine(holding).filter(Q(not_before__isnull=True) | Q(not_before__lt=at), subscription_id=lane).update(
            not_before=at
        )
