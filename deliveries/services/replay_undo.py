"""Undoes a replay that nobody has begun to send: one transition, which puts back what the replay found.

What is guaranteed, whatever the clocks of machines say: either the undo holds, and that replay is never sent, or the
dispatcher has it, and the undo is told so. A claim otherwise writes nothing; of what can be undone it moves the budget
to the due time before it hands it to a sender (dispatcher.undoing), and an undo asks for the budget as the replay left
it. Both are updates of one row on a condition that the other ends, so of the two, and of two undos, one is first.

The seconds are courtesy: a clock that is ahead sends a little sooner, and where a lane is held, or busy, what was not
sent can be undone for longer. A strictly ordered lane waits for what it has in turn, as it does for any retry.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from uuid import UUID

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.utils import timezone

from deliveries.models import Attempt, Delivery, DeliveryState
from webhooks import story
from webhooks.ids import public_id
from webhooks.models import AuditEntry
from webhooks.services import audit

from .lanes import hold_lanes, ring_on_commit, wake_sleeping
from .rearming import disarm, reopen_dead_letter
from .replay import Answer, ReplayVerdict

MOST_ACTS = 20  # of people on one delivery, looked back on


def undo_replay(
    *, delivery_id: UUID, replayed_at: datetime, actor: str, user: User | None = None
) -> ReplayVerdict:
    """Of that very replay: one that was undone or followed by another is not found again."""
    its = Delivery.objects.filter(pk=delivery_id)
    found = its.values_list("subscription_id", "event_id", "event__trace_id").first()
    if found is None:
        return ReplayVerdict(answer=Answer.MISSING, sentence="There is no such delivery.")
    lane_id, event_id, trace_id = found
    order = next((act for act in _acts(delivery_id) if _ordered(act, replayed_at)), None)
    if order is None:
        return ReplayVerdict(answer=Answer.LATE, sentence="There is no such replay to undo.")
    was, now = order.before, timezone.now()
    with transaction.atomic():
        hold_lanes(connection, [lane_id])
        if not disarm(delivery_id, rearmed_at=replayed_at, was=was):
            return ReplayVerdict(answer=Answer.LATE, sentence=_why_late(delivery_id, replayed_at, order))
        # In a strictly ordered lane the others may have slept until this one was due.
        wake_sleeping([lane_id], now)
        reopen_dead_letter(delivery_id, resolved_at=replayed_at, issue_was=was["issue"], now=now)
        audit.record(
            actor=actor, user=user, verb="undo", object_kind="delivery", object_id=delivery_id,
            before=order.after, after={"state": was["state"]},
        )  # fmt: skip
        told = partial(
            story.tell, "undone", event_id=event_id, delivery_id=delivery_id, subscription_id=lane_id
        )
        transaction.on_commit(partial(told, actor=actor, trace_id=trace_id))
        ring_on_commit()
    return ReplayVerdict(
        answer=Answer.DONE, sentence=f"It is {_label(was['state'])} as before; nothing was sent."
    )


def _acts(delivery_id: UUID) -> Sequence[AuditEntry]:
    """The newest first."""
    its = AuditEntry.objects.filter(object_kind="delivery", object_id=public_id("delivery", delivery_id))
    return list(its.filter(verb__in=["replay", "undo"]).order_by("-pk")[:MOST_ACTS])


def _why_late(delivery_id: UUID, replayed_at: datetime, order: AuditEntry) -> str:
    undone = next((a for a in _acts(delivery_id) if a.verb == "undo" and a.before == order.after), None)
    if undone is not None:
        return f"It was undone already, by {undone.actor}."
    first = Attempt.objects.filter(delivery_id=delivery_id, started_at__gte=replayed_at).order_by("number")
    sent_at = first.values_list("started_at", flat=True).first()
    if sent_at is not None:
        return f"Too late: it was sent at {sent_at:%H:%M:%S} UTC."
    state = Delivery.objects.values_list("state", flat=True).get(pk=delivery_id)
    return f"Too late: it is {'being sent' if state == DeliveryState.PENDING else _label(state)}."


def _ordered(act: AuditEntry, replayed_at: datetime) -> bool:
    return act.verb == "replay" and act.after.get("budget_at") == replayed_at.isoformat()


def _label(state: str) -> str:
    return DeliveryState(state).label.lower()
