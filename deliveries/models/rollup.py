"""Sums of settled attempts per slice of time, subscription and outcome: what dashboards read."""

from django.db import models

from .subscription import Subscription


class Rollup(models.Model):
    id = models.BigAutoField(primary_key=True)
    starts_at = models.DateTimeField()
    width_s = models.PositiveIntegerField(help_text="60, 900 or 3600.")
    subscription = models.ForeignKey(Subscription, on_delete=models.CASCADE, related_name="+", db_index=False)
    outcome = models.CharField(max_length=20)
    attempts = models.PositiveIntegerField(default=0)
    latency_ms = models.PositiveBigIntegerField(default=0, help_text="Sum over the attempts.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["width_s", "starts_at", "subscription", "outcome"], name="rollup_slice_unique"
            ),
            models.CheckConstraint(
                condition=models.Q(width_s__in=[60, 900, 3600]), name="rollup_width_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.attempts} {self.outcome}"
