"""What the API answered to requests with an `Idempotency-Key`, so that a repeat has no second effect."""

from django.db import models

from webhooks.ids import uuid7
from webhooks.sealing import SealedTextField

from .party import ApiKey


class KeptAnswer(models.Model):
    """One row for each key that came with each API key. Its id tells its age, and never changes.

    Under way while `status` is empty: `token` names the request that may answer, until `leased_until`.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    api_key = models.ForeignKey(ApiKey, on_delete=models.CASCADE, related_name="+", db_index=False)
    digest = models.BinaryField(max_length=32, help_text="SHA-256 of the Idempotency-Key.")
    fingerprint = models.BinaryField(max_length=32, help_text="SHA-256 of method, address and body.")
    token = models.UUIDField()
    leased_until = models.DateTimeField(help_text="A request that died meanwhile is over by then.")
    status = models.PositiveSmallIntegerField(null=True, blank=True)
    content = SealedTextField(
        blank=True, default="", help_text="Headers and body as JSON; it may hold a secret."
    )

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["api_key", "digest"], name="kept_answer_key_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.status or 'under way'}"
