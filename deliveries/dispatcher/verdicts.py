"""Tells replays what came of their items, in the settle's own transaction, and stops those that go wrong."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from deliveries.deciders.replaying import Verdict, judge
from deliveries.models import Phase, Replay, ReplayItem, ReplayLane, Subscription
from deliveries.models.replay import ItemState, ReplayState
from deliveries.services import replay_counts

KEPT_ANSWERS = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """One result that may be an item's; `verdict` is None where nothing was sent."""

    delivery_id: UUID
    lane_id: UUID
    phase: int
    verdict: Verdict | None
    outcome: str
    status: int | None
    error: str


def tell(results: Iterable[Told], now: datetime) -> None:
    """Asks nothing of the database unless something was sent from the queue of replays."""
    told = {
        each.delivery_id: each for each in results if each.phase == Phase.REPLAY and each.verdict is not None
    }
    if not told:
        return
    admitted = ReplayItem.objects.filter(delivery_id__in=list(told), state=ItemState.ADMITTED)
    replays = replay_counts.lock(admitted.values_list("replay_id", flat=True))
    if not replays:
        return
    items: dict[UUID, list[tuple[int, Told]]] = {}
    found = admitted.filter(replay_id__in=replays).values_list("pk", "replay_id", "delivery_id")
    for item, replay, delivery in found:
        items.setdefault(replay, []).append((item, told[delivery]))
    for key, settled in items.items():
        _tell_one(replays[key], settled, now)


def _tell_one(replay: Replay, settled: Sequence[tuple[int, Told]], now: datetime) -> None:
    moved: Counter[str] = Counter(admitted=-len(settled))
    for verdict in Verdict:
        items = [item for item, each in settled if each.verdict is verdict]
        moved[verdict.value] += len(items)
        if items:
            note = "a newer version is known" if verdict is Verdict.SKIPPED else ""
            ReplayItem.objects.filter(pk__in=items).update(state=verdict.value, note=note, settled_at=now)
    results = [each for _, each in settled]
    judged = judge(
        recent=replay.recent,
        verdicts=[each.verdict for each in results if each.verdict],
        stops_itself=replay.stops_itself,
    )
    replay.recent = judged.recent
    replay.answers = [*replay.answers, *(_answer(each, now) for each in results)][-KEPT_ANSWERS:]
    reason = _not_proved(replay, results) or judged.stop_reason
    replay_counts.count(replay, moved, now, stop_reason=reason)


def _not_proved(replay: Replay, results: Sequence[Told]) -> str:
    """Proves the lanes whose first got a 2xx; says why a replay that sends one first goes no further."""
    if not replay.sends_one_first:
        return ""
    good = {each.lane_id for each in results if each.verdict is Verdict.DELIVERED}
    unproved = ReplayLane.objects.filter(replay=replay, is_proved=False)
    if good:
        unproved.filter(subscription_id__in=good).update(is_proved=True)
    bad = [each for each in results if each.verdict is Verdict.FAILED]
    for lane in unproved.filter(subscription_id__in={each.lane_id for each in bad}).values_list(
        "subscription_id", flat=True
    ):
        first = next(each for each in bad if each.lane_id == lane)
        said = str(first.status or first.error or first.outcome)
        return f"The one that was sent first to {_name(lane)} failed: {said}"
    return ""


def _answer(each: Told, now: datetime) -> dict[str, Any]:
    return {
        "delivery": each.delivery_id.hex,
        "outcome": str(each.outcome),
        "status": each.status,
        "error": each.error,
        "at": now.isoformat(),
    }


def stop_where_opened(lanes: Collection[UUID], now: datetime) -> None:
    """The circuits of these lanes opened just now, in the caller's transaction, which locked the lanes before."""
    if not lanes:
        return
    parts = ReplayLane.objects.filter(
        subscription_id__in=lanes, is_done=False, replay__state=ReplayState.RUNNING, replay__stops_itself=True
    )
    opened = dict(parts.values_list("replay_id", "subscription_id"))
    for key, replay in replay_counts.lock(opened).items():
        reason = f"The circuit of {_name(opened[key])} opened."
        replay_counts.count(replay, Counter(), now, stop_reason=reason)


def skip_superseded(deliveries: Collection[UUID], now: datetime) -> None:
    """A newer version was seen before they were sent."""
    items = ReplayItem.objects.filter(delivery_id__in=deliveries, state=ItemState.ADMITTED)
    found = list(items.values_list("pk", flat=True))
    if found:
        replay_counts.skip(found, "a newer version is known", now)


def _name(lane: UUID) -> str:
    return str(Subscription.objects.values_list("name", flat=True).get(pk=lane))
