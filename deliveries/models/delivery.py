"""One event owed to one subscription: exactly one row per pair, for ever."""

from django.db import models
from django.utils import timezone

from webhooks.ids import uuid7
from webhooks.models import Event, Source

from .subscription import Subscription


class DeliveryState(models.TextChoices):
    PENDING = "pending", "Pending"  # owed; has a due time
    DELIVERED = "delivered", "Delivered"  # the endpoint said 2xx
    DEAD = "dead", "Dead"  # given up; a dead letter waits for a person
    DISCARDED = "discarded", "Discarded"  # a person decided it need not arrive
    SUPERSEDED = "superseded", "Superseded"  # a newer version of its entity was seen


class Phase(models.IntegerChoices):
    """Which of a lane's three queues a pending delivery waits in."""

    FIRST = 0, "First attempt"
    RETRY = 1, "Retry"
    REPLAY = 2, "Replay"


# A delivery whose last attempt failed; "ok" and "" are an Outcome's, which the schema spells out.
FAILED = ~models.Q(last_outcome="") & ~models.Q(last_outcome="ok")


class Delivery(models.Model):
    """Carries copies of what lists and filters ask, so that one table answers."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    event = models.ForeignKey(Event, on_delete=models.PROTECT, related_name="deliveries", db_index=False)
    subscription = models.ForeignKey(
        Subscription, on_delete=models.PROTECT, related_name="deliveries", db_index=False
    )
    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="+", db_index=False)
    event_type = models.CharField(max_length=200, blank=True)
    external_id = models.CharField(max_length=500)
    state = models.CharField(max_length=10, choices=DeliveryState, default=DeliveryState.PENDING)
    phase = models.PositiveSmallIntegerField(choices=Phase, default=Phase.FIRST)
    created_at = models.DateTimeField(default=timezone.now)
    due_at = models.DateTimeField(
        null=True, blank=True, help_text="When it may be tried; only while pending."
    )
    attempts = models.PositiveIntegerField(default=0)
    budget_from = models.PositiveIntegerField(
        default=0, help_text="Attempts made before the present budget began; a replay begins a new one."
    )
    budget_at = models.DateTimeField(default=timezone.now, help_text="When the present budget began.")
    settled_at = models.DateTimeField(null=True, blank=True, help_text="When it last left pending.")
    last_attempt_at = models.DateTimeField(null=True, blank=True)
    last_outcome = models.CharField(max_length=20, blank=True)
    last_status = models.PositiveSmallIntegerField(null=True, blank=True)
    last_latency_ms = models.PositiveIntegerField(null=True, blank=True)
    last_error = models.CharField(max_length=300, blank=True)
    fingerprint = models.CharField(max_length=40, blank=True)
    seq = models.BigIntegerField(null=True, blank=True, help_text="Its turn in a strictly ordered lane.")

    class Meta:
        verbose_name_plural = "deliveries"
        permissions = [("replay_delivery", "Can replay delivery")]
        constraints = [
            models.UniqueConstraint(
                fields=["event", "subscription"], name="delivery_event_subscription_unique"
            ),
            models.UniqueConstraint(
                fields=["subscription", "seq"],
                name="delivery_seq_unique",
                condition=models.Q(seq__isnull=False),
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=DeliveryState.values), name="delivery_state_known"
            ),
            models.CheckConstraint(
                condition=models.Q(state="pending", due_at__isnull=False)
                | (~models.Q(state="pending") & models.Q(due_at__isnull=True)),
                name="delivery_due_while_open",
            ),
        ]
        indexes = [
            # The three queues of a lane; each serves one read of the claim.
            models.Index(
                fields=["subscription", "due_at", "id"],
                name="delivery_first_due_idx",
                condition=models.Q(state="pending", phase=0),
            ),
            models.Index(
                fields=["subscription", "due_at", "id"],
                name="delivery_retry_due_idx",
                condition=models.Q(state="pending", phase=1),
            ),
            models.Index(
                fields=["subscription", "due_at", "id"],
                name="delivery_replay_due_idx",
                condition=models.Q(state="pending", phase=2),
            ),
            # Serves a strictly ordered lane's claim: the oldest that is still owed.
            models.Index(
                fields=["subscription", "seq"],
                name="delivery_head_idx",
                condition=models.Q(state="pending", seq__isnull=False),
            ),
            # Serves "this subscription's latest deliveries".
            models.Index(fields=["subscription", "id"], name="delivery_subscription_idx"),
            # Serves the operators' first question: what is dead?
            models.Index(fields=["id"], name="delivery_dead_idx", condition=models.Q(state="dead")),
            # Serves "how many dead letters, of how many event types, has each of these issues?" without a row read.
            models.Index(
                fields=["fingerprint", "event_type"],
                name="delivery_dead_issue_idx",
                condition=models.Q(state="dead"),
            ),
            # Each serves one filter of the console's list, read in the order of ids; see selectors.delivery_filters.
            models.Index(fields=["state", "phase", "id"], name="delivery_state_idx"),
            models.Index(fields=["event_type", "id"], name="delivery_type_idx"),
            models.Index(fields=["source", "id"], name="delivery_source_idx"),
            models.Index(
                fields=["subscription", "id"],
                name="delivery_pending_lane_idx",
                condition=models.Q(state="pending"),
            ),
            # What went well at the first try is in none of these, so that it costs nothing to write.
            models.Index(fields=["last_outcome", "id"], name="delivery_failed_outcome_idx", condition=FAILED),
            models.Index(fields=["last_status", "id"], name="delivery_failed_status_idx", condition=FAILED),
            models.Index(
                fields=["fingerprint", "id"],
                name="delivery_fingerprint_idx",
                condition=~models.Q(fingerprint=""),
            ),
            models.Index(
                fields=["attempts", "id"], name="delivery_attempts_idx", condition=models.Q(attempts__gt=1)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event_type or self.external_id} → {self.subscription_id}"


class DeliveryBody(models.Model):
    """The bytes a transform made at the first attempt, so that every later attempt sends the same ones."""

    delivery = models.OneToOneField(
        Delivery, on_delete=models.CASCADE, primary_key=True, related_name="rendered"
    )
    body = models.BinaryField()

    class Meta:
        verbose_name_plural = "delivery bodies"

    def __str__(self) -> str:
        return str(self.delivery_id)
