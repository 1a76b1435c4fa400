"""The catalogue: which types of events are published here, what their data looks like, and which are on their way out.

Only what is published over the API is held to it; what a provider calls its events is the provider's business.
"""

from django.db import models
from django.utils import timezone

from webhooks.ids import uuid7


class EventTypeState(models.TextChoices):
    ACTIVE = "active", "Active"  # published under
    DEPRECATED = "deprecated", "Deprecated"  # still published under; whoever does so is told
    ARCHIVED = "archived", "Archived"  # nothing is published under it any more; what was keeps its name


class EventType(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=200, help_text="As events bear it, such as order.placed; for good.")
    description = models.TextField(blank=True, help_text="When it happens, in a sentence or two.")
    schema = models.JSONField(
        null=True, blank=True, help_text="A JSON Schema that the event's data must fit; empty: anything does."
    )
    example = models.JSONField(null=True, blank=True, help_text="Data of such an event; it fits the schema.")
    state = models.CharField(max_length=12, choices=EventTypeState, default=EventTypeState.ACTIVE)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)
    deprecated_at = models.DateTimeField(null=True, blank=True, editable=False)
    archived_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["name"], name="event_type_name_unique"),
            models.CheckConstraint(condition=~models.Q(name=""), name="event_type_name_not_blank"),
            models.CheckConstraint(
                condition=models.Q(state__in=EventTypeState.values), name="event_type_state_known"
            ),
        ]

    def __str__(self) -> str:
        return self.name
