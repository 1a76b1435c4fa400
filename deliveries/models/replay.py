"""A person's order to send a set of deliveries again, and the set, frozen."""

from django.conf import settings
from django.db import models
from django.utils import timezone

from webhooks.ids import uuid7
from webhooks.models import Event

from .delivery import Delivery
from .subscription import Subscription


class ReplayState(models.TextChoices):
    RUNNING = "running", "Running"
    PAUSED = "paused", "Paused"
    STOPPED = "stopped", "Stopped by itself"
    CANCELLED = "cancelled", "Cancelled"
    FINISHED = "finished", "Finished"


class Replay(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    state = models.CharField(max_length=10, choices=ReplayState, default=ReplayState.RUNNING)
    ordered_by = models.CharField(max_length=200)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    reason = models.TextField(blank=True)
    criteria = models.JSONField(default=dict, blank=True)
    rate_per_s = models.FloatField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=ReplayState.values), name="replay_state_known"
            ),
            models.CheckConstraint(
                condition=models.Q(rate_per_s__isnull=True) | models.Q(rate_per_s__gt=0),
                name="replay_rate_positive",
            ),
        ]

    def __str__(self) -> str:
        return f"replay by {self.ordered_by}"


class ItemState(models.TextChoices):
    WAITING = "waiting", "Waiting"
    ADMITTED = "admitted", "Admitted"  # its delivery is pending again
    DELIVERED = "delivered", "Delivered"
    FAILED = "failed", "Failed again"
    SKIPPED = "skipped", "Skipped"


class ReplayItem(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    replay = models.ForeignKey(Replay, on_delete=models.CASCADE, related_name="items", db_index=False)
    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="+", db_index=False)
    subscription = models.ForeignKey(Subscription, on_delete=models.CASCADE, related_name="+", db_index=False)
    delivery = models.ForeignKey(Delivery, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    state = models.CharField(max_length=10, choices=ItemState, default=ItemState.WAITING)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["replay", "event", "subscription"], name="replay_item_pair_unique"
            ),
            # One active replay per delivery.
            models.UniqueConstraint(
                fields=["event", "subscription"],
                name="replay_item_active_unique",
                condition=models.Q(state__in=["waiting", "admitted"]),
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=ItemState.values), name="replay_item_state_known"
            ),
        ]

    def __str__(self) -> str:
        return self.state
