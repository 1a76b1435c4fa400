"""Lets the items of running replays into the lanes in hand, at their rate and behind what is live there.

An item waits outside all queues until its lane's owner makes its delivery pending. It sends nothing: what is admitted
is claimed like any delivery, and never more than half of a lane's window is. What goes in waves waits for its wave.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import NamedTuple
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Greatest

from deliveries.deciders.matching import Wanted
from deliveries.models import Delivery, DeliveryState, Ordering, Phase, Replay, ReplayItem, ReplayLane
from deliveries.models.replay import ItemState, ReplayState
from deliveries.models.subscription import Subscription
from deliveries.services import replay_counts, replay_packs
from deliveries.services.rearming import rearm, resolve_dead_letters
from webhooks.models import Event, EventState
from webhooks.rows import update

from . import telling, waiting_items, waves
from .owed import Arrived, Owed, insert
from .seats import Holding, fence
from .telling import SentAgain
from .waiting_items import Share, Waiting

_MADE = "UPDATE deliveries_replayitem AS i SET delivery_id = v.delivery_id FROM %s WHERE i.id = v.id"


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """A running replay in one lane, as the lane's orders name it."""

    replay_id: UUID
    rate_per_s: float | None  # None: as fast as the lane goes
    exceeds_limits: bool


class Standing(NamedTuple):
    """How a run stands now: whether its lane takes one more at all, and how much is under way there."""

    replay_id: UUID
    lane_id: UUID
    is_proved: bool
    read_to: int  # the last item that was looked at
    wave: int | None  # how deep events may lie that are let in; None: any
    under_way: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Admitted:
    """How many came in by replay and lane; which runs have none left, or only later waves; which must not go on."""

    counts: Mapping[tuple[UUID, UUID], int]
    done: frozenset[tuple[UUID, UUID]] = frozenset()
    later: frozenset[tuple[UUID, UUID]] = frozenset()
    gone: frozenset[UUID] = frozenset()


def runs_of(lanes: Collection[UUID]) -> dict[UUID, list[Run]]:
    """The running replays that may have something for these lanes, the oldest first. Usually there is none."""
    rows = ReplayLane.objects.filter(
        subscription_id__in=lanes, is_done=False, replay__state=ReplayState.RUNNING, replay__verb="replay"
    ).order_by("replay_id")
    found: dict[UUID, list[Run]] = {}
    for lane, replay, rate, exceeds in rows.values_list(
        "subscription_id", "replay_id", "replay__rate_per_s", "replay__exceeds_limits"
    ):
        found.setdefault(lane, []).append(Run(replay_id=replay, rate_per_s=rate, exceeds_limits=exceeds))
    return found


def standing(lanes: Collection[UUID]) -> list[Standing]:
    """How the runs of these lanes stand; what is under way is told by the items, so a new owner knows it too."""
    rows = ReplayLane.objects.filter(
        subscription_id__in=lanes, is_done=False, replay__state=ReplayState.RUNNING
    )
    found = list(
        rows.order_by("replay_id").values_list(
            "replay_id", "subscription_id", "is_proved", "replay__sends_one_first", "read_to", "replay__wave"
        )
    )
    admitted = ReplayItem.objects.filter(subscription_id__in=lanes, state=ItemState.ADMITTED)
    under_way = Counter(admitted.values_list("replay_id", "subscription_id")) if found else Counter()
    return [
        Standing(replay, lane, proved or not first, read_to, wave, under_way[replay, lane])
        for replay, lane, proved, first, read_to, wave in found
    ]


def admit(*, holding: Holding, shares: Sequence[Share], now: datetime) -> Admitted:
    """All or nothing, fenced; nothing where a replay was paused, stopped or cancelled just now."""
    # Asked first: what is made into items after this is not taken for the end of its lane.
    packed = replay_packs.packed({share.replay_id for share in shares})
    waiting = list(waiting_items.waiting(shares))
    short = _short(shares, waiting)
    if packed:
        hungry = packed & {replay for replay, _ in short}
        replay_packs.unpack(replays=hungry, most=1)  # a pack in each turn, so that live traffic goes on
        short = frozenset(each for each in short if each[0] not in packed)
    later = waves.look((each.replay_id, each.lane_id, each.wave) for each in shares if _pair(each) in short)
    done = short - later
    try:
        with transaction.atomic():
            fence(holding)
            counts = _admit(waiting, now)
            _note(waiting, done)
    except _NotRunning as halted:
        return Admitted(counts={}, gone=halted.replays)
    return Admitted(counts=counts, done=done, later=later)


def _note(waiting: Sequence[Waiting], short: Collection[tuple[UUID, UUID]]) -> None:
    """How far each lane was read, so that no read ever begins among what is done."""
    last = {(each.replay_id, each.lane_id): each.item_id for each in waiting}
    for replay, lane in {*last, *short}:
        part = ReplayLane.objects.filter(replay_id=replay, subscription_id=lane)
        is_done = (replay, lane) in short
        part.update(read_to=Greatest("read_to", last.get((replay, lane), 0)), is_done=is_done)


class _NotRunning(Exception):
    def __init__(self, replays: Iterable[UUID]) -> None:
        self.replays = frozenset(replays)


def _short(shares: Sequence[Share], waiting: Sequence[Waiting]) -> frozenset[tuple[UUID, UUID]]:
    found = Counter((each.replay_id, each.lane_id) for each in waiting)
    return frozenset(_pair(each) for each in shares if found[_pair(each)] < each.most)


def _pair(share: Share) -> tuple[UUID, UUID]:
    return share.replay_id, share.lane_id


def _admit(waiting: Sequence[Waiting], now: datetime) -> dict[tuple[UUID, UUID], int]:
    began = dict(
        Replay.objects.filter(pk__in={each.replay_id for each in waiting}).values_list("pk", "created_at")
    )
    made = _make_missing([each for each in waiting if each.delivery_id is None], now)
    armed: set[UUID] = set(made.values())
    for replay, at in began.items():
        known = [each.delivery_id for each in waiting if each.replay_id == replay and each.delivery_id]
        if known:
            # A waiting item keeps everyone else away, so only what came before the replay is looked at.
            armed.update(rearm(known, now, settled_before=at, is_free=False))
    resolve_dead_letters(armed, now, "replayed")
    replays = replay_counts.lock(began)
    halted = [key for key, row in replays.items() if row.state != ReplayState.RUNNING]
    if halted or len(replays) < len(began):
        raise _NotRunning(halted or began)
    return _move(waiting, made, armed, replays, now)


def _move(
    waiting: Sequence[Waiting],
    made: Mapping[int, UUID],
    armed: Collection[UUID],
    replays: Mapping[UUID, Replay],
    now: datetime,
) -> dict[tuple[UUID, UUID], int]:
    """Items whose delivery is due now are under way; the others cannot be sent any more."""
    counts: Counter[tuple[UUID, UUID]] = Counter()
    moved: dict[UUID, Counter[str]] = {key: Counter() for key in replays}
    admitted: list[int] = []
    skipped: list[int] = []
    for each in waiting:
        delivery = each.delivery_id or made.get(each.item_id)
        is_armed = delivery in armed
        (admitted if is_armed else skipped).append(each.item_id)
        moved[each.replay_id]["admitted" if is_armed else "skipped"] += 1
        counts[each.replay_id, each.lane_id] += is_armed
    ReplayItem.objects.filter(pk__in=admitted).update(state=ItemState.ADMITTED)
    update(ReplayItem, sql=_MADE, columns=("id", "delivery"), rows=list(made.items()))
    ReplayItem.objects.filter(pk__in=skipped).update(
        state=ItemState.SKIPPED, note="no longer to be sent", settled_at=now
    )
    for key, change in moved.items():
        replay_counts.count(replays[key], change, now)
    taken = frozenset(admitted)
    told = [
        SentAgain(each.event_id, each.delivery_id or made[each.item_id], each.lane_id, each.replay_id)
        for each in waiting
        if each.item_id in taken
    ]
    transaction.on_commit(partial(telling.admitted, told))
    return dict(counts)


def _make_missing(missing: Sequence[Waiting], now: datetime) -> dict[int, UUID]:
    """The deliveries of events that were never owed to the subscription; not of one that was routed to it meanwhile."""
    if not missing:
        return {}
    ids = {each.event_id for each in missing}
    events = {
        row[0]: Arrived(*row)
        for row in Event.objects.filter(pk__in=ids, content__isnull=False).values_list(*Arrived._fields)
    }
    there = _pairs(missing)
    wanted = _wanted({each.lane_id for each in missing})
    owed = [
        Owed(event=events[each.event_id], wanted=wanted[each.lane_id])
        for each in missing
        if each.event_id in events and (each.event_id, each.lane_id) not in there
    ]
    insert(owed, now)
    unmatched = Event.objects.filter(pk__in=[each.event.id for each in owed], state=EventState.UNMATCHED)
    unmatched.update(state=EventState.ROUTED)
    made = {pair: key for pair, (key, state) in _pairs(missing).items() if state == "pending"}
    fresh = [key for pair, key in made.items() if pair not in there]
    Delivery.objects.filter(pk__in=fresh, state=DeliveryState.PENDING).update(phase=Phase.REPLAY)
    return {
        each.item_id: made[each.event_id, each.lane_id]
        for each in missing
        if (each.event_id, each.lane_id) in made and (each.event_id, each.lane_id) not in there
    }


def _pairs(missing: Sequence[Waiting]) -> dict[tuple[UUID, UUID], tuple[UUID, str]]:
    rows = Delivery.objects.filter(
        event_id__in={each.event_id for each in missing},
        subscription_id__in={each.lane_id for each in missing},
    )
    found = rows.values_list("event_id", "subscription_id", "pk", "state")
    return {(event, lane): (key, state) for event, lane, key, state in found}


def _wanted(lanes: Collection[UUID]) -> dict[UUID, Wanted]:
    rows = Subscription.objects.filter(pk__in=lanes).values_list("pk", "ordering", "latest_only")
    return {
        lane: Wanted(subscription_id=lane, is_ordered=ordering == Ordering.STRICT, latest_only=latest)
        for lane, ordering, latest in rows
    }
