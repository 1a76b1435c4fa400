"""Discards what a person chose to, in batches of a transaction each. What is cut short goes on where it stood."""

from collections import Counter
from time import monotonic
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from deliveries.models import Delivery, DeliveryState, Replay, ReplayItem, ReplayLane
from deliveries.models.replay import ItemState, ReplayState, Verb

from . import replay_counts, replay_packs
from .lanes import hold_lanes, wake_sleeping
from .rearming import resolve_dead_letters
from .telling import tell_settled

BATCH = 500  # deliveries in one transaction: well under 50 ms, so that SQLite's other writers don't wait
AT_ONCE_S = 1.0  # done while the person waits; the rest is a task's
BUDGET_S = 50.0  # of one task's run; the schedule starts the next


def unfinished() -> list[UUID]:
    rows = Replay.objects.filter(verb=Verb.DISCARD, state=ReplayState.RUNNING)
    return list(rows.order_by("pk").values_list("pk", flat=True))


def carry_out(replay_id: UUID, *, budget_s: float = BUDGET_S) -> bool:
    """Goes on until all is discarded, somebody pauses it or the time is over; says whether anything is left."""
    deadline = monotonic() + budget_s
    while _discard_some(replay_id) or replay_packs.unpack(replays=[replay_id], most=1):
        if monotonic() > deadline:
            return True
    return False


def _discard_some(replay_id: UUID) -> bool:
    """One batch. False when there was none, or it does not run."""
    now = timezone.now()
    with transaction.atomic():
        items = _next(replay_id)
        lanes = {lane for _, _, lane in items}
        hold_lanes(connection, lanes)
        open_ones = Delivery.objects.filter(
            pk__in=[delivery for _, delivery, _ in items],
            state__in=[DeliveryState.PENDING, DeliveryState.DEAD],
        )
        done = set(open_ones.select_for_update(no_key=True).order_by("pk").values_list("pk", flat=True))
        Delivery.objects.filter(pk__in=done).update(
            state=DeliveryState.DISCARDED, due_at=None, settled_at=now
        )
        wake_sleeping(lanes, now)  # the lane before the issue, as whoever numbers and buries locks them
        resolve_dead_letters(done, now, "discarded")
        replay = replay_counts.lock([replay_id])[replay_id]
        if replay.state != ReplayState.RUNNING or not items:
            transaction.set_rollback(True)
            return False
        discarded = [item for item, delivery, _ in items if delivery in done]
        gone = [item for item, delivery, _ in items if delivery not in done]
        ReplayItem.objects.filter(pk__in=discarded).update(state=ItemState.DISCARDED, settled_at=now)
        ReplayItem.objects.filter(pk__in=gone).update(
            state=ItemState.SKIPPED, note="settled meanwhile", settled_at=now
        )
        ReplayLane.objects.filter(replay_id=replay_id, subscription_id=items[0][2]).update(
            read_to=items[-1][0]
        )
        replay_counts.count(replay, Counter(discarded=len(discarded), skipped=len(gone)), now)
        tell_settled("discarded", done, now, replay_id=replay_id)
    return True


def _next(replay_id: UUID) -> list[tuple[int, UUID | None, UUID]]:
    """The oldest that wait, lane by lane, as their index has them. Nothing where they are still to be made."""
    lanes = list(ReplayLane.objects.filter(replay_id=replay_id, is_done=False).order_by("pk"))
    packed = replay_packs.packed([replay_id])
    for lane in lanes:
        waiting = ReplayItem.objects.filter(
            replay_id=replay_id,
            subscription_id=lane.subscription_id,
            id__gt=lane.read_to,
            state=ItemState.WAITING,
        )
        found = list(waiting.order_by("pk").values_list("pk", "delivery_id", "subscription_id")[:BATCH])
        if found:
            return [(item, delivery, to) for item, delivery, to in found]
        if not packed:
            ReplayLane.objects.filter(pk=lane.pk).update(is_done=True)
    return []
