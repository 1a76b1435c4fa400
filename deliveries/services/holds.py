"""Holds a subscription's lane and lets it go, because a person said so or its endpoint did.

What is held is still owed and never dropped, so routers need not be told.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from deliveries.models import Hold, Lane, Subscription
from webhooks.services import audit

from .lanes import ring_on_commit
from .notices import notify

GONE = "Its endpoint answered 410 Gone."


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


def _disable_unasked(subscription_id: UUID, why: str, now: datetime) -> None:
    moving = Lane.objects.filter(pk=subscription_id, hold__in=[Hold.NONE, Hold.PAUSED])
    if not moving.update(hold=Hold.DISABLED, hold_reason=why, held_at=now, revision=F("revision") + 1):
        return
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
        values |= {"hold_reason": "", "held_at": None, "next_due_at": now}
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
