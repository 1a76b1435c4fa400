"""Lets events that were published for later go to the routers when their time has come, or takes them back before.

It routes none itself. Both are conditional updates of one state, so that an event is either routed or cancelled.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction

from webhooks import story, wake
from webhooks.models import Event, EventState

from . import audit

BATCH = 1_000  # events in one transaction


@dataclass(frozen=True, kw_only=True, slots=True)
class CancelVerdict:
    is_done: bool
    sentence: str


def release_due(*, now: datetime) -> int:
    """Says how many; each goes once, whoever else looks now, and never before its time."""
    released = 0
    while True:
        due = Event.objects.filter(state=EventState.SCHEDULED, deliver_at__lte=now).order_by("deliver_at")
        ids = list(due.values_list("pk", flat=True)[:BATCH])
        if ids:
            with transaction.atomic():
                waiting = Event.objects.filter(pk__in=ids, state=EventState.SCHEDULED)
                released += waiting.update(state=EventState.RECEIVED)
                transaction.on_commit(partial(wake.ring, wake.EVENTS))
        if len(ids) < BATCH:
            return released


def cancel(*, event_id: UUID, actor: str, reason: str = "", user: User | None = None) -> CancelVerdict:
    """For good: nothing brings it back. Of two who cancel it, or of one and its time, the first wins."""
    with transaction.atomic():
        event = Event.objects.filter(pk=event_id)
        if not event.filter(state=EventState.SCHEDULED).update(state=EventState.CANCELLED):
            return CancelVerdict(is_done=False, sentence=_why_not(event_id))
        audit.record(
            actor=actor,
            user=user,
            verb="cancel",
            object_kind="event",
            object_id=event_id,
            reason=reason,
            before={"state": EventState.SCHEDULED.value},
            after={"state": EventState.CANCELLED.value},
        )
        trace = event.values_list("trace_id", flat=True).get()
        transaction.on_commit(
            partial(story.tell, "cancelled", event_id=event_id, actor=actor, trace_id=trace)
        )
    return CancelVerdict(is_done=True, sentence="It is cancelled and will not be routed.")


def cancelled_among(ids: Collection[UUID]) -> frozenset[UUID]:
    """Of these events, those that were taken back."""
    if not ids:
        return frozenset()
    cancelled = Event.objects.filter(pk__in=ids, state=EventState.CANCELLED)
    return frozenset(cancelled.values_list("pk", flat=True))


def _why_not(event_id: UUID) -> str:
    event = Event.objects.filter(pk=event_id).only("state", "deliver_at").first()
    if event is None:
        return "There is no such event."
    if event.state == EventState.CANCELLED:
        return "It was cancelled already."
    if event.deliver_at is None:
        return "It was not published for later, so there is nothing to cancel."
    return "Its time had come first, so it cannot be cancelled any more."
