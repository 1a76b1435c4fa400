"""Looks at the lanes that keep failing, warns of those that are about to be disabled, and disables them.

What it saw is what it writes by: a lane that succeeded, or was paused, since it looked is left alone. Nothing
that is owed is dropped; a person enables the lane again, which begins a fresh term.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import or_

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from deliveries.deciders.endurance import Step, begun, ends_at, next_step
from deliveries.deciders.own_types import SUBSCRIPTION_FAILING
from deliveries.models import Delivery, DeliveryState, Hold, Lane, Phase
from webhooks.deciders.times import zulu

from . import holds
from .announcements import News, announce_each
from .defaults import disable_after_of
from .notices import notify


@dataclass(frozen=True, kw_only=True, slots=True)
class Looked:
    warned: int
    disabled: int


def contain_failing(*, now: datetime) -> Looked:
    """One look at all lanes that may move and fail. Each change is a transaction of its own."""
    _forget_warnings()
    warned = disabled = 0
    for lane in _failing():
        match _step(lane, now):
            case Step.WARN:
                warned += _warn(lane, now)
            case Step.DISABLE:
                disabled += holds.disable_failing(lane=lane, now=now)
    return Looked(warned=warned, disabled=disabled)


def _failing() -> QuerySet[Lane]:
    """A lane that is held, or owed nothing, sends nothing: it cannot be said to fail any longer."""
    owed = [Exists(_queue(phase)) for phase in Phase]  # one by one, as each has its partial index
    lanes = Lane.objects.filter(reduce(or_, owed), hold=Hold.NONE, failing_since__isnull=False)
    return lanes.select_related("subscription__subscriber").only(
        "failing_since",
        "held_at",
        "warned_at",
        "subscription__name",
        "subscription__disable_after_s",
        "subscription__subscriber__name",
    )


def _queue(phase: Phase) -> QuerySet[Delivery]:
    mine = Delivery.objects.filter(subscription_id=OuterRef("pk"))
    return mine.filter(state=DeliveryState.PENDING, phase=phase.value)


def _step(lane: Lane, now: datetime) -> Step:
    return next_step(
        term_from=_term_from(lane),
        disable_after_s=disable_after_of(lane.subscription),
        warned_at=lane.warned_at,
        now=now,
    )


def _term_from(lane: Lane) -> datetime:
    assert lane.failing_since is not None  # noqa: S101  # _failing() asked for no other
    return begun(failing_since=lane.failing_since, moving_since=lane.held_at)


def _warn(lane: Lane, now: datetime) -> bool:
    after_s, name = (
        disable_after_of(lane.subscription),
        f"{lane.subscription} of {lane.subscription.subscriber}",
    )
    end = ends_at(term_from=_term_from(lane), disable_after_s=after_s, warned_at=now)
    with transaction.atomic():
        if not holds.as_seen(lane).update(warned_at=now):
            return False
        text = (
            f"{name} has failed without one success since {lane.failing_since:%Y-%m-%d %H:%M:%S} UTC and will be"
            f" disabled at {end:%Y-%m-%d %H:%M:%S} UTC unless an attempt succeeds."
        )
        notify(kind="subscription-failing", object_kind="subscription", object_id=lane.pk, text=text)
        announce_each([_failing_news(lane, end)])
    return True


def _failing_news(lane: Lane, end: datetime) -> News:
    assert lane.failing_since is not None  # noqa: S101  # _failing() asked for no other
    data = {
        "reason": "It has failed without one success for long.",
        "failing_since": zulu(lane.failing_since),
        "disabled_at": zulu(end),
    }
    return News(kind=SUBSCRIPTION_FAILING, about=lane.pk, data=data)


def _forget_warnings() -> None:
    Lane.objects.filter(failing_since=None, warned_at__isnull=False).update(warned_at=None)
