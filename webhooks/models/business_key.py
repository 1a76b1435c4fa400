"""What people call an event by, such as `order ORD-0091734`: copied from its body where its source says so."""

from django.db import models

from .event import Event


class BusinessKey(models.Model):
    # No constraint, as at the event itself: it is written by the receipt.
    event = models.ForeignKey(
        Event, on_delete=models.CASCADE, related_name="business_keys", db_index=False, db_constraint=False
    )
    name = models.CharField(max_length=40)
    value = models.CharField(max_length=200)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["event", "name"], name="business_key_event_name_unique"),
        ]
        # Serves a pasted value: the events that bear it, newest first.
        indexes = [models.Index(fields=["value", "event"], name="business_key_value_idx")]

    def __str__(self) -> str:
        return f"{self.name} {self.value}"
