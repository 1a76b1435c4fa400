"""Starts a replay over a frozen set. It never sends: dispatchers do.

The set that a person saw is the set that is sent: a start that would freeze another number starts nothing. It is frozen
as packs of ids, since rows for two hundred thousand items take seconds to write; a small set's are made at once.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from uuid import UUID

from django.contrib.auth.models import User
from django.utils import timezone

from deliveries.deciders.delivery_address import to_params
from deliveries.deciders.replay_choice import Choice, options_of
from deliveries.models import Replay, ReplayLane
from deliveries.models.replay import Verb
from deliveries.selectors.replay_estimate import summary
from webhooks.ids import uuid7
from webhooks.services import audit

from . import replay_packs
from .lanes import ring_on_commit
from .replay_freeze import MOST_ITEMS, freeze
from .replay_terms import HIGHEST_RATE_PER_S, UNDER_WAY, Answer, Verdict, above, limit_of, rate_bounds, stir

MADE_AT_ONCE = 2_000  # items of a small set are made while the person waits
TYPED_ABOVE = 100  # a person types the number of what is more


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
    if (refusal := _refusal(order)) is not None:
        return refusal
    digest = asked.digest()
    if (same := running_already(digest=digest, actor=actor)) is not None:
        return _running(same)
    try:
        replay = replay_packs.while_none_starts(partial(_begin, order, digest, actor, user, now))
    except _Other as other:
        # Of two clicks the second waited for the first, and then found its items taken.
        if (same := running_already(digest=digest, actor=actor)) is not None:
            return _running(same)
        return _changed(order.seen, other.frozen)
    except _TooFast as limit:
        return Verdict(answer=Answer.REFUSED, sentence=str(limit))
    if replay.total <= MADE_AT_ONCE:
        replay_packs.unpack(replays=[replay.pk])
    return Verdict(answer=Answer.DONE, sentence=_promise(replay), replay_id=replay.pk)


def running_already(*, digest: str, actor: str) -> Replay | None:
    """The same person's same order that is not over: it is offered instead of a second one."""
    same = Replay.objects.filter(asked=digest, ordered_by=actor[:200], state__in=UNDER_WAY)
    return same.order_by("-pk").first()


class _Other(Exception):  # noqa: N818 (it names what was found)
    def __init__(self, frozen: int) -> None:
        self.frozen = frozen


class _TooFast(Exception):  # noqa: N818
    pass


def _begin(order: Order, digest: str, actor: str, user: User | None, now: datetime) -> Replay:
    replay = _freeze(order, digest, actor, user, now)
    if replay.verb == Verb.REPLAY:
        stir(replay.pk, now)
    ring_on_commit()
    return replay


def _freeze(order: Order, digest: str, actor: str, user: User | None, now: datetime) -> Replay:
    key = uuid7()
    groups = freeze(key, order.choice, now)
    lanes: Counter[UUID] = Counter()
    for each in groups:
        if each.why is None:
            lanes[each.subscription] += each.number
    frozen = lanes.total()
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
        summary=summary(choice, groups, now),
        rate_per_s=order.rate_per_s,
        sends_one_first=order.sends_one_first,
        stops_itself=order.stops_itself,
        wave=0 if choice.sends_parents_first else None,
        total=frozen,
        created_at=now,
    )
    ReplayLane.objects.bulk_create(
        ReplayLane(replay=replay, subscription_id=lane, total=number) for lane, number in lanes.items()
    )
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


def _check_rate(replay: Replay, order: Order) -> None:
    limit = limit_of(replay.pk)
    if order.rate_per_s is None or limit is None or order.rate_per_s <= limit:
        return
    if not order.may_exceed:
        raise _TooFast(above(limit))
    replay.exceeds_limits = True
    replay.save(update_fields=["exceeds_limits"])


def _refusal(order: Order) -> Verdict | None:
    if not order.reason.strip():
        return Verdict(answer=Answer.REFUSED, sentence="Say why: a reason is needed.")
    if not order.seen:
        return Verdict(answer=Answer.NOTHING, sentence="Nothing was chosen.")
    if order.seen > MOST_ITEMS:
        sentence = f"At most {MOST_ITEMS:,} at once; narrow what is chosen."
        return Verdict(answer=Answer.REFUSED, sentence=sentence)
    if order.rate_per_s is not None and not 0 < order.rate_per_s <= HIGHEST_RATE_PER_S:
        return Verdict(answer=Answer.REFUSED, sentence=rate_bounds())
    return None


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
