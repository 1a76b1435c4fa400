"""Keeps a replay's counts in step with its items, ends it when none is left, and says so. It sends and admits nothing.

Whoever moves items locks their replays by `lock` after everything else it locks, and moves the items after that:
deliveries, issues, lanes, replays, items. So a person, a settlement and an admission never wait in a ring.
"""

from collections import Counter
from collections.abc import Collection, Iterable
from datetime import datetime
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet

from deliveries.deciders.own_types import REPLAY_FINISHED
from deliveries.models import Delivery, Replay, ReplayItem, ReplayLane, Subscription
from deliveries.models.replay import ItemState, ReplayState, Verb
from webhooks.deciders.times import zulu
from webhooks.ids import public_id

from .announcements import announce_to
from .rearming import ACTIVE

ON_ITS_WAY = (
    ReplayState.RUNNING,
    ReplayState.PAUSED,
    ReplayState.STOPPED,
)  # it still has, or had, items to send
AT_REST = (ReplayState.STOPPED, ReplayState.CANCELLED, ReplayState.FINISHED)
COUNTED = ("admitted", "delivered", "failed", "skipped", "discarded", "returned")
REASON_LENGTH = 300
MOST_NAMED = 100  # subscriptions in an announcement


def lock(ids: Iterable[UUID]) -> dict[UUID, Replay]:
    """In id order, in the caller's transaction."""
    wanted = sorted(set(ids))
    if not wanted:
        return {}
    rows = Replay.objects.select_for_update(no_key=True).filter(pk__in=wanted).order_by("pk")
    return {row.pk: row for row in rows}


def count(replay: Replay, moved: Counter[str], now: datetime, *, stop_reason: str = "") -> None:
    """`moved` says by how much each count changes; the caller has locked the row. One that runs stops for a reason."""
    was = replay.state
    if stop_reason and was == ReplayState.RUNNING:
        replay.state, replay.stop_reason = ReplayState.STOPPED, stop_reason[:REASON_LENGTH]
    for name in COUNTED:
        setattr(replay, name, getattr(replay, name) + moved[name])
    is_over = replay.state in ON_ITS_WAY and replay.waiting == 0 and replay.admitted == 0
    if is_over:
        replay.state, replay.finished_at = ReplayState.FINISHED, now
        ReplayLane.objects.filter(replay=replay, is_done=False).update(is_done=True)
    if replay.state != was or moved["admitted"] < 0:
        announce_rest(replay, now)
    replay.save(
        update_fields=[*COUNTED, "state", "finished_at", "recent", "stop_reason", "answers"],
    )


def announce_rest(replay: Replay, now: datetime) -> None:
    """Once nothing of it is under way and nothing more is sent: to each subscriber to which it sent something.

    To be asked when its state has changed, or what is under way. Nobody hears what became of another's. One that
    stopped may go on, and stop or end another time.
    """
    if replay.verb != Verb.REPLAY or replay.state not in AT_REST or replay.admitted:
        return
    its = ReplayLane.objects.filter(Exists(_sent_to(OuterRef("subscription_id"), replay)), replay=replay)
    owners: dict[UUID, list[str]] = {}
    for lane, owner in (
        Subscription.objects.filter(pk__in=its.values("subscription_id"))
        .order_by("pk")
        .values_list("pk", "subscriber_id")
    ):
        owners.setdefault(owner, []).append(public_id("subscription", lane))
    told = {"replay": public_id("replay", replay.pk), "state": str(replay.state)}
    totals = {name: getattr(replay, name) for name in ("delivered", "failed", "skipped", "discarded")}
    news = {
        owner: {**told, "subscriptions": lanes[:MOST_NAMED]} | (totals if len(owners) == 1 else {})
        for owner, lanes in owners.items()
    }
    at = f"/{zulu(now, to='auto')}" if replay.state == ReplayState.STOPPED else ""
    announce_to(kind=REPLAY_FINISHED, told=news, key=f"{replay.pk.hex}{at}")


def _sent_to(subscription: OuterRef, replay: Replay) -> QuerySet[ReplayItem]:
    """The oldest of a lane go first, so that one that was sent is found at once."""
    return ReplayItem.objects.filter(
        replay=replay, subscription_id=subscription, state__in=[ItemState.DELIVERED, ItemState.FAILED]
    )


def skip(items: Collection[int], note: str, now: datetime) -> None:
    """Items that are still waiting or under way need nothing more."""
    active = ReplayItem.objects.filter(pk__in=items, state__in=ACTIVE)
    replays = lock(active.values_list("replay_id", flat=True))
    moved: dict[UUID, Counter[str]] = {}
    for replay, state in active.values_list("replay_id", "state"):
        change = moved.setdefault(replay, Counter())
        change["skipped"] += 1
        change["admitted"] -= state == ItemState.ADMITTED
    active.update(state=ItemState.SKIPPED, note=note, settled_at=now)
    for key, change in moved.items():
        count(replays[key], change, now)


def drop_from_replays(delivery_ids: Collection[UUID], now: datetime) -> None:
    """A person discarded them: whatever replay had chosen them need not send them."""
    pairs = Delivery.objects.filter(pk__in=delivery_ids).values_list("event_id", "subscription_id")
    found: list[int] = []
    for event, subscription in pairs:
        chosen = ReplayItem.objects.filter(event_id=event, subscription_id=subscription, state__in=ACTIVE)
        found += chosen.values_list("pk", flat=True)
    if found:
        skip(found, "discarded", now)
