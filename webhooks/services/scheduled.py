"""Lets events that were published for later go to the routers when their time has come. It routes none itself."""

from datetime import datetime
from functools import partial

from django.db import transaction

from webhooks import wake
from webhooks.models import Event, EventState

BATCH = 1_000  # events in one transaction


def release_due(*, now: datetime) -> int:
    """Says how many; each goes once, whoever else looks now, and never before its time."""
    released = 0
    while True:
        due = Event.objects.filter(state=EventState.SCHEDULED, deliver_at__lte=now).order_by("deliver_at")
        ids = list(due.values_list("pk", flat=True)[:BATCH])
        if ids:
            with transaction.atomic():
                waiting = Event.objects.filter(pk__in=ids, state=EventState.SCHEDULED)
                released += waiting.update(state=EventState.RECEIVED)
                transaction.on_commit(partial(wake.ring, wake.EVENTS))
        if len(ids) < BATCH:
            return released
