"""Which events a subscriber wants, where, in which form and how fast."""

from django.db import models
from django.utils import timezone

from webhooks.ids import uuid7
from webhooks.models import Source, Subscriber
from webhooks.sealing import SealedTextField


class ClientErrors(models.TextChoices):
    """What a 4xx or 3xx answer about one payload means for its delivery."""

    ONCE = "once", "Dead at once"
    THRICE = "thrice", "Dead after three attempts"
    SCHEDULE = "schedule", "Retried on the whole schedule"


class Ordering(models.TextChoices):
    UNORDERED = "unordered", "Unordered"  # as fast as the lane allows
    STRICT = "strict", "Strict"  # one at a time, the oldest first


class Signing(models.TextChoices):
    """By which signatures of Standard Webhooks its requests are signed."""

    V1 = "v1", "v1: HMAC-SHA256, with a secret that both sides know"
    V1A = "v1a", "v1a: ed25519, whose public key the receiver may show to anyone"
    BOTH = "both", "Both"


class Format(models.TextChoices):
    """The form in which an event is sent."""

    STANDARD = "standard", "The body as it came, or as the transform makes it"
    CLOUDEVENTS = "cloudevents", "CloudEvents 1.0, structured"


class Subscription(models.Model):
    """Null in a retry, pace or timeout column means: the hub's default, today's and tomorrow's."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    subscriber = models.ForeignKey(Subscriber, on_delete=models.PROTECT, related_name="subscriptions")
    name = models.CharField(max_length=200)
    url = models.CharField("URL", max_length=2000)
    source = models.ForeignKey(
        Source, null=True, blank=True, on_delete=models.PROTECT, related_name="+", help_text="Empty: any."
    )
    event_types = models.JSONField(default=list, help_text='Patterns such as "user.*"; "*" is every event.')
    filter = models.TextField(blank=True, help_text="JMESPath; the event is wanted when it yields a truth.")
    transform = models.TextField(blank=True, help_text="JMESPath; its result is sent instead of the body.")
    format = models.CharField(max_length=12, choices=Format, default=Format.STANDARD)
    signing = models.CharField(
        max_length=5, choices=Signing, default=Signing.V1, help_text="Changed by rotating its keys."
    )
    prove = models.BooleanField(
        default=False, help_text="Nothing is sent before its endpoint answered a signed ping with a 2xx."
    )
    proved_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When its present address answered one."
    )
    headers = SealedTextField(
        blank=True, default="", help_text="A JSON object of extra headers; stored encrypted."
    )
    timeout_s = models.FloatField("timeout, seconds", null=True, blank=True)
    retry_first_s = models.FloatField("first delay, seconds", null=True, blank=True)
    retry_factor = models.FloatField("growth of the delay", null=True, blank=True)
    retry_cap_s = models.FloatField("longest delay, seconds", null=True, blank=True)
    retry_max_attempts = models.PositiveIntegerField("most attempts", null=True, blank=True)
    retry_delays_s = models.JSONField(
        "explicit delays, seconds", null=True, blank=True, help_text="A list; it replaces the growing delay."
    )
    retry_jitter = models.FloatField("jitter, share of the delay", null=True, blank=True)
    retry_max_age_s = models.FloatField("longest age, seconds", null=True, blank=True)
    client_errors = models.CharField(max_length=10, choices=ClientErrors, blank=True)
    window = models.PositiveSmallIntegerField("most requests at once", null=True, blank=True)
    rate_per_s = models.FloatField(
        "most requests per second", null=True, blank=True, help_text="Empty: no limit."
    )
    ordering = models.CharField(max_length=10, choices=Ordering, default=Ordering.UNORDERED)
    latest_only = models.BooleanField(
        default=False, help_text="An older version of an entity is never sent after a newer one was seen."
    )
    circuit_failure_rate = models.FloatField("share of failures that opens", null=True, blank=True)
    circuit_min_volume = models.PositiveIntegerField("fewest attempts to judge by", null=True, blank=True)
    circuit_window_s = models.FloatField("judged over the last, seconds", null=True, blank=True)
    circuit_cooldown_s = models.FloatField("first cool-down, seconds", null=True, blank=True)
    circuit_cooldown_cap_s = models.FloatField("longest cool-down, seconds", null=True, blank=True)
    disable_after_s = models.FloatField(
        "disabled after failing for, seconds", null=True, blank=True, help_text="0: never."
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        permissions = [
            ("hold_subscription", "Can pause and resume subscription"),
            ("test_subscription", "Can send test events to subscription"),
            ("rotate_secret", "Can rotate the signing secret of subscription"),
        ]
        constraints = [
            models.CheckConstraint(condition=~models.Q(url=""), name="subscription_url_not_blank"),
            models.CheckConstraint(
                condition=models.Q(client_errors__in=["", *ClientErrors.values]),
                name="subscription_client_errors_known",
            ),
            models.CheckConstraint(
                condition=models.Q(ordering__in=Ordering.values), name="subscription_ordering_known"
            ),
            models.CheckConstraint(
                condition=models.Q(signing__in=Signing.values), name="subscription_signing_known"
            ),
            models.CheckConstraint(
                condition=models.Q(format__in=Format.values), name="subscription_format_known"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class SubscriptionSecret(models.Model):
    """A signing secret. Every live one signs, so that a receiver can rotate without a gap.

    One that has a `public_key` is the private half of an ed25519 pair, which is never shown.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    subscription = models.ForeignKey(Subscription, on_delete=models.CASCADE, related_name="secrets")
    sealed = SealedTextField()
    hint = models.CharField(max_length=4, help_text="The last four characters.")
    public_key = models.CharField(
        max_length=60, blank=True, default="", help_text="whpk_…, by which a receiver verifies v1a."
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.public_key or f"…{self.hint}"

    @property
    def signing(self) -> str:
        """One key signs one way."""
        return Signing.V1A if self.public_key else Signing.V1
