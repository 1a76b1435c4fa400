"""Tells that deliveries were settled by other means than an attempt, a line for each. It changes nothing."""

from collections.abc import Collection
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction

from deliveries.models import Delivery
from webhooks import story

PAGE = 1_000  # looked up at once


def tell_settled(step: str, deliveries: Collection[UUID], now: datetime, **more: Any) -> None:
    """Once the caller's transaction is committed, of those that it settled at `now`. Nobody told, nothing is asked."""
    if deliveries and story.is_told():
        transaction.on_commit(partial(_tell, step, list(deliveries), now, more))


def _tell(step: str, deliveries: list[UUID], now: datetime, more: dict[str, Any]) -> None:
    for start in range(0, len(deliveries), PAGE):
        rows = Delivery.objects.filter(pk__in=deliveries[start : start + PAGE], settled_at=now).order_by("pk")
        for delivery, event, lane, trace in rows.values_list(
            "pk", "event_id", "subscription_id", "event__trace_id"
        ):
            ids: dict[str, Any] = {"event_id": event, "delivery_id": delivery, "subscription_id": lane}
            story.tell(step, **ids, **more, trace_id=trace)
