"""Whom alerts are told, and what of that is still to be sent."""

from django.db import models
from django.db.models import Q
from django.utils import timezone

from webhooks.ids import uuid7
from webhooks.sealing import SealedTextField

from .alert import Alert, Severity


class AlertChannel(models.Model):
    """An apprise address, sealed, since it holds passwords and tokens; `service` and `hint` are all that is shown."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=100)
    is_enabled = models.BooleanField("enabled", default=True)
    sealed_url = SealedTextField()
    service = models.CharField(
        max_length=100, editable=False, help_text="What apprise takes the address for."
    )
    hint = models.CharField(max_length=4, editable=False, help_text="The last four characters.")
    severities = models.JSONField(
        default=list, blank=True, help_text="Only alerts of these; empty: of every severity."
    )
    rules = models.JSONField(
        default=list, blank=True, help_text="Only alerts of the rules with these slugs; empty: of every rule."
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return self.name

    def wants(self, alert: Alert) -> bool:
        wants_severity = not self.severities or alert.severity in self.severities
        return wants_severity and (not self.rules or alert.rule in self.rules)


class MessageKind(models.TextChoices):
    OPENED = "opened", "Opened"
    REMINDED = "reminded", "Still open"
    CLOSED = "closed", "Closed"


class MessageState(models.TextChoices):
    PENDING = "pending", "Pending"  # to be sent, or to be tried again
    SENT = "sent", "Sent"
    GIVEN_UP = "given_up", "Given up"  # tried as often as it is worth, or its channel was disabled


class AlertMessage(models.Model):
    """One thing to tell one channel: written with what it tells of, sent afterwards, at least once."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="messages", db_index=False)
    channel = models.ForeignKey(
        AlertChannel, on_delete=models.PROTECT, related_name="messages", db_index=False
    )
    kind = models.CharField(max_length=10, choices=MessageKind)
    severity = models.CharField(max_length=10, choices=Severity)
    title = models.CharField(max_length=300)
    text = models.CharField(max_length=1_000)
    state = models.CharField(max_length=10, choices=MessageState, default=MessageState.PENDING)
    attempts = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=200, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["alert", "channel", "kind"], name="alert_message_once", condition=~Q(kind="reminded")
            ),
            models.CheckConstraint(
                condition=Q(state="pending", due_at__isnull=False)
                | (~Q(state="pending") & Q(due_at__isnull=True)),
                name="alert_message_due_while_pending",
            ),
            models.CheckConstraint(
                condition=Q(state__in=MessageState.values), name="alert_message_state_known"
            ),
            models.CheckConstraint(condition=Q(kind__in=MessageKind.values), name="alert_message_kind_known"),
        ]
        indexes = [
            # Serves the outbox.
            models.Index(fields=["due_at"], name="alert_message_due_idx", condition=Q(state="pending")),
            # Serves "what was this channel told?" and "what was told of this alert?".
            models.Index(fields=["channel", "id"], name="alert_message_channel_idx"),
            models.Index(fields=["alert", "id"], name="alert_message_alert_idx"),
        ]

    def __str__(self) -> str:
        return self.title
