"""Holds lanes whose subscription asked to be proved first, until it is. It sends nothing; `proving` does.

What is owed meanwhile waits as behind a pause, and nothing is dropped. A proof is of an address: a new one is proved
anew. Whoever lets a lane go asks `waits` first.
"""

from typing import Any
from uuid import UUID

from django.db.models import F
from django.utils import timezone

from deliveries.models import Hold, Lane, Subscription

from .lanes import ring_on_commit

WHY = "Nothing is sent before its endpoint has answered a signed ping with a 2xx."


def waits(subscription_id: UUID) -> bool:
    """Whether nothing may be sent to its present address yet."""
    return Subscription.objects.filter(pk=subscription_id, prove=True, proved_at=None).exists()


def first_hold(subscription: Subscription) -> dict[str, Any]:
    """How a new subscription's lane begins."""
    if not subscription.prove:
        return {}
    return {"hold": Hold.UNPROVED, "hold_reason": WHY, "held_at": timezone.now()}


def follow(subscription: Subscription) -> None:
    """In the caller's transaction, which changed its address or whether it is to be proved: the lane follows."""
    lane = Lane.objects.filter(pk=subscription.pk)
    if subscription.prove and subscription.proved_at is None:
        lane.filter(hold=Hold.NONE).update(
            hold=Hold.UNPROVED, hold_reason=WHY, held_at=timezone.now(), revision=F("revision") + 1
        )
    else:
        let_go(subscription.pk)


def let_go(subscription_id: UUID) -> bool:
    """In the caller's transaction: the lane moves, if its proof was all that it waited for."""
    now = timezone.now()
    waiting = Lane.objects.filter(pk=subscription_id, hold=Hold.UNPROVED)
    is_free = waiting.update(
        hold=Hold.NONE, hold_reason="", held_at=now, next_due_at=now, revision=F("revision") + 1
    )
    ring_on_commit()
    return bool(is_free)
