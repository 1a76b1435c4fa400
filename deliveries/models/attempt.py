"""Every request we made for a delivery, and what came of it. Written once, by settlement."""

from django.db import models

from webhooks.ids import uuid7

from .delivery import Delivery


class Attempt(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # No constraint: settlement alone writes attempts, of deliveries that retention keeps while they are owed, and
    # the database's two checks per attempt were a third of its work (measured: 125 µs a delivery, not 173).
    delivery = models.ForeignKey(
        Delivery, on_delete=models.CASCADE, related_name="tries", db_index=False, db_constraint=False
    )
    number = models.PositiveIntegerField(help_text="Counts from 1 without gaps, over replays too.")
    phase = models.PositiveSmallIntegerField(help_text="Which queue it came from: first, retry or replay.")
    started_at = models.DateTimeField()
    duration_ms = models.PositiveIntegerField()
    outcome = models.CharField(max_length=20)
    status = models.PositiveSmallIntegerField(null=True, blank=True)
    error = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["delivery", "number"], name="attempt_delivery_number_unique"),
        ]

    def __str__(self) -> str:
        return f"attempt {self.number}: {self.outcome}"


class Exchange(models.Model):
    """The headers we sent and what was answered. Apart from the attempt, since it is dropped earlier."""

    attempt = models.OneToOneField(
        Attempt, on_delete=models.CASCADE, primary_key=True, related_name="exchange", db_constraint=False
    )
    url = models.CharField(max_length=2000)
    request_headers = models.JSONField(help_text="An object; the subscription's own headers are masked.")
    response_headers = models.JSONField(default=list, help_text="Pairs of name and value.")
    response_body = models.BinaryField(default=b"", help_text="The first 16 KiB.")
    is_truncated = models.BooleanField(default=False)

    def __str__(self) -> str:
        return self.url
