"""Holds a subscription's lane and lets it go, because a person said so or its endpoint did.

What is held is still owed and never dropped, so routers need not be told. `held_at` is when a lane was last held
or, while it moves, last let go. A pause for a time has `hold_until`; a dispatcher ends it, once.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from deliveries.deciders.own_types import SUBSCRIPTION_DISABLED
from deliveries.models import Hold, Lane, Subscription
from webhooks.services import audit

from . import proof
from .announcements import News, announce_each
from .lanes import ring_on_commit
from .notices import notify

GONE = "Its endpoint answered 410 Gone."
WEIR = "weir"  # who the audit names where no person acted
LONGEST_PAUSE = timedelta(days=90)  # of those that end by themselves
MOVABLE = (Hold.NONE, Hold.PAUSED, Hold.UNPROVED)  # what can be disabled
OVER = "Its pause was for a time, and that is over."

_record = partial(audit.record_change, "subscription")


class Refused(Exception):
    """The subscription's present state does not allow this; says why in one sentence."""


def pause(
    *,
    subscription_id: UUID,
    actor: str,
    user: User | None = None,
    reason: str = "",
    until: datetime | None = None,
) -> bool:
    """Holds the lane, `until` then or until it is resumed: events are still owed, none is sent.

    False when it was paused already. Raises Refused for a time that is past or far away.
    """
    now = timezone.now()
    if until is not None and not now < until <= now + LONGEST_PAUSE:
        raise Refused(f"A pause ends later than now and within {LONGEST_PAUSE.days} days.")
    return _hold(
        "pause", subscription_id, [Hold.NONE, Hold.UNPROVED], Hold.PAUSED, actor, user, reason, until
    )


def resume(*, subscription_id: UUID, actor: str, user: User | None = None, reason: str = "") -> bool:
    """Lets a paused lane move again. False when it was moving already."""
    return _hold("resume", subscription_id, [Hold.PAUSED], Hold.NONE, actor, user, reason)


def disable(*, subscription_id: UUID, actor: str, user: User | None = None, reason: str = "") -> bool:
    """Holds the lane until it is enabled. False when it was disabled already."""
    return _hold("disable", subscription_id, [*MOVABLE], Hold.DISABLED, actor, user, reason)


def enable(*, subscription_id: UUID, actor: str, user: User | None = None, reason: str = "") -> bool:
    """Lets a disabled lane move again. False when it was moving already."""
    return _hold("enable", subscription_id, [Hold.DISABLED], Hold.NONE, actor, user, reason)


def resume_due(*, now: datetime) -> int:
    """Ends the pauses whose time is over; says how many. Each is ended once, whoever else looks now."""
    over = Lane.objects.filter(hold=Hold.PAUSED, hold_until__lte=now)
    return sum(_resume_at(lane, until, now) for lane, until in over.values_list("pk", "hold_until") if until)


def _resume_at(subscription_id: UUID, until: datetime, now: datetime) -> bool:
    """Nothing where a person resumed it, disabled it or paused it anew since it was read."""
    with transaction.atomic():
        seen = Lane.objects.filter(pk=subscription_id, hold=Hold.PAUSED, hold_until=until)
        after = Hold.UNPROVED if proof.waits(subscription_id) else Hold.NONE
        values = _moving(now) if after == Hold.NONE else _held(after, proof.WHY, None, now)
        if not seen.update(**values):
            return False
        _record(
            "resume", subscription_id, WEIR, None, OVER, {"hold": Hold.PAUSED.value}, {"hold": after.value}
        )
        ring_on_commit()
    return True


def disable_gone(*, subscription_id: UUID, now: datetime) -> None:
    """The endpoint said 410: holds the lane, in the caller's transaction, and leaves one notice."""
    _disable_unasked(subscription_id, GONE, now)


def disable_unreadable(*, subscription_id: UUID, now: datetime, why: str) -> None:
    """Nothing can be sent with what is stored, such as secrets whose key is lost; one notice says so."""
    with transaction.atomic():
        _disable_unasked(subscription_id, why, now)


def disable_failing(*, lane: Lane, now: datetime) -> bool:
    """Holds a lane that failed for its whole term. False when it is no longer as it was read."""
    why = f"It failed without one success since {lane.failing_since:%Y-%m-%d %H:%M:%S} UTC."
    with transaction.atomic():
        if not _disable(as_seen(lane), why, now):
            return False
        _record("disable", lane.pk, WEIR, None, why, {"hold": ""}, {"hold": Hold.DISABLED.value})
        _tell_disabled(lane.pk, why)
    return True


def as_seen(lane: Lane) -> QuerySet[Lane]:
    """The lane, unless it has succeeded, was held or was warned of since it was read."""
    return Lane.objects.filter(
        pk=lane.pk,
        hold=Hold.NONE,
        held_at=lane.held_at,
        failing_since=lane.failing_since,
        warned_at=lane.warned_at,
    )


def _disable_unasked(subscription_id: UUID, why: str, now: datetime) -> None:
    moving = Lane.objects.filter(pk=subscription_id, hold__in=MOVABLE)
    if _disable(moving, why, now):
        _tell_disabled(subscription_id, why)


def _disable(lanes: QuerySet[Lane], why: str, now: datetime) -> int:
    return lanes.update(
        hold=Hold.DISABLED, hold_reason=why, held_at=now, hold_until=None, revision=F("revision") + 1
    )


def _tell_disabled(subscription_id: UUID, why: str) -> None:
    name, subscriber = Subscription.objects.values_list("name", "subscriber__name").get(pk=subscription_id)
    text = f"{name} of {subscriber} was disabled. {why}"
    notify(kind="subscription-disabled", object_kind="subscription", object_id=subscription_id, text=text)
    _announce_disabled(subscription_id, why)


def _announce_disabled(subscription_id: UUID, why: str) -> None:
    announce_each([News(kind=SUBSCRIPTION_DISABLED, about=subscription_id, data={"reason": why})])


def _hold(
    verb: str,
    subscription_id: UUID,
    before: Sequence[Hold],
    after: Hold,
    actor: str,
    user: User | None,
    reason: str,
    until: datetime | None = None,
) -> bool:
    now = timezone.now()
    with transaction.atomic():
        lane = Lane.objects.select_for_update(no_key=True).only("hold", "hold_until").get(pk=subscription_id)
        if after == Hold.NONE and proof.waits(subscription_id):
            after, reason = Hold.UNPROVED, proof.WHY
        values = _moving(now) if after == Hold.NONE else _held(after, reason, until, now)
        if lane.hold not in before:
            return _already(verb, Hold(lane.hold), after)
        Lane.objects.filter(pk=subscription_id).update(**values)
        was = _said(Hold(lane.hold), lane.hold_until)
        _record(verb, subscription_id, actor, user, reason, was, _said(after, until))
        if after == Hold.DISABLED:
            _announce_disabled(subscription_id, reason)
        ring_on_commit()
    return True


def _held(hold: Hold, reason: str, until: datetime | None, now: datetime) -> dict[str, Any]:
    return {
        "hold": hold,
        "hold_reason": reason[:500],
        "held_at": now,
        "hold_until": until,
        "revision": F("revision") + 1,
    }


def _moving(now: datetime) -> dict[str, Any]:
    return _held(Hold.NONE, "", None, now) | {"next_due_at": now}


def _said(hold: Hold, until: datetime | None) -> dict[str, str]:
    return {"hold": hold.value} | ({"until": until.isoformat(timespec="seconds")} if until else {})


def _already(verb: str, present: Hold, wanted: Hold) -> bool:
    if present != wanted:
        raise Refused(f"This subscription is {present.label.lower()}; {verb} does not apply to it.")
    return False
