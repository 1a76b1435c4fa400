"""What a person should know: thresholds that were crossed, and things that happened."""

from django.db import models
from django.utils import timezone

from webhooks.ids import uuid7


class Alert(models.Model):
    """A threshold that was crossed: opened once, closed once."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    rule = models.CharField(max_length=100)
    scope = models.CharField(max_length=200, blank=True)
    summary = models.CharField(max_length=500)
    opened_at = models.DateTimeField(default=timezone.now)
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["rule", "scope"], name="alert_open_once", condition=models.Q(closed_at__isnull=True)
            ),
        ]

    def __str__(self) -> str:
        return self.summary


class Notice(models.Model):
    """Something that happened, written once and shown in the console."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(max_length=50, help_text="A slug such as subscription-disabled.")
    object_kind = models.CharField(max_length=50)
    object_id = models.CharField(max_length=100)
    text = models.CharField(max_length=500)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        # Serves "what should one know about this thing?".
        indexes = [models.Index(fields=["object_kind", "object_id", "id"], name="notice_object_idx")]

    def __str__(self) -> str:
        return self.text
