"""Questions a provider asked to learn whether we are the right door. They are counted and never become events."""

from django.db import models

from webhooks.ids import uuid7

from .source import Source


class Handshake(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="handshakes", db_index=False)
    name = models.CharField(max_length=40)
    count = models.PositiveIntegerField(default=1)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    last_id = models.CharField(max_length=500, blank=True, help_text="The sender's id of the latest, if any.")
    last_status = models.PositiveSmallIntegerField(help_text="What we answered to the latest.")
    # Empty again once it was opened.
    follow_up = models.TextField(
        blank=True, help_text="An address that the sender wants opened to confirm, from a signed request."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["source", "name"], name="handshake_source_name_unique")
        ]

    def __str__(self) -> str:
        return self.name
