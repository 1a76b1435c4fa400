"""What a person should know: thresholds that were crossed, and things that happened."""

from django.db import models
from django.utils import timezone

from webhooks.ids import uuid7


class Severity(models.TextChoices):
    """How loud an alert is; channels choose by it."""

    CRITICAL = "critical", "Critical"  # somebody should get up
    WARNING = "warning", "Warning"  # somebody should look today
    INFO = "info", "Info"  # somebody may want to know


class Alert(models.Model):
    """A threshold that was crossed: opened once, closed once. Evaluation alone opens and closes it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    rule = models.CharField(max_length=100, help_text="The rule's slug.")
    scope = models.CharField(
        max_length=200, blank=True, help_text="The public id of what it is about; empty: the whole hub."
    )
    severity = models.CharField(max_length=10, choices=Severity, default=Severity.WARNING)
    summary = models.CharField(max_length=500)
    opened_at = models.DateTimeField(default=timezone.now)
    told_at = models.DateTimeField(
        null=True, blank=True, help_text="When channels were last told that it is open; empty: it was muted."
    )
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.CharField(max_length=200, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    ending = models.CharField(max_length=500, blank=True, help_text="How it came to its end, in a sentence.")

    class Meta:
        permissions = [
            ("acknowledge_alert", "Can acknowledge alerts"),
            ("mute_alert", "Can mute alerts"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["rule", "scope"], name="alert_open_once", condition=models.Q(closed_at__isnull=True)
            ),
            models.CheckConstraint(
                condition=models.Q(severity__in=Severity.values), name="alert_severity_known"
            ),
        ]
        # Serves "what did this rule open, and when?".
        indexes = [models.Index(fields=["rule", "id"], name="alert_rule_idx")]

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
