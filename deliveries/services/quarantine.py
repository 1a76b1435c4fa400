"""Releases events from quarantine, or discards them, one by one or a cascade's whole. It routes and sends nothing.

A release lets routers see the event again, which no guard stops a second time, and gives its cascade a fresh budget
from then on. Each is a conditional update, so of two people the second is told that there is nothing left to do.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from deliveries.deciders.cascade_guard import Why
from deliveries.models import Cascade, Quarantine
from deliveries.models.cascade import Fate
from webhooks import story, wake
from webhooks.models import Event, EventState
from webhooks.services import audit

BATCH = 1_000  # events moved in one transaction

_BECOMES = {Fate.RELEASED: EventState.RECEIVED, Fate.DISCARDED: EventState.DISCARDED}
_VERBS = {Fate.RELEASED: "release", Fate.DISCARDED: "discard"}


@dataclass(frozen=True, kw_only=True, slots=True)
class QuarantineVerdict:
    moved: int
    sentence: str

    @property
    def is_done(self) -> bool:
        return self.moved > 0


@dataclass(frozen=True, kw_only=True, slots=True)
class _Order:
    fate: Fate
    actor: str
    user: User | None
    reason: str


def release_event(*, event_id: UUID, actor: str, reason: str, user: User | None = None) -> QuarantineVerdict:
    return _one(event_id, _Order(fate=Fate.RELEASED, actor=actor, user=user, reason=reason))


def discard_event(*, event_id: UUID, actor: str, reason: str, user: User | None = None) -> QuarantineVerdict:
    return _one(event_id, _Order(fate=Fate.DISCARDED, actor=actor, user=user, reason=reason))


def release_cascade(
    *, trace_id: UUID, actor: str, reason: str, user: User | None = None
) -> QuarantineVerdict:
    """What waits of it when this begins; what its release causes may be set aside anew."""
    return _whole(trace_id, _Order(fate=Fate.RELEASED, actor=actor, user=user, reason=reason))


def discard_cascade(
    *, trace_id: UUID, actor: str, reason: str, user: User | None = None
) -> QuarantineVerdict:
    return _whole(trace_id, _Order(fate=Fate.DISCARDED, actor=actor, user=user, reason=reason))


def _one(event_id: UUID, order: _Order) -> QuarantineVerdict:
    now = timezone.now()
    trace = Quarantine.objects.filter(pk=event_id).values_list("trace_id", flat=True).first()
    with transaction.atomic():
        _lock(trace)  # as routers do, before events
        moved = _move([event_id], order, now)
        if moved:
            _count(trace, moved, order, now)
            _record(order, "event", event_id, moved)
    return _verdict(moved, order, "It is not in quarantine.")


def _whole(trace_id: UUID, order: _Order) -> QuarantineVerdict:
    """In batches, since there may be a hundred thousand; the record is written with the first."""
    total, now = 0, timezone.now()
    last = Quarantine.objects.filter(trace_id=trace_id, fate=Fate.WAITING).order_by("-pk").first()
    while last is not None:
        with transaction.atomic():
            cascade = _lock(trace_id)
            waiting = Quarantine.objects.filter(trace_id=trace_id, fate=Fate.WAITING, pk__lte=last.pk)
            ids = list(waiting.order_by("pk").values_list("pk", flat=True)[:BATCH])
            moved = _move(ids, order, now) if ids else 0
            if moved:
                _count(trace_id, moved, order, now)
            if moved and not total:
                _record(order, "cascade", trace_id, max(moved, cascade.quarantined if cascade else 0))
        total += moved
        if len(ids) < BATCH:
            break
    return _verdict(total, order, "Nothing of this cascade is in quarantine.")


def _lock(trace: UUID | None) -> Cascade | None:
    if trace is None:
        return None
    return Cascade.objects.select_for_update().filter(pk=trace).first()


def _move(ids: list[UUID], order: _Order, now: datetime) -> int:
    """How many of them: those that somebody else has moved meanwhile are left as they are."""
    waiting = Event.objects.select_for_update().filter(pk__in=ids, state=EventState.QUARANTINED)
    traces = dict(waiting.order_by("pk").values_list("pk", "trace_id"))
    moving = list(traces)
    if not moving:
        return 0
    Event.objects.filter(pk__in=moving).update(state=_BECOMES[order.fate])
    # Those from before there were notes of it get one.
    noted = [Quarantine(event_id=each, why=Why.UNROUTABLE) for each in moving]
    Quarantine.objects.bulk_create(noted, ignore_conflicts=True)
    Quarantine.objects.filter(pk__in=moving).update(fate=order.fate, settled_at=now)
    if order.fate == Fate.RELEASED:
        transaction.on_commit(partial(wake.ring, wake.EVENTS))
    transaction.on_commit(partial(_tell, traces, order))
    return len(moving)


def _tell(traces: Mapping[UUID, UUID], order: _Order) -> None:
    for event, trace in traces.items():
        story.tell(order.fate.value, event_id=event, actor=order.actor, trace_id=trace)


def _count(trace: UUID | None, moved: int, order: _Order, now: datetime) -> None:
    if trace is None:
        return
    cascade = Cascade.objects.filter(pk=trace)
    cascade.filter(quarantined=moved).update(quarantined=0, quarantined_at=None)
    cascade.filter(quarantined__gt=moved).update(quarantined=F("quarantined") - moved)
    if order.fate == Fate.RELEASED:
        cascade.update(budget_from=now, budget_spent=0)


def _record(order: _Order, kind: str, object_id: UUID, count: int) -> None:
    audit.record(
        actor=order.actor,
        user=order.user,
        verb=f"{_VERBS[order.fate]}-quarantine",
        object_kind=kind,
        object_id=object_id.hex if kind == "cascade" else object_id,
        reason=order.reason,
        count=count,
        before={"state": EventState.QUARANTINED.value},
        after={"state": _BECOMES[order.fate].value},
    )


def _verdict(moved: int, order: _Order, nothing: str) -> QuarantineVerdict:
    if not moved:
        return QuarantineVerdict(moved=0, sentence=nothing)
    plural = "event is" if moved == 1 else "events are"
    became = "released and will be routed" if order.fate == Fate.RELEASED else "discarded"
    return QuarantineVerdict(moved=moved, sentence=f"{moved:,} {plural} {became}.")
