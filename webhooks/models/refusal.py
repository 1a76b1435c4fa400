"""Requests we did not accept, kept a short while so that a person can mend the cause and take them after all."""

from django.db import models
from django.utils import timezone

from webhooks.ids import uuid7
from webhooks.sealing import SealedTextField

from .event import Event
from .source import Source


class Refusal(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="refusals", db_index=False)
    reason = models.CharField(max_length=40, help_text="A slug such as signature-mismatch or id-conflict.")
    detail = models.CharField(max_length=500, blank=True)
    claimed_id = models.CharField(
        max_length=500,
        blank=True,
        help_text="The sender's id, as the request has it; nothing vouches for it.",
    )
    received_at = models.DateTimeField(default=timezone.now)
    remote_address = models.GenericIPAddressField(null=True, blank=True)
    method = models.CharField(max_length=10, default="POST")
    query = models.CharField(max_length=2000, blank=True)
    headers = models.JSONField(help_text="Pairs of name and value; credential values are masked.")
    credentials = SealedTextField(
        blank=True, help_text="The masked values, encrypted, so that the request can be verified again."
    )
    body = models.BinaryField()
    size = models.PositiveIntegerField(
        default=0, help_text="Bytes of body, headers, query and sealed credentials together."
    )
    event = models.ForeignKey(
        Event,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="refusals",
        help_text="The event it became when accepted after all, or the one it conflicts with.",
    )
    accepted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            # Serves the latest of a source, and the bounds on how many of them are kept and how large together.
            models.Index(fields=["source", "id", "size"], name="refusal_source_size_idx"),
            # Serves what waits of a source, counted by reason and listed.
            models.Index(
                fields=["source", "reason", "id"],
                name="refusal_waiting_idx",
                condition=models.Q(accepted_at=None),
            ),
            # Serves the list of one reason over all sources.
            models.Index(fields=["reason", "id"], name="refusal_reason_idx"),
            # Serves the list of what was accepted after all, which is a few of many.
            models.Index(
                fields=["id"], name="refusal_accepted_idx", condition=models.Q(accepted_at__isnull=False)
            ),
            # Serves a pasted sender's id: did it arrive, and was refused?
            models.Index(
                fields=["claimed_id"], name="refusal_claimed_id_idx", condition=~models.Q(claimed_id="")
            ),
        ]

    def __str__(self) -> str:
        return self.reason
