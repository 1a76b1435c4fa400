"""Sends a delivery again, or lets it rest, because a person said so. It never sends anything itself.

A replay re-arms the delivery with a fresh attempt budget; attempt numbers go on. Both are one conditional
update, so of two clicks the second is told that it came too late. One that can be undone (replay_undo) is due a
little later, and its entry in the audit keeps what was before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import partial
from typing import Any, Final
from uuid import UUID

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.utils import timezone

from deliveries.models import Circuit, Delivery, DeliveryState, Hold, Lane
from webhooks import story
from webhooks.services import audit

from . import replay_packs
from .lanes import hold_lanes, ring_on_commit, wake_sleeping
from .rearming import as_it_is, has_body, is_outdated, issue_as_it_is, rearm, resolve_dead_letters
from .replay_counts import drop_from_replays

AT_ONCE: Final = timedelta()
_KNOWN = ("subscription_id", "state", "event_id", "event__trace_id")


class Answer(StrEnum):
    DONE = "done"
    MISSING = "missing"  # no such delivery
    PENDING = "pending"  # owed already, or chosen by a replay that has not reached it
    LATE = "late"  # to undo its replay: it was sent, or acted on, or undone already
    FINAL = "final"  # delivered, discarded or superseded: there is nothing left to discard
    SUPERSEDED = "superseded"  # a newer version is known, and this subscription wants the latest only
    EMPTY = "empty"  # retention dropped the body


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplayVerdict:
    answer: Answer
    sentence: str

    @property
    def is_done(self) -> bool:
        return self.answer is Answer.DONE


def replay_delivery(
    *, delivery_id: UUID, actor: str, reason: str = "", user: User | None = None, wait: timedelta = AT_ONCE
) -> ReplayVerdict:
    """Makes a settled delivery due now, or so much later and until then to be undone, whatever became of it before."""
    found = Delivery.objects.filter(pk=delivery_id).values_list(*_KNOWN).first()
    if found is None:
        return _missing()
    lane_id, before, event_id, trace_id = found
    replay_packs.unpack_what_names(lane_id, event_id)
    now = timezone.now()
    was, after = {"state": before}, {"state": str(DeliveryState.PENDING)}
    with transaction.atomic():
        hold_lanes(connection, [lane_id])
        if wait:
            was, after["budget_at"] = as_it_is(delivery_id), now.isoformat()
        if not rearm([delivery_id], now, due_at=now + wait):
            return _why_not_replayed(delivery_id)
        # The lane before the issue, as a router locks them when it numbers and buries at once.
        wake_sleeping([lane_id], now + wait)
        if wait:
            was["issue"] = issue_as_it_is(delivery_id)
        resolve_dead_letters([delivery_id], now, "replayed")
        _record("replay", delivery_id, actor, reason, user, was, after)
        ids = {"event_id": event_id, "delivery_id": delivery_id, "subscription_id": lane_id}
        transaction.on_commit(partial(story.tell, "replayed", **ids, actor=actor, trace_id=trace_id))
        ring_on_commit()
    return ReplayVerdict(answer=Answer.DONE, sentence=_promise(lane_id, wait))


def discard_delivery(
    *, delivery_id: UUID, actor: str, reason: str = "", user: User | None = None
) -> ReplayVerdict:
    """Decides that a delivery which is still owed, or dead, need not arrive."""
    return _let_rest("discard", [DeliveryState.PENDING, DeliveryState.DEAD], delivery_id, actor, reason, user)


def cancel_delivery(
    *, delivery_id: UUID, actor: str, reason: str = "", user: User | None = None
) -> ReplayVerdict:
    """Gives up a delivery that is still owed: discards it, unless it has died meanwhile.

    What is in flight comes to its end and is recorded; it is not sent again.
    """
    return _let_rest("cancel", [DeliveryState.PENDING], delivery_id, actor, reason, user)


def _let_rest(
    verb: str, states: Sequence[DeliveryState], delivery_id: UUID, actor: str, reason: str, user: User | None
) -> ReplayVerdict:
    found = Delivery.objects.filter(pk=delivery_id).values_list(*_KNOWN).first()
    if found is None:
        return _missing()
    lane_id, before, event_id, trace_id = found
    replay_packs.unpack_what_names(lane_id, event_id)
    now = timezone.now()
    with transaction.atomic():
        hold_lanes(connection, [lane_id])
        open_ones = Delivery.objects.filter(pk=delivery_id, state__in=states)
        if not open_ones.update(state=DeliveryState.DISCARDED, due_at=None, settled_at=now):
            return _why_not_discarded(delivery_id, verb)
        # In a strictly ordered lane the others may have slept until this one's next try.
        wake_sleeping([lane_id], now)
        resolve_dead_letters([delivery_id], now, "discarded")
        drop_from_replays([delivery_id], now)
        discarded = {"state": str(DeliveryState.DISCARDED)}
        _record(verb, delivery_id, actor, reason, user, {"state": before}, discarded)
        ids = {"event_id": event_id, "delivery_id": delivery_id, "subscription_id": lane_id}
        transaction.on_commit(partial(story.tell, "discarded", **ids, actor=actor, trace_id=trace_id))
        ring_on_commit()
    sentence = "It is discarded and will not be sent."
    if verb == "cancel":
        sentence = "It is discarded: no attempt follows, and one that is in flight comes to its end."
    return ReplayVerdict(answer=Answer.DONE, sentence=sentence)


def _why_not_replayed(delivery_id: UUID) -> ReplayVerdict:
    delivery = (
        Delivery.objects.select_related("subscription")
        .annotate(has_body=has_body(), is_outdated=is_outdated())
        .get(pk=delivery_id)
    )
    if delivery.state == DeliveryState.PENDING:
        due = f"{delivery.due_at:%Y-%m-%d %H:%M:%S} UTC"
        return ReplayVerdict(
            answer=Answer.PENDING, sentence=f"It is pending already; its next attempt is due at {due}."
        )
    if delivery.is_outdated and delivery.subscription.latest_only:
        return ReplayVerdict(
            answer=Answer.SUPERSEDED,
            sentence="A newer version is known, and this subscription wants the latest only.",
        )
    if not delivery.has_body:
        return ReplayVerdict(
            answer=Answer.EMPTY, sentence="Its body is past retention, so there is nothing to send."
        )
    return ReplayVerdict(
        answer=Answer.PENDING, sentence="A replay that is still running has chosen it already."
    )


def _why_not_discarded(delivery_id: UUID, verb: str) -> ReplayVerdict:
    state = Delivery.objects.values_list("state", flat=True).get(pk=delivery_id)
    return ReplayVerdict(
        answer=Answer.FINAL,
        sentence=f"It is {DeliveryState(state).label.lower()}, so there is nothing to {verb}.",
    )


def _missing() -> ReplayVerdict:
    return ReplayVerdict(answer=Answer.MISSING, sentence="There is no such delivery.")


def _promise(lane_id: UUID, wait: timedelta) -> str:
    hold, circuit = Lane.objects.values_list("hold", "circuit").get(pk=lane_id)
    if hold != Hold.NONE:
        return f"It is pending, and waits because its subscription is {Hold(hold).label.lower()}."
    if not wait:
        return "It is due now."
    if circuit in (Circuit.OPEN, Circuit.HALF_OPEN):
        return f"It is pending, and waits because its circuit is {Circuit(circuit).label.lower()}."
    return f"It will be sent in {wait.total_seconds():.0f} s."


def _record(
    verb: str,
    delivery_id: UUID,
    actor: str,
    reason: str,
    user: User | None,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
) -> None:
    audit.record(
        actor=actor,
        user=user,
        verb=verb,
        object_kind="delivery",
        object_id=delivery_id,
        reason=reason,
        before=before,
        after=after,
    )
