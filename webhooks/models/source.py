"""Who may send to us, and the secrets by which we know that it is them."""

from collections.abc import Sequence

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.utils import timezone

from webhooks.ids import uuid7
from webhooks.sealing import SealedTextField

from .party import Subscriber

SLUG = RegexValidator(
    r"\A[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z",
    "Use 1 to 63 lower-case letters, digits and hyphens, not starting or ending with a hyphen.",
)


class Source(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=200)
    slug = models.CharField(max_length=63, validators=[SLUG], help_text="Events come in at /in/<slug>.")
    scheme = models.CharField(max_length=50, default="none", help_text="How a request proves who sent it.")
    is_enabled = models.BooleanField(default=True)
    subscriber = models.ForeignKey(
        Subscriber, null=True, blank=True, on_delete=models.PROTECT, related_name="sources"
    )
    id_from = models.CharField(
        max_length=500, blank=True, help_text="header:<name> or JMESPath; empty: the scheme's own way."
    )
    type_from = models.CharField(
        max_length=500, blank=True, help_text="header:<name> or JMESPath; empty: the scheme's own way."
    )
    options = models.JSONField(
        default=dict, blank=True, help_text="What the scheme leaves to be filled in, such as public_url."
    )
    expected_every_s = models.PositiveIntegerField(
        "expected at least every (seconds)",
        null=True,
        blank=True,
        help_text="No event for longer than this is silence, which is shown. Empty: it may be silent for ever.",
    )
    business_keys = models.JSONField(
        default=dict,
        blank=True,
        help_text='What people call an event by: up to three names with a JMESPath each, {"order": "data.order.id"}.',
    )
    pinned_certificate = models.TextField(
        default="",
        blank=True,
        editable=False,
        help_text="PEM. Believed instead of the provider's own, of schemes that sign by a certificate. Empty: fetched.",
    )
    revision = models.PositiveIntegerField(
        default=1, editable=False, help_text="Rises with every change, so that no copy in memory is trusted."
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["slug"], name="source_slug_unique"),
            models.CheckConstraint(condition=~models.Q(slug=""), name="source_slug_not_blank"),
            models.CheckConstraint(
                condition=models.Q(expected_every_s=None) | models.Q(expected_every_s__gt=0),
                name="source_expected_every_positive",
            ),
            # Whatever anybody pastes, and wherever: no private key is ever kept.
            models.CheckConstraint(
                condition=models.Q(pinned_certificate="")
                | models.Q(pinned_certificate__startswith="-----BEGIN CERTIFICATE-----")
                & ~models.Q(pinned_certificate__contains="PRIVATE KEY"),
                name="source_pinned_is_certificate",
            ),
        ]
        # Serves the list, which goes by name.
        indexes = [models.Index(fields=["name", "id"], name="source_name_idx")]

    def __str__(self) -> str:
        return self.name

    def unique_error_message(
        self, model_class: type[models.Model], unique_check: Sequence[str]
    ) -> ValidationError:
        """Its slug is all that must be its own; the framework would say it by the names of class and field."""
        return ValidationError("Another source has this slug.", "unique")


class SecretPurpose(models.TextChoices):
    SIGNING = "signing", "Signing"  # who knows it can send events
    HANDSHAKE = "handshake", "Handshake"  # Meta's verify token: comes in the open, and proves nothing later


class SourceSecret(models.Model):
    """One live secret of a source. Several live side by side while a sender rotates."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="secrets")
    sealed = SealedTextField()
    hint = models.CharField(max_length=4, help_text="The last four characters.")
    purpose = models.CharField(max_length=12, choices=SecretPurpose, default=SecretPurpose.SIGNING)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    # Added up by `services.rollups`, a few seconds late, so that a receipt writes nothing for them.
    matches = models.BigIntegerField(default=0, editable=False, help_text="Requests it proved.")
    last_matched_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(purpose__in=SecretPurpose.values), name="source_secret_purpose_known"
            )
        ]

    def __str__(self) -> str:
        return f"…{self.hint}"
