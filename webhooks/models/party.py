"""The parties Weir knows: subscribers (who consume, and may own a source) and the API keys people hold.

They live on the inbound side because a source may belong to a subscriber, and keys open both doors.
"""

from django.db import models
from django.utils import timezone

from webhooks.ids import uuid7


class Subscriber(models.Model):
    """A consumer: a team, a customer, a service. Owns subscriptions and API keys."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=200)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~models.Q(name=""), name="subscriber_name_not_blank"),
        ]

    def __str__(self) -> str:
        return self.name


class Role(models.TextChoices):
    OPERATOR = "operator", "Operator"  # may do everything over the API
    PUBLISHER = "publisher", "Publisher"  # may publish events, and cancel what waits, at its sources
    SUBSCRIBER = (
        "subscriber",
        "Subscriber",
    )  # may look after what belongs to its subscriber, and sees nothing else
    VIEWER = "viewer", "Viewer"  # may read, never change


class ApiKey(models.Model):
    """A key to the REST API: shown once when it is made, kept only as a digest. Whose it is never changes."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=200, blank=True)
    role = models.CharField(max_length=20, choices=Role)
    subscriber = models.ForeignKey(
        Subscriber,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="api_keys",
        help_text="Whose key this is; for the role subscriber alone.",
    )
    sources = models.ManyToManyField(
        "webhooks.Source",
        blank=True,
        related_name="+",
        help_text="For the role publisher alone: where it may publish. None: everywhere.",
    )
    shown_prefix = models.CharField(max_length=40, help_text="The first characters, to recognise it by.")
    digest = models.CharField(max_length=64, help_text="SHA-256 of the whole key, in hex.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = "API key"
        constraints = [
            models.UniqueConstraint(fields=["digest"], name="api_key_digest_unique"),
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="api_key_role_known"),
            models.CheckConstraint(
                condition=models.Q(role="subscriber", subscriber__isnull=False)
                | (~models.Q(role="subscriber") & models.Q(subscriber__isnull=True)),
                name="api_key_subscriber_owned",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name or self.get_role_display()} ({self.shown_prefix}…)"
