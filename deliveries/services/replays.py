"""Pauses, resumes, paces and cancels replays, and is the one door to all that is done with them. It never sends.

Each is a conditional update, so of two people the second is told.
"""

import hashlib
from collections.abc import Callable
from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from deliveries.models import Replay, ReplayItem, ReplayPack
from deliveries.models.replay import ItemState, ReplayState, Verb
from deliveries.selectors.replay_estimate import Estimate, estimate
from deliveries.selectors.replay_progress import Progress, progress
from webhooks.services import audit
from webhooks.services.versions import Seen, check_seen

from . import replay_counts, replay_packs
from .lanes import ring_on_commit
from .replay_freeze import MOST_ITEMS
from .replay_start import TYPED_ABOVE, Order, running_already, start
from .replay_terms import HIGHEST_RATE_PER_S, UNDER_WAY, Answer, Verdict, above, limit_of, rate_bounds, stir

__all__ = [
    "HIGHEST_RATE_PER_S",
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
    "version_of",
]

RETURNED_AT_ONCE = 5_000  # items given back in one transaction


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
    seen: Seen = None,
) -> Verdict:
    """From the next turn on. Above a subscription's own rate only for who may.

    `seen` are the versions that the caller would change: raises Changed when it is none of them any more.
    """
    if not 0 < rate_per_s <= HIGHEST_RATE_PER_S:
        return Verdict(answer=Answer.REFUSED, sentence=rate_bounds(), replay_id=replay_id)
    limit = limit_of(replay_id)
    exceeds = limit is not None and rate_per_s > limit
    if exceeds and not may_exceed:
        return Verdict(answer=Answer.REFUSED, sentence=above(limit), replay_id=replay_id)
    try:
        _write_rate(replay_id, rate_per_s, exceeds, actor, user, reason, seen)
    except _Late:
        return _late(replay_id)
    return Verdict(
        answer=Answer.DONE, sentence=f"It goes at {rate_per_s:g} a second now.", replay_id=replay_id
    )


def version_of(replay: Replay) -> str:
    """Of what people set; how far it is, is none of it."""
    told = f"{replay.state} {replay.rate_per_s} {replay.exceeds_limits}"
    return hashlib.sha256(told.encode()).hexdigest()[:12]


def cut_short() -> list[UUID]:
    """Cancelled replays that have not given back everything, since somebody was killed meanwhile."""
    waiting = ReplayItem.objects.filter(state=ItemState.WAITING, replay_id=OuterRef("pk"))
    packed = ReplayPack.objects.filter(replay_id=OuterRef("pk"))
    cancelled = Replay.objects.filter(Exists(waiting) | Exists(packed), state=ReplayState.CANCELLED)
    return list(cancelled.values_list("pk", flat=True))


def return_waiting(replay_id: UUID) -> int:
    """Gives back the items of a cancelled replay, in batches, so that others may choose them; says how many."""
    given = 0
    while True:
        with transaction.atomic():
            replay = replay_counts.lock([replay_id])[replay_id]
            if replay.state != ReplayState.CANCELLED:
                return given
            number = replay_packs.drop_next(replay_id) or _drop_waiting(replay_id)
            if not number:
                return given
            Replay.objects.filter(pk=replay_id).update(returned=replay.returned + number)
            given += number


def _drop_waiting(replay_id: UUID) -> int:
    waiting = ReplayItem.objects.filter(replay_id=replay_id, state=ItemState.WAITING)
    ids = list(waiting.values_list("pk", flat=True)[:RETURNED_AT_ONCE])
    ReplayItem.objects.filter(pk__in=ids).delete()
    return len(ids)


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
            stir(replay_id, now)  # lanes are locked before replays
            replay = replay_counts.lock([replay_id]).get(replay_id)
            if replay is None or replay.state not in before:
                raise _Late
            Replay.objects.filter(pk=replay_id).update(**values)
            was: dict[str, object] = {"state": replay.state}
            if after == ReplayState.CANCELLED:
                replay.state = after
                replay_counts.announce_rest(replay, now)
            _record(verb, replay_id, actor, user, reason, was, {"state": after.value}, replay.waiting)
            ring_on_commit()
    except _Late:
        return _late(replay_id)
    return Verdict(answer=Answer.DONE, sentence=sentence(replay), replay_id=replay_id)


def _write_rate(
    replay_id: UUID,
    rate_per_s: float,
    exceeds: bool,
    actor: str,
    user: User | None,
    reason: str,
    seen: Seen,
) -> None:
    with transaction.atomic():
        stir(replay_id, timezone.now())
        before = replay_counts.lock([replay_id]).get(replay_id)
        if before is not None:
            check_seen(seen, version_of(before))
        if before is None or before.state not in UNDER_WAY or before.verb != Verb.REPLAY:
            raise _Late
        Replay.objects.filter(pk=replay_id).update(rate_per_s=rate_per_s, exceeds_limits=exceeds)
        _record(
            "change-replay-rate", replay_id, actor, user, reason,
            {"rate_per_s": before.rate_per_s}, {"rate_per_s": rate_per_s, "exceeds_limits": exceeds},
        )  # fmt: skip
        ring_on_commit()


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
