"""Filters of the deliveries page that somebody wants to come back to, by name."""

from django.conf import settings
from django.db import models
from django.utils import timezone

from webhooks.ids import uuid7


class SavedView(models.Model):
    """`params` is the query as its address has it, without a page."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    name = models.CharField(max_length=60)
    is_shared = models.BooleanField(default=False, help_text="Everybody sees it; its owner alone removes it.")
    params = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            # Serves "mine" too.
            models.UniqueConstraint(fields=["owner", "name"], name="saved_view_owner_name_unique"),
        ]
        # Serves "what others share".
        indexes = [
            models.Index(fields=["name"], name="saved_view_shared_idx", condition=models.Q(is_shared=True)),
        ]

    def __str__(self) -> str:
        return self.name
