"""What became of requests at the door, added up by the hour, so that no page ever counts events or refusals.

Beside the hours, which are dropped by age, stand totals that only grow: what Prometheus' counters are read from.
"""

from uuid import UUID

from django.db import models

from webhooks.ids import uuid7

NO_SOURCE = UUID(int=0)  # stands for every slug that strangers make up


class ReceiptRollup(models.Model):
    """One source, one hour, one verdict. Web processes add to it; none ever overwrites what another added."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    source_id = models.UUIDField(help_text="No foreign key: requests to no source are counted too.")
    starts_at = models.DateTimeField()
    verdict = models.CharField(max_length=12)
    reason = models.CharField(max_length=40, blank=True, help_text="Why, of those that were refused.")
    count = models.PositiveIntegerField()
    last_at = models.DateTimeField()

    class Meta:
        constraints = [
            # Serves "this source's last day" too, and is what additions meet at.
            models.UniqueConstraint(
                fields=["source_id", "starts_at", "verdict", "reason"], name="receipt_rollup_slice_unique"
            )
        ]
        # Serves retention.
        indexes = [models.Index(fields=["starts_at"], name="receipt_rollup_starts_idx")]

    def __str__(self) -> str:
        return f"{self.count} {self.verdict}"


class ReceiptTotal(models.Model):
    """The same since the hub began. Nobody ever takes from it or drops it."""

    id = models.BigAutoField(primary_key=True)
    source_id = models.UUIDField(help_text="No foreign key: requests to no source are counted too.")
    verdict = models.CharField(max_length=12)
    reason = models.CharField(max_length=40, blank=True)
    count = models.BigIntegerField()
    last_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["source_id", "verdict", "reason"], name="receipt_total_unique")
        ]

    def __str__(self) -> str:
        return f"{self.count} {self.verdict}"
