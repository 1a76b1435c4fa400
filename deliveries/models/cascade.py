"""The tree of events that one event caused; a row exists only where an event caused another."""

from django.db import models
from django.utils import timezone

from webhooks.models import Event


class Cascade(models.Model):
    trace_id = models.UUIDField(primary_key=True)
    root = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    events = models.PositiveIntegerField(default=1)
    depth = models.PositiveSmallIntegerField(default=0)
    quarantined_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.trace_id.hex
