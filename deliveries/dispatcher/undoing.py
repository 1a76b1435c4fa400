"""Takes up replays that a person may undo until then: the one thing a claim writes, since only so is either first.

It sends nothing, and of what nobody could undo it asks nothing: that is nearly all.
"""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F

from deliveries.deciders.undoing import is_open
from deliveries.models import Delivery, DeliveryState

from .claims import Claimed
from .seats import Holding, fence


def take_up(*, holding: Holding, rows: Iterable[Claimed], now: datetime) -> set[UUID]:
    """From now on these can be undone no more; returns those that were, and so are not to be sent."""
    asked = {row.delivery_id for row in rows if is_open(row)}
    if not asked:
        return asked
    with transaction.atomic():
        fence(holding)
        ours = Delivery.objects.filter(
            pk__in=asked, state=DeliveryState.PENDING, due_at__lte=now, budget_at__lt=F("due_at")
        ).order_by("pk")
        # Whoever is undoing one this moment has it, and no lane waits for that: the next look finds what came of it.
        skips = connection.features.has_select_for_update_skip_locked
        taken = set(ours.select_for_update(skip_locked=skips, no_key=True).values_list("pk", flat=True))
        Delivery.objects.filter(pk__in=taken).update(budget_at=F("due_at"))
    return asked - taken
