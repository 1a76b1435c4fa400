"""Deliveries we stopped trying, waiting for a person, and the issues they form."""

from django.db import models
from django.utils import timezone

from webhooks.ids import uuid7

from .delivery import Delivery
from .subscription import Subscription


class IssueState(models.TextChoices):
    OPEN = "open", "Open"
    ACKNOWLEDGED = "acknowledged", "Acknowledged"
    IGNORED = "ignored", "Ignored"  # until a time, after which it is open again
    RESOLVED = "resolved", "Resolved"  # by itself, when no dead letter of it waits
    REGRESSED = "regressed", "Regressed"  # was resolved, and came back


class Issue(models.Model):
    """Dead letters that share a subscription and a failure fingerprint."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    subscription = models.ForeignKey(
        Subscription, on_delete=models.CASCADE, related_name="issues", db_index=False
    )
    fingerprint = models.CharField(max_length=40)
    state = models.CharField(max_length=12, choices=IssueState, default=IssueState.OPEN)
    state_at = models.DateTimeField(
        null=True, blank=True, help_text="When its state last changed; empty: never."
    )
    state_by = models.CharField(
        max_length=200, blank=True, help_text="Who changed it last; empty: it changed by itself."
    )
    ignored_until = models.DateTimeField(null=True, blank=True, help_text="Exactly while ignored.")
    reason = models.CharField(max_length=40)
    outcome = models.CharField(max_length=20, blank=True, help_text="What came of the last attempt.")
    status = models.PositiveSmallIntegerField(null=True, blank=True)
    error = models.CharField(max_length=300, blank=True)
    first_seen_at = models.DateTimeField(default=timezone.now)
    last_seen_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["subscription", "fingerprint"], name="issue_subscription_fingerprint_unique"
            ),
            models.CheckConstraint(condition=models.Q(state__in=IssueState.values), name="issue_state_known"),
            models.CheckConstraint(
                condition=models.Q(state="ignored", ignored_until__isnull=False)
                | (~models.Q(state="ignored") & models.Q(ignored_until__isnull=True)),
                name="issue_until_while_ignored",
            ),
        ]
        # Serves a tab of the issues page: those of a state, the last seen first.
        indexes = [models.Index(fields=["state", "last_seen_at", "id"], name="issue_state_idx")]

    def __str__(self) -> str:
        return f"{self.reason} {self.status or ''}".strip()


class DeadLetter(models.Model):
    """Open while `resolved_at` is empty; a delivery that dies again after a replay opens it again."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    delivery = models.OneToOneField(
        Delivery, on_delete=models.CASCADE, related_name="dead_letter", db_index=False
    )
    subscription = models.ForeignKey(Subscription, on_delete=models.PROTECT, related_name="+")
    issue = models.ForeignKey(Issue, on_delete=models.PROTECT, related_name="dead_letters", db_index=False)
    reason = models.CharField(max_length=40)
    died_at = models.DateTimeField(default=timezone.now)
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolution = models.CharField(max_length=20, blank=True, help_text="replayed or discarded")

    class Meta:
        indexes = [
            # Serves the operators' list of what waits for them.
            models.Index(fields=["id"], name="dead_letter_open_idx", condition=models.Q(resolved_at=None)),
            # Serves "when did the deliveries of this issue die?".
            models.Index(fields=["issue", "died_at"], name="dead_letter_issue_idx"),
            # Serves "has this issue any left?", asked after each batch that a replay admits.
            models.Index(
                fields=["issue"], name="dead_letter_issue_open_idx", condition=models.Q(resolved_at=None)
            ),
        ]

    def __str__(self) -> str:
        return self.reason
