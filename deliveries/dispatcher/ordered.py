"""Numbers the deliveries of strictly ordered lanes and finds whose turn it is. It changes no delivery.

A lane's turns are given while routing, under the lock of its row. Nothing is promoted when a delivery settles:
the lowest number that is still pending simply is the head.
"""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.db.models import OuterRef, QuerySet, Subquery

from deliveries.deciders.ordering import whose_turn
from deliveries.models import Delivery, DeliveryState, Lane, Phase
from webhooks import rows

_RAISE = """
UPDATE deliveries_lane AS l SET last_seq = v.last_seq FROM %s WHERE l.subscription_id = v.subscription_id"""


class Turn(NamedTuple):
    """The delivery that a lane's others wait for, whether or not it is due."""

    lane_id: UUID
    delivery_id: UUID
    seq: int | None
    due_at: datetime


def number(wanted: Mapping[UUID, int]) -> dict[UUID, Iterator[int]]:
    """So many new turns for each lane, in the caller's transaction: whoever else gives turns waits for its end."""
    if not wanted:
        return {}
    # Locked in id order, so that two who number the same lanes never deadlock.
    lanes = Lane.objects.select_for_update(no_key=True).filter(pk__in=list(wanted)).order_by("pk")
    last = dict(lanes.values_list("pk", "last_seq"))
    rows.update(
        Lane,
        sql=_RAISE,
        columns=("subscription", "last_seq"),
        rows=[(lane, seq + wanted[lane]) for lane, seq in last.items()],
    )
    return {lane: iter(range(seq + 1, seq + wanted[lane] + 1)) for lane, seq in last.items()}


def turns(lanes: Collection[UUID]) -> dict[UUID, Turn]:
    """Whose turn it is in each lane that owes anything: two statements, whatever their number or their depth.

    Of each queue only the soonest due is looked at: what has no number came before what has one, so a
    million numbered ones need not be searched for it.
    """
    if not lanes:
        return {}
    queues = {f"first_of_{phase.name.lower()}": _first(phase) for phase in Phase}
    heads = Lane.objects.filter(pk__in=lanes).annotate(**queues, head=_head())
    candidates = {each for ids in heads.values_list(*queues, "head") for each in ids if each is not None}
    waiting: dict[UUID, list[Turn]] = {}
    found = Delivery.objects.filter(pk__in=candidates)
    for lane, delivery, seq, due_at in found.values_list("subscription_id", "id", "seq", "due_at"):
        if due_at is not None:  # still pending
            waiting.setdefault(lane, []).append(Turn(lane, delivery, seq, due_at))
    return {lane: turn for lane, each in waiting.items() if (turn := whose_turn(each)) is not None}


def following(lane: UUID, *, most: int) -> list[UUID]:
    """The next deliveries of a lane, in their order, due or not."""
    return list(_numbered(lane).order_by("seq").values_list("id", flat=True)[:most])


def _first(phase: Phase) -> Subquery:
    queue = Delivery.objects.filter(
        subscription_id=OuterRef("pk"), state=DeliveryState.PENDING, phase=phase.value
    )
    return Subquery(queue.order_by("due_at", "id").values("id")[:1])


def _head() -> Subquery:
    return Subquery(_numbered(OuterRef("pk")).order_by("seq").values("id")[:1])


def _numbered(lane: UUID | OuterRef) -> QuerySet[Delivery]:
    return Delivery.objects.filter(subscription_id=lane, state=DeliveryState.PENDING, seq__isnull=False)
