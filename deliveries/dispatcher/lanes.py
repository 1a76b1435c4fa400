"""Leases lanes to a seat, puts them to sleep and lets them go. It never reads or changes a delivery's state.

A lane is *free* when it names no seat, or a seat's bygone epoch. A free lane sleeps until `next_due_at`.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from types import MappingProxyType
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Case, Exists, F, OuterRef, Q, QuerySet, Subquery, When

from deliveries.models import Circuit, Delivery, DeliveryState, Hold, Lane, Ordering, Phase, ReplayLane, Seat
from deliveries.models.replay import ReplayState
from webhooks import rows

from . import ordered, pace
from .pace import Pace
from .seats import Holding, fence, live_seats

NOTHING: Mapping[UUID, Pace] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True, slots=True)
class Taken:
    subscription_id: UUID
    subscriber_id: UUID
    revision: int
    pace: Pace


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """How a lane of ours stands with people and its endpoint: its revision, and whether it may send."""

    revision: int
    may_send: bool


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
            Taken(
                subscription_id=row["subscription_id"],
                subscriber_id=row["subscriber_id"],
                revision=row["revision"],
                pace=pace.read(row, now=now, is_orphan=row["seat_id"] is not None),
            )
            for row in free.values("subscription_id", "subscriber_id", "revision", "seat_id", *pace.COLUMNS)[
                :most
            ]
        ]
        Lane.objects.filter(subscription_id__in=[lane.subscription_id for lane in taken]).update(
            seat_id=holding.number, seat_epoch=holding.epoch
        )
    return taken


def next_wake(now: datetime) -> datetime | None:
    """When the next sleeping lane has work."""
    asleep = Lane.objects.filter(hold=Hold.NONE, next_due_at__gt=now).order_by("next_due_at")
    return asleep.values_list("next_due_at", flat=True).first()


def sleep(
    *, holding: Holding, lanes: Collection[UUID], now: datetime, paces: Mapping[UUID, Pace] = NOTHING
) -> Slept:
    """Lets lanes go that seem idle, unless work turns out to be due. `paces` are those worth keeping.

    No wake-up is lost: the lanes are locked FOR UPDATE first, which waits for any router that is adding to
    them, and only then, in a statement of its own, is due work looked for.
    """
    with transaction.atomic():
        fence(holding)
        ours = _lock(holding, lanes)
        pace.keep(holding=holding, paces=paces)
        due = _next_due(ours)
        awake = {lane for lane, (at, is_held) in due.items() if at is not None and at <= now and not is_held}
        _let_go({lane: at for lane, (at, _) in due.items() if lane not in awake})
    return Slept(asleep=frozenset(set(lanes) - awake), awake=frozenset(awake))


def release(*, holding: Holding, lanes: Collection[UUID], paces: Mapping[UUID, Pace] = NOTHING) -> None:
    """Lets lanes go whether or not they have work: another seat may take them at once."""
    with transaction.atomic():
        fence(holding)
        ours = _lock(holding, lanes)
        pace.keep(holding=holding, paces=paces)
        _let_go({lane: at for lane, (at, _) in _next_due(ours).items()})


def standing(*, holding: Holding, lanes: Collection[UUID], now: datetime) -> dict[UUID, Standing]:
    """How those of the lanes that are ours stand now."""
    mine = _mine(holding).filter(subscription_id__in=lanes)
    return {
        lane: Standing(
            revision=revision, may_send=hold == Hold.NONE and (not_before is None or not_before <= now)
        )
        for lane, revision, hold, not_before in mine.values_list(
            "subscription_id", "revision", "hold", "not_before"
        )
    }


def rouse_belated(now: datetime) -> int:
    """Wakes, after a clock went back, whom no arrival would wake before it is back where it was.

    That is who sleeps behind a circuit that opens in the future, or was left behind by an owner that is gone.
    """
    owner = Seat.objects.filter(number=OuterRef("seat_id"), epoch=OuterRef("seat_epoch"))
    parked = Q(seat=None, circuit=Circuit.OPEN, circuit_since__gt=now)
    orphans = Q(~Exists(owner), seat__isnull=False)
    late = Lane.objects.filter(parked | orphans, next_due_at__gt=now)
    with transaction.atomic():
        roused = list(late.order_by("pk").select_for_update(no_key=True).values_list("pk", flat=True))
        Lane.objects.filter(pk__in=roused).update(next_due_at=now)
    return len(roused)


def _free(lanes: QuerySet[Lane], holding: Holding) -> QuerySet[Lane]:
    owner = Seat.objects.filter(number=OuterRef("seat_id"), epoch=OuterRef("seat_epoch"))
    others = owner.exclude(number=holding.number, epoch=holding.epoch)
    return lanes.filter(Q(seat__isnull=True) | ~Exists(others))


def _mine(holding: Holding) -> QuerySet[Lane]:
    return Lane.objects.filter(seat_id=holding.number, seat_epoch=holding.epoch)


def _lock(holding: Holding, lanes: Collection[UUID]) -> list[UUID]:
    """Those of the lanes that are still ours: one let go by a commit we never heard of may be another's by now."""
    mine = _mine(holding).filter(subscription_id__in=lanes).order_by("subscription_id")
    return list(mine.select_for_update().values_list("subscription_id", flat=True))


def lock_to_write(lanes: Collection[UUID]) -> None:
    """In id order, as whoever numbers deliveries locks them, so that the two never deadlock."""
    if len(lanes) > 1:
        locked = Lane.objects.filter(pk__in=lanes).order_by("pk").select_for_update(no_key=True)
        list(locked.values_list("pk", flat=True))


def _next_due(lanes: Collection[UUID]) -> dict[UUID, tuple[datetime | None, bool]]:
    """For each lane: when it is to be looked at next, and whether a person holds it.

    That is when its next delivery may be tried, or at once for an order that its owner has not carried out.
    """
    phases = {f"due_{phase.name.lower()}": _first_due(phase) for phase in Phase}
    columns = (
        "subscription_id", "subscription__ordering", "hold", "ordered_at", "not_before", "cooldown_until",
    )  # fmt: skip
    found = list(
        Lane.objects.filter(subscription_id__in=lanes)
        .annotate(**phases, ordered_at=Case(When(order_number__gt=F("order_done"), then=F("next_due_at"))))
        .values_list(*columns, *phases)
    )
    # Of a strictly ordered lane nothing moves before the one whose turn it is.
    turns = ordered.turns([lane for lane, ordering, *_ in found if ordering == Ordering.STRICT])
    fed = _fed_since(lanes)
    return {
        lane: (
            ordered_at
            or _soonest(
                [*([turns[lane].due_at] if lane in turns else dues), fed.get(lane)], quiet_until, parked_until
            ),
            hold != Hold.NONE,
        )
        for lane, _, hold, ordered_at, quiet_until, parked_until, *dues in found
    }


def _fed_since(lanes: Collection[UUID]) -> dict[UUID, datetime]:
    """Lanes for which a running replay has items: what waits there is in no queue, and is due."""
    running = ReplayLane.objects.filter(
        subscription_id__in=lanes, is_done=False, replay__state=ReplayState.RUNNING
    )
    return dict(running.values_list("subscription_id", "replay__created_at"))


def _first_due(phase: Phase) -> Subquery:
    pending = Delivery.objects.filter(
        subscription_id=OuterRef("subscription_id"), state=DeliveryState.PENDING, phase=phase.value
    )
    return Subquery(pending.order_by("due_at", "id").values("due_at")[:1])


def _soonest(dues: Iterable[datetime | None], *not_before: datetime | None) -> datetime | None:
    soonest = min((due for due in dues if due is not None), default=None)
    return soonest and max([soonest, *(at for at in not_before if at is not None)])


_LET_GO = """
UPDATE deliveries_lane AS l SET seat_id = NULL, seat_epoch = NULL, next_due_at = v.next_due_at
FROM %s WHERE l.subscription_id = v.subscription_id"""


def _let_go(lanes: Mapping[UUID, datetime | None]) -> None:
    """In one plain statement: Django's update of many rows takes longer to write than to do."""
    rows.update(Lane, sql=_LET_GO, columns=("subscription", "next_due_at"), rows=list(lanes.items()))


# One by one, a shortage of our own that a thousand lanes meet at once would hold all of them up.
_QUIET = """
UPDATE deliveries_lane AS l SET not_before = v.not_before FROM %s
WHERE l.subscription_id = v.subscription_id AND l.seat_id = v.seat_id AND l.seat_epoch = v.seat_epoch
    AND (l.not_before IS NULL OR l.not_before < v.not_before)"""


def quiet(*, holding: Holding, until: dict[UUID, datetime]) -> None:
    """Notes that endpoints asked for quiet (Retry-After). A later wish never shortens an earlier one."""
    values = [(lane, holding.number, holding.epoch, at) for lane, at in until.items()]
    rows.update(Lane, sql=_QUIET, columns=("subscription", "seat", "seat_epoch", "not_before"), rows=values)
