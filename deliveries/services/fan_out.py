"""Routes an event again, to subscriptions that want it now and have no delivery of it, because a person said so.

It sends nothing itself, and a pair of event and subscription never has a second delivery: of two people who order it
at once the second is told that there is nothing left to do.
"""

from dataclasses import dataclass
from uuid import UUID

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.utils import timezone

from deliveries.dispatcher.owed import Arrived, Owed, insert
from deliveries.dispatcher.router import wanted_by
from deliveries.dispatcher.routes import Routes
from deliveries.models import Delivery
from webhooks.models import Event, EventBody, EventState
from webhooks.services import audit

from .lanes import hold_lanes, ring_on_commit, wake_sleeping

MOST = 5_000  # deliveries made at once, as many as a router makes


@dataclass(frozen=True, kw_only=True, slots=True)
class FanOutVerdict:
    made: int
    sentence: str

    @property
    def is_done(self) -> bool:
        return self.made > 0


def route_again(*, event_id: UUID, actor: str, reason: str, user: User | None = None) -> FanOutVerdict:
    arrived = Event.objects.filter(pk=event_id).values_list(*Arrived._fields).first()
    if arrived is None:
        return _nothing("There is no such event.")
    body = EventBody.objects.filter(pk=event_id).values_list("body", flat=True).first()
    if body is None:
        return _nothing("Its body is past retention, so there is nothing to send.")
    event = Arrived(*arrived)
    # Before the transaction: a filter may be slow, and nothing of it depends on what is locked.
    owed = wanted_by(event, Routes().current(), bytes(body))
    with transaction.atomic():
        state = Event.objects.select_for_update().values_list("state", flat=True).get(pk=event_id)
        if state not in (EventState.ROUTED, EventState.UNMATCHED):
            return _nothing(_NOT_YET[state])
        missing = _missing(event_id, owed)
        if not missing:
            return _nothing("Every subscription that wants it now has a delivery of it already.")
        _give(event_id, state, missing)
        audit.record(
            actor=actor, user=user, verb="route_again", object_kind="event", object_id=event_id,
            count=len(missing), reason=reason, before={"state": str(state)},
            after={"state": EventState.ROUTED.value, "deliveries": len(missing)},
        )  # fmt: skip
    plural = "y is" if len(missing) == 1 else "ies are"
    return FanOutVerdict(made=len(missing), sentence=f"{len(missing)} new deliver{plural} owed.")


def missing_of(event_id: UUID) -> list[UUID] | None:
    """Who would be given it; None when its body is gone. What is told before the order may change until it."""
    arrived = Event.objects.filter(pk=event_id).values_list(*Arrived._fields).first()
    body = EventBody.objects.filter(pk=event_id).values_list("body", flat=True).first()
    if arrived is None or body is None:
        return None
    owed = wanted_by(Arrived(*arrived), Routes().current(), bytes(body))
    return [each.subscription_id for each in _missing(event_id, owed)]


def _missing(event_id: UUID, owed: list[Owed]) -> list[Owed]:
    has_one = set(Delivery.objects.filter(event_id=event_id).values_list("subscription_id", flat=True))
    return [each for each in owed if each.subscription_id not in has_one][:MOST]


def _give(event_id: UUID, state: str, missing: list[Owed]) -> None:
    now, lanes = timezone.now(), {each.subscription_id for each in missing}
    hold_lanes(connection, lanes)
    insert(missing, now)
    if state == EventState.UNMATCHED:
        Event.objects.filter(pk=event_id, state=state).update(state=EventState.ROUTED)
    wake_sleeping({each.subscription_id for each in missing if not each.failure}, now)
    ring_on_commit()


def _nothing(sentence: str) -> FanOutVerdict:
    return FanOutVerdict(made=0, sentence=sentence)


_NOT_YET = {
    EventState.SCHEDULED.value: "It was published for later and is routed when its time has come.",
    EventState.RECEIVED.value: "It has not been routed yet; that happens by itself.",
    EventState.DISCARDED.value: "It was discarded out of quarantine.",
    EventState.CANCELLED.value: "It was cancelled before its time had come.",
    EventState.QUARANTINED.value: "It is in quarantine, from which it is released, not routed again.",
}
