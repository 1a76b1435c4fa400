"""Wakes lanes so that no wake-up is lost; it never says which deliveries they send.

Under READ COMMITTED a lane that falls asleep and a delivery that arrives can miss each other. What holds in
both orders: whoever adds work holds the lanes FOR KEY SHARE, adds it, then wakes those that sleep; whoever
puts a lane to sleep locks it FOR UPDATE and looks for work once more in a new statement.
"""

from collections.abc import Collection
from datetime import datetime
from functools import partial
from uuid import UUID

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Q, Value
from django.db.models.functions import Coalesce, Greatest

from deliveries.models import Lane
from webhooks import wake


def hold_lanes(database: BaseDatabaseWrapper, ids: Collection[UUID]) -> None:
    """Keeps these lanes from falling asleep until the transaction ends, and stands in nobody else's way.

    SQLite has one writer at a time, so there the transaction itself is the lock.
    """
    if database.vendor != "postgresql" or not ids:
        return
    with database.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM deliveries_lane WHERE subscription_id = ANY(%s)"
            " ORDER BY subscription_id FOR KEY SHARE",
            [sorted(ids)],
        )


def wake_sleeping(ids: Collection[UUID], at: datetime) -> frozenset[UUID]:
    """Wakes at `at` those of the lanes that nobody serves and that would sleep past it; returns them.

    One whose circuit is open, or whose endpoint asked for quiet, sleeps until that is over. They are locked in
    id order before the update, so that two who wake the same lanes never deadlock.
    """
    wakes_at = Greatest(Value(at), Coalesce("not_before", Value(at)), Coalesce("cooldown_until", Value(at)))
    asleep = (
        Lane.objects.select_for_update(no_key=True)
        .filter(Q(next_due_at=None) | Q(next_due_at__gt=wakes_at), subscription_id__in=ids, seat=None)
        .order_by("subscription_id")
        .values_list("subscription_id", flat=True)
    )
    woken = frozenset(asleep)
    if woken:
        Lane.objects.filter(subscription_id__in=woken).update(next_due_at=wakes_at)
    return woken


def ring_on_commit() -> None:
    """Tells the dispatchers to look at their lanes, once what this transaction wrote can be seen."""
    transaction.on_commit(partial(wake.ring, wake.LANES))
