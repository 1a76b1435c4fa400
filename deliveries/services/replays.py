"""Starts a replay over a frozen set, and pauses, resumes, paces and cancels it. It never sends: dispatchers do.

The set that a person saw is the set that is sent: a start that would freeze another number starts nothing. All
that follows is a conditional update, so of two people the second is told.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from deliveries.deciders.delivery_address import to_params
from deliveries.deciders.replay_choice import Choice, options_of
from deliveries.models import Lane, Replay, ReplayItem, ReplayLane
from deliveries.models.replay import ItemState, ReplayState, Verb
from deliveries.selectors.replay_estimate import Estimate, estimate
from deliveries.selectors.replay_progress import Progress, progress
from deliveries.selectors.replay_set import statement
from webhooks.ids import uuid7
from webhooks.services import audit

from . import replay_counts
from .lanes import ring_on_commit, wake_sleeping

__all__ = [
    "MOST_ITEMS",
    "TYPED_ABOVE",
    "Answer",
    "Estimate",
    "Order",
    "Progress",
    "Verdict",
    "cancel",
    "estimate",
    "limit_of",
    "pause",
    "progress",
    "resume",
    "running_already",
    "set_rate",
    "start",
]

MOST_ITEMS = 200_000  # frozen by one statement, in about a second
TYPED_ABOVE = 100  # a person types the number of what is more
RETURNED_AT_ONCE = 5_000  # items given back in one transaction
HIGHEST_RATE_PER_S = 10_000.0
UNDER_WAY = (ReplayState.RUNNING, ReplayState.PAUSED, ReplayState.STOPPED)


class Answer(StrEnum):
    DONE = "done"
    RUNNING = "running"  # the same person asked the same, and that is not over
    CHANGED = "changed"  # another number than the one that was seen
    NOTHING = "nothing"
    REFUSED = "refused"  # by what was asked: its rate, its size, its reason
    LATE = "late"  # somebody else was first, or it is over


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    answer: Answer
    sentence: str
    replay_id: UUID | None = None

    @property
    def is_done(self) -> bool:
        return self.answer is Answer.DONE


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """How a frozen choice is to be carried out, and how many the person saw."""

    choice: Choice
    seen: int
    reason: str
    rate_per_s: float | None = None
    sends_one_first: bool = False
    stops_itself: bool = False
    may_exceed: bool = False  # whether this person may go above a subscription's own rate


def start(
    *, order: Order, asked: Choice, actor: str, user: User | None = None, now: datetime | None = None
) -> Verdict:
    """Freezes and begins it, in one transaction. `asked` is the choice before its bounds were frozen."""
    now = now or timezone.now()
    if sentence := _refusal(order):
        return Verdict(answer=Answer.REFUSED, sentence=sentence)
    digest = asked.digest()
    if (same := running_already(digest=digest, actor=actor)) is not None:
        return _running(same)
    summary = estimate(order.choice, now).summary()
    try:
        with transaction.atomic():
            replay = _freeze(order, digest, summary, actor, user, now)
            if replay.verb == Verb.REPLAY:
                _stir(replay.pk, now)
            ring_on_commit()
    except _Other as other:
        # Of two clicks the second waited for the first, and then found nothing left.
        if (same := running_already(digest=digest, actor=actor)) is not None:
            return _running(same)
        return _changed(order.seen, other.frozen)
    except _TooFast as limit:
        return Verdict(answer=Answer.REFUSED, sentence=str(limit))
    return Verdict(answer=Answer.DONE, sentence=_promise(replay), replay_id=replay.pk)


def running_already(*, digest: str, actor: str) -> Replay | None:
    """The same person's same order that is not over: it is offered instead of a second one."""
    same = Replay.objects.filter(asked=digest, ordered_by=actor[:200], state__in=UNDER_WAY)
    return same.order_by("-pk").first()


def limit_of(replay_id: UUID) -> float | None:
    """The lowest rate that one of its subscriptions allows."""
    limits = ReplayLane.objects.filter(replay_id=replay_id).values_list("subscription__rate_per_s", flat=True)
    return min((limit for limit in limits if limit is not None), default=None)


def pause(*, replay_id: UUID, actor: str, user: User | None = None, reason: str = "") -> Verdict:
    """Nothing more is admitted; what is under way goes on."""
    return _turn(
        "pause-replay", replay_id, [ReplayState.RUNNING], ReplayState.PAUSED, actor, user, reason, _paused
    )


def resume(*, replay_id: UUID, actor: str, user: User | None = None, reason: str = "") -> Verdict:
    """Goes on with one that was paused, or that stopped by itself: what is judged begins anew."""
    before = [ReplayState.PAUSED, ReplayState.STOPPED]
    return _turn(
        "resume-replay", replay_id, before, ReplayState.RUNNING, actor, user, reason, lambda _: "It goes on."
    )


def cancel(*, replay_id: UUID, actor: str, user: User | None = None, reason: str = "") -> Verdict:
    """Gives back what still waits; what is under way is sent all the same."""
    verdict = _turn(
        "cancel-replay", replay_id, list(UNDER_WAY), ReplayState.CANCELLED, actor, user, reason, _cancelled
    )
    if verdict.is_done:
        return_waiting(replay_id)
    return verdict


def set_rate(
    *,
    replay_id: UUID,
    rate_per_s: float,
    may_exceed: bool,
    actor: str,
    user: User | None = None,
    reason: str = "",
) -> Verdict:
    """From the next turn on. Above a subscription's own rate only for who may."""
    if not 0 < rate_per_s <= HIGHEST_RATE_PER_S:
        return Verdict(answer=Answer.REFUSED, sentence=_rate_bounds(), replay_id=replay_id)
    limit = limit_of(replay_id)
    exceeds = limit is not None and rate_per_s > limit
    if exceeds and not may_exceed:
        return Verdict(answer=Answer.REFUSED, sentence=_above(limit), replay_id=replay_id)
    try:
        _write_rate(replay_id, rate_per_s, exceeds, actor, user, reason)
    except _Late:
        return _late(replay_id)
    return Verdict(
        answer=Answer.DONE, sentence=f"It goes at {rate_per_s:g} a second now.", replay_id=replay_id
    )


def cut_short() -> list[UUID]:
    """Cancelled replays that have not given back everything, since somebody was killed meanwhile."""
    waiting = ReplayItem.objects.filter(state=ItemState.WAITING, replay_id=OuterRef("pk"))
    cancelled = Replay.objects.filter(Exists(waiting), state=ReplayState.CANCELLED)
    return list(cancelled.values_list("pk", flat=True))


def return_waiting(replay_id: UUID) -> int:
    """Gives back the items of a cancelled replay, in batches, so that others may choose them; says how many."""
    given = 0
    while True:
        with transaction.atomic():
            replay = replay_counts.lock([replay_id])[replay_id]
            if replay.state != ReplayState.CANCELLED:
                return given
            waiting = ReplayItem.objects.filter(replay_id=replay_id, state=ItemState.WAITING)
            ids = list(waiting.values_list("pk", flat=True)[:RETURNED_AT_ONCE])
            if not ids:
                return given
            ReplayItem.objects.filter(pk__in=ids).delete()
            Replay.objects.filter(pk=replay_id).update(returned=replay.returned + len(ids))
            given += len(ids)


# -- freezing -----------------------------------------------------------------------------------------


class _Other(Exception):  # noqa: N818 (it names what was found)
    def __init__(self, frozen: int) -> None:
        self.frozen = frozen


class _TooFast(Exception):  # noqa: N818
    pass


# Two hundred thousand rows are sorted in memory, and not worth a compiler (measured: half of the time).
_IN_MEMORY = "SET LOCAL work_mem = '64MB'; SET LOCAL jit = off"
_FREEZE = """INSERT INTO deliveries_replayitem (replay_id, event_id, subscription_id, delivery_id, state, note)
{chosen} SELECT {replay}, event_id, subscription_id, delivery_id, 'waiting', '' FROM chosen
WHERE true ORDER BY subscription_id, event_id ON CONFLICT DO NOTHING"""
_LANES = """INSERT INTO deliveries_replaylane (replay_id, subscription_id, total, read_to, is_proved, is_done)
SELECT replay_id, subscription_id, count(*), 0, false, false FROM deliveries_replayitem
WHERE replay_id = %s AND state = 'waiting' GROUP BY replay_id, subscription_id"""


def _freeze(
    order: Order, digest: str, summary: dict[str, object], actor: str, user: User | None, now: datetime
) -> Replay:
    key = uuid7()
    frozen = _insert_items(key, order.choice, now)
    if frozen != order.seen:
        raise _Other(frozen)
    choice = order.choice
    replay = Replay.objects.create(
        id=key,
        verb=Verb(choice.verb),
        ordered_by=actor[:200],
        user=user,
        reason=order.reason,
        criteria=to_params(choice.acted_on()),
        preset=choice.preset,
        newest_only=choice.newest_only,
        leaves_out_held=choice.leaves_out_held,
        asked=digest,
        summary=summary,
        rate_per_s=order.rate_per_s,
        sends_one_first=order.sends_one_first,
        stops_itself=order.stops_itself,
        total=frozen,
        created_at=now,
    )
    with connection.cursor() as cursor:
        cursor.execute(_LANES, [_key(key)])
    _check_rate(replay, order)
    audit.record(
        actor=actor,
        user=user,
        verb=f"start-{replay.verb}",
        object_kind="replay",
        object_id=key,
        reason=order.reason,
        criteria={**replay.criteria, **options_of(choice)},
        count=frozen,
        after={
            "rate_per_s": order.rate_per_s,
            "sends_one_first": order.sends_one_first,
            "stops_itself": order.stops_itself,
        },
    )
    return replay


def _insert_items(key: UUID, choice: Choice, now: datetime) -> int:
    """What another replay has just taken is passed over, which shows in the number."""
    found = statement(choice, now)
    if found is None:
        return 0
    mark = "CAST(%s AS uuid)" if connection.vendor == "postgresql" else "%s"
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(_IN_MEMORY)
        cursor.execute(
            _FREEZE.format(chosen=found.sql, replay=mark).replace("\n", " "), [*found.values, _key(key)]
        )
        return int(cursor.rowcount)


def _key(key: UUID) -> str:
    return key.hex


def _check_rate(replay: Replay, order: Order) -> None:
    limit = limit_of(replay.pk)
    if order.rate_per_s is None or limit is None or order.rate_per_s <= limit:
        return
    if not order.may_exceed:
        raise _TooFast(_above(limit))
    replay.exceeds_limits = True
    replay.save(update_fields=["exceeds_limits"])


def _refusal(order: Order) -> str:
    if not order.reason.strip():
        return "Say why: a reason is needed."
    if not order.seen:
        return "Nothing was chosen."
    if order.seen > MOST_ITEMS:
        return f"At most {MOST_ITEMS:,} at once; narrow what is chosen."
    if order.rate_per_s is not None and not 0 < order.rate_per_s <= HIGHEST_RATE_PER_S:
        return _rate_bounds()
    return ""


def _rate_bounds() -> str:
    return f"A rate is more than 0 and at most {HIGHEST_RATE_PER_S:,.0f} a second."


def _above(limit: float | None) -> str:
    return f"Above {limit:g} a second, which a subscription allows, only a lead may go."


def _changed(seen: int, now: int) -> Verdict:
    return Verdict(
        answer=Answer.CHANGED if now else Answer.NOTHING,
        sentence=f"You saw {seen:,}; it is {now:,} now. Nothing was started: look again.",
    )


def _running(same: Replay) -> Verdict:
    return Verdict(
        answer=Answer.RUNNING,
        sentence="You have started this already, and it is not over; here it is.",
        replay_id=same.pk,
    )


def _promise(replay: Replay) -> str:
    if replay.verb == Verb.DISCARD:
        return f"Discarding {replay.total:,}."
    return f"Replaying {replay.total:,}. The first goes out as soon as a dispatcher has read this."


# -- turning it ---------------------------------------------------------------------------------------


class _Late(Exception):  # noqa: N818
    """Somebody else was first; what was done up to here is taken back."""


def _turn(
    verb: str,
    replay_id: UUID,
    before: list[ReplayState],
    after: ReplayState,
    actor: str,
    user: User | None,
    reason: str,
    sentence: Callable[[Replay], str],
) -> Verdict:
    now = timezone.now()
    values: dict[str, object] = {"state": after}
    if after == ReplayState.RUNNING:
        values |= {"recent": "", "stop_reason": ""}
    if after == ReplayState.CANCELLED:
        values |= {"finished_at": now}
    try:
        with transaction.atomic():
            _stir(replay_id, now)  # lanes are locked before replays
            replay = replay_counts.lock([replay_id]).get(replay_id)
            if replay is None or replay.state not in before:
                raise _Late
            Replay.objects.filter(pk=replay_id).update(**values)
            was: dict[str, object] = {"state": replay.state}
            _record(verb, replay_id, actor, user, reason, was, {"state": after.value}, replay.waiting)
            ring_on_commit()
    except _Late:
        return _late(replay_id)
    return Verdict(answer=Answer.DONE, sentence=sentence(replay), replay_id=replay_id)


def _write_rate(
    replay_id: UUID, rate_per_s: float, exceeds: bool, actor: str, user: User | None, reason: str
) -> None:
    with transaction.atomic():
        _stir(replay_id, timezone.now())
        before = replay_counts.lock([replay_id]).get(replay_id)
        if before is None or before.state not in UNDER_WAY or before.verb != Verb.REPLAY:
            raise _Late
        Replay.objects.filter(pk=replay_id).update(rate_per_s=rate_per_s, exceeds_limits=exceeds)
        _record(
            "change-replay-rate", replay_id, actor, user, reason,
            {"rate_per_s": before.rate_per_s}, {"rate_per_s": rate_per_s, "exceeds_limits": exceeds},
        )  # fmt: skip
        ring_on_commit()


def _stir(replay_id: UUID, now: datetime) -> None:
    """Has the owners of its lanes read their orders again, and wakes the lanes that sleep."""
    parts = ReplayLane.objects.filter(replay_id=replay_id, is_done=False)
    lanes = list(parts.order_by("subscription_id").values_list("subscription_id", flat=True))
    locked = Lane.objects.select_for_update(no_key=True).filter(pk__in=lanes).order_by("pk")
    for lane in locked.only("revision"):
        Lane.objects.filter(pk=lane.pk).update(revision=lane.revision + 1)
    wake_sleeping(lanes, now)


def _late(replay_id: UUID) -> Verdict:
    state = Replay.objects.filter(pk=replay_id).values_list("state", flat=True).first()
    said = f"It is {ReplayState(state).label.lower()} already." if state else "There is no such replay."
    return Verdict(answer=Answer.LATE, sentence=said, replay_id=replay_id)


def _paused(replay: Replay) -> str:
    return f"It is paused; {_under_way(replay)}"


def _cancelled(replay: Replay) -> str:
    return f"It is cancelled and gives back {replay.waiting:,}; {_under_way(replay)}"


def _under_way(replay: Replay) -> str:
    return (
        f"{replay.admitted:,} under way will still be sent." if replay.admitted else "nothing is under way."
    )


def _record(
    verb: str,
    replay_id: UUID,
    actor: str,
    user: User | None,
    reason: str,
    before: dict[str, object],
    after: dict[str, object],
    count: int = 1,
) -> None:
    audit.record(
        actor=actor,
        user=user,
        verb=verb,
        object_kind="replay",
        object_id=replay_id,
        reason=reason,
        before=before,
        after=after,
        count=count,
    )
