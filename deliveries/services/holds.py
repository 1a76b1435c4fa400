"""Holds a subscription's lane and lets it go, because a person said so or its endpoint did.

What is held is still owed and never dropped, so routers need not be told. `held_at` is when a lane was last held
or, while it moves, last let go.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from deliveries.models import Hold, Lane, Subscription
from webhooks.services import audit

from .lanes import ring_on_commit
from .notices import notify

GONE = "Its endpoint answered 410 Gone."
WEIR = "weir"  # who the audit names where no person acted


class Refused(Exception):
    """The subscription's present state does not allow this; says why in one sentence."""


def pause(*, subscription_id: UUID, actor: str, user: User | None = None, reason: str = "") -> bool:
    """Holds the lane: events are still owed, none is sent. False when it was paused already."""
    return _hold("pause", subscription_id, [Hold.NONE], Hold.PAUSED, actor, user, reason)


def resume(*, subscription_id: UUID, actor: str, user: User | None = None, reason: str = "") -> bool:
    """Lets a paused lane move again. False when it was moving already."""
    return _hold("resume", subscription_id, [Hold.PAUSED], Hold.NONE, actor, user, reason)


def disable(*, subscription_id: UUID, actor: str, user: User | None = None, reason: str = "") -> bool:
    """Holds the lane until it is enabled. False when it was disabled already."""
    return _hold("disable", subscription_id, [Hold.NONE, Hold.PAUSED], Hold.DISABLED, actor, user, reason)


def enable(*, subscription_id: UUID, actor: str, user: User | None = None, reason: str = "") -> bool:
    """Lets a disabled lane move again. False when it was moving already."""
    return _hold("enable", subscription_id, [Hold.DISABLED], Hold.NONE, actor, user, reason)


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
        audit.record(
            actor=WEIR,
            verb="disable",
            object_kind="subscription",
            object_id=lane.pk,
            reason=why,
            after={"hold": Hold.DISABLED.value},
        )
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
    moving = Lane.objects.filter(pk=subscription_id, hold__in=[Hold.NONE, Hold.PAUSED])
    if _disable(moving, why, now):
        _tell_disabled(subscription_id, why)


def _disable(lanes: QuerySet[Lane], why: str, now: datetime) -> int:
    return lanes.update(hold=Hold.DISABLED, hold_reason=why, held_at=now, revision=F("revision") + 1)


def _tell_disabled(subscription_id: UUID, why: str) -> None:
    name, subscriber = Subscription.objects.values_list("name", "subscriber__name").get(pk=subscription_id)
    text = f"{name} of {subscriber} was disabled. {why}"
    notify(kind="subscription-disabled", object_kind="subscription", object_id=subscription_id, text=text)


def _hold(
    verb: str,
    subscription_id: UUID,
    before: Sequence[Hold],
    after: Hold,
    actor: str,
    user: User | None,
    reason: str,
) -> bool:
    now = timezone.now()
    values: dict[str, Any] = {
        "hold": after,
        "hold_reason": reason[:500],
        "held_at": now,
        "revision": F("revision") + 1,
    }
    if after == Hold.NONE:
        values |= {"hold_reason": "", "next_due_at": now}
    with transaction.atomic():
        if not Lane.objects.filter(pk=subscription_id, hold__in=before).update(**values):
            return _already(verb, subscription_id, after)
        audit.record(
            actor=actor,
            user=user,
            verb=verb,
            object_kind="subscription",
            object_id=subscription_id,
            reason=reason,
            after={"hold": after.value},
        )
        ring_on_commit()
    return True


def _already(verb: str, subscription_id: UUID, wanted: Hold) -> bool:
    present = Hold(Lane.objects.values_list("hold", flat=True).get(pk=subscription_id))
    if present != wanted:
        raise Refused(f"This subscription is {present.label.lower()}; {verb} does not apply to it.")
    return False
