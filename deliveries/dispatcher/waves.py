"""Keeps what lies deeper in a cascade waiting until what caused it was answered, in a replay from one of its nodes.

Such a replay goes in waves, across its lanes: of a deeper wave nothing is let in while an item of this one or of those
before it waits or is under way. Any first answer lets the next wave go, good or bad, and so does an item that is not
sent after all. A lane that does not move, since it is paused, disabled or its circuit is open, holds nobody up: it
sends when it moves. So no wave waits for ever. It admits nothing itself.
"""

from collections.abc import Iterable
from uuid import UUID

from django.db.models import Exists, Min, OuterRef, QuerySet

from deliveries.models import Circuit, Hold, Replay, ReplayItem
from deliveries.models.replay import ItemState
from deliveries.services.rearming import ACTIVE
from webhooks.models import Event

REST_S = 0.1  # between two looks at whether the next wave may go: that is all it costs each wave


def within(replay: UUID, lane: UUID, wave: int) -> QuerySet[ReplayItem]:
    """What waits in the lane of this wave and of those before, the oldest event first."""
    waiting = ReplayItem.objects.filter(replay_id=replay, subscription_id=lane, state=ItemState.WAITING)
    return waiting.exclude(_deeper(wave)).order_by("event_id")


def look(parts: Iterable[tuple[UUID, UUID, int | None]]) -> frozenset[tuple[UUID, UUID]]:
    """Of lanes of replays that have nothing more for now, those in which a later wave waits. It may begin here."""
    lanes: dict[tuple[UUID, int], list[UUID]] = {}
    for replay, lane, wave in parts:
        if wave is not None:
            lanes.setdefault((replay, wave), []).append(lane)
    found: set[tuple[UUID, UUID]] = set()
    for (replay, wave), its in lanes.items():
        waiting = ReplayItem.objects.filter(_deeper(wave), replay_id=replay, state=ItemState.WAITING)
        of = waiting.filter(subscription_id__in=its).values_list("subscription_id", flat=True).distinct()
        if later := {(replay, lane) for lane in of}:
            found |= later
            _go_on(replay, wave)
    return frozenset(found)


def _go_on(replay: UUID, wave: int) -> None:
    """Begins the next wave there is, once nothing holds it up. Items never come back, so no lock is needed."""
    active = ReplayItem.objects.filter(replay_id=replay, state__in=ACTIVE)
    moving = active.filter(subscription__lane__hold=Hold.NONE).exclude(
        subscription__lane__circuit=Circuit.OPEN
    )
    if moving.exclude(_deeper(wave)).exists():
        return
    waiting = active.filter(event__depth__gt=wave, state=ItemState.WAITING)
    following = waiting.aggregate(depth=Min("event__depth"))["depth"]
    if following is not None:
        Replay.objects.filter(pk=replay, wave=wave).update(wave=following)


def _deeper(wave: int) -> Exists:
    """Not of what retention has dropped: that is let in to be skipped."""
    return Exists(Event.objects.filter(pk=OuterRef("event_id"), depth__gt=wave))
