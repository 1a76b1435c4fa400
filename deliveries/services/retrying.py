"""Brings a retry forward because a person asked for it. It spends no attempt budget and sends nothing itself."""

from uuid import UUID

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.utils import timezone

from deliveries.models import Delivery, DeliveryState, Phase
from webhooks.services import audit

from .lanes import hold_lanes, ring_on_commit, wake_sleeping
from .replay import Answer, ReplayVerdict


def retry_now(*, delivery_id: UUID, actor: str, reason: str = "", user: User | None = None) -> ReplayVerdict:
    """What was tried and waits for its next try is due now; one conditional update, so a second click does nothing."""
    found = Delivery.objects.filter(pk=delivery_id).values_list("subscription_id", "due_at").first()
    if found is None:
        return ReplayVerdict(answer=Answer.MISSING, sentence="There is no such delivery.")
    (lane_id, before), now = found, timezone.now()
    with transaction.atomic():
        hold_lanes(connection, [lane_id])
        waiting = Delivery.objects.filter(
            pk=delivery_id, state=DeliveryState.PENDING, phase__gt=Phase.FIRST, due_at__gt=now
        )
        if not waiting.update(due_at=now):
            return ReplayVerdict(answer=Answer.FINAL, sentence="It does not wait for a later try any more.")
        wake_sleeping([lane_id], now)
        audit.record(
            actor=actor, user=user, verb="retry_now", object_kind="delivery", object_id=delivery_id, reason=reason,
            before={"due_at": before.isoformat() if before else ""}, after={"due_at": now.isoformat()},
        )  # fmt: skip
        ring_on_commit()
    return ReplayVerdict(answer=Answer.DONE, sentence="It is due now.")
