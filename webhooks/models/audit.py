"""What people did: appended, never changed, never deleted from here."""

from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone

from webhooks.ids import uuid7


class Unchangeable(Exception):
    """An entry is appended, and that is all."""


class AuditEntries(models.QuerySet["AuditEntry"]):
    """Refuses what would change entries. Deleting a user still empties `user`; `actor` says who it was."""

    def update(self, **values: Any) -> int:
        raise Unchangeable("Audit entries are never changed.")

    def delete(self) -> tuple[int, dict[str, int]]:
        raise Unchangeable("Audit entries are never deleted.")


class AuditEntry(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    at = models.DateTimeField(default=timezone.now)
    actor = models.CharField(max_length=200, help_text="Who, in words: a user's name, or an API key's.")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    verb = models.CharField(max_length=50)
    object_kind = models.CharField(max_length=50)
    object_id = models.CharField(max_length=100)
    count = models.PositiveIntegerField(default=1)
    reason = models.TextField(blank=True)
    criteria = models.JSONField(default=dict, blank=True)
    before = models.JSONField(default=dict, blank=True)
    after = models.JSONField(default=dict, blank=True)

    objects = AuditEntries.as_manager()

    class Meta:
        verbose_name_plural = "audit entries"
        indexes = [
            # Answers "what happened to this thing?".
            models.Index(fields=["object_kind", "object_id", "id"], name="audit_object_idx"),
            # Answer "what did this person do?" and "who did this?".
            models.Index(fields=["actor", "id"], name="audit_actor_idx"),
            models.Index(fields=["verb", "id"], name="audit_verb_idx"),
        ]

    def __str__(self) -> str:
        return f"{self.actor} {self.verb} {self.object_kind} {self.object_id}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise Unchangeable("Audit entries are never changed.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        raise Unchangeable("Audit entries are never deleted.")
