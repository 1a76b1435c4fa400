"""When an alert opens, what of that is on its way, and for what nobody wants to be told just now."""

from django.db import models
from django.utils import timezone

from deliveries.deciders.measures import MEASURES, WINDOWS, Over
from webhooks.ids import uuid7
from webhooks.models import Source, Subscriber
from webhooks.models.source import SLUG

from .alert import Severity
from .subscription import Subscription

OVER = {
    Over.HUB: "The whole hub",
    Over.EACH_SUBSCRIPTION: "Each subscription by itself",
    Over.SUBSCRIPTION: "One subscription",
    Over.SUBSCRIBER: "All subscriptions of one subscriber",
    Over.EACH_SOURCE: "Each source by itself",
    Over.SOURCE: "One source",
}


class AlertRule(models.Model):
    """What is measured, over what, and when that is an alert. A rule is disabled, never deleted: its alerts name it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    slug = models.CharField(max_length=63, validators=[SLUG], help_text="By which alerts name it, for good.")
    name = models.CharField(max_length=100)
    is_enabled = models.BooleanField("enabled", default=True)
    severity = models.CharField(max_length=10, choices=Severity, default=Severity.WARNING)
    measure = models.CharField(
        "what is measured", max_length=30, choices=[(slug, each.label) for slug, each in MEASURES.items()]
    )
    detail = models.CharField(
        "which failures, or which percentile",
        max_length=30,
        blank=True,
        help_text="Of an error rate: 503, 5xx or an outcome such as timeout; empty: any. Of a latency: such as 99.",
    )
    over = models.CharField(
        max_length=20, choices=[(over.value, words) for over, words in OVER.items()], default=Over.HUB.value
    )
    subscription = models.ForeignKey(
        Subscription, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    subscriber = models.ForeignKey(
        Subscriber, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    source = models.ForeignKey(
        Source, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    threshold = models.FloatField(
        null=True,
        blank=True,
        help_text="A success rate is bad under it, all else at or above it: percent, ms, seconds, or a number.",
    )
    clear_threshold = models.FloatField(
        "over when it is back at",
        null=True,
        blank=True,
        help_text="Better than the threshold, so that what hovers about it opens one alert. Empty: the threshold.",
    )
    window_s = models.PositiveIntegerField(
        "measured over the last", null=True, blank=True, choices=list(WINDOWS.items())
    )
    least_volume = models.PositiveIntegerField(
        "fewest to judge by",
        default=0,
        help_text="Attempts or answers in that time; with fewer nothing opens.",
    )
    hold_s = models.PositiveIntegerField(
        "for at least, seconds", default=0, help_text="How long it must be bad before an alert opens."
    )
    remind_s = models.PositiveIntegerField(
        "reminded every, seconds", null=True, blank=True, help_text="Empty: an open alert is told once."
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["slug"], name="alert_rule_slug_unique"),
            models.CheckConstraint(
                condition=models.Q(severity__in=Severity.values), name="alert_rule_severity_known"
            ),
            models.CheckConstraint(
                condition=models.Q(over__in=[each.value for each in Over]), name="alert_rule_over_known"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Breach(models.Model):
    """A threshold that is crossed, and no alert yet: it must last for the rule's hold time. Evaluation writes it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    rule = models.CharField(max_length=100)
    scope = models.CharField(max_length=200, blank=True)
    since = models.DateTimeField()

    class Meta:
        verbose_name_plural = "breaches"
        constraints = [models.UniqueConstraint(fields=["rule", "scope"], name="breach_once")]

    def __str__(self) -> str:
        return f"{self.rule} {self.scope}".strip()


class Mute(models.Model):
    """For a while nobody is told of this; alerts open, show and close as ever."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    rule = models.CharField(max_length=100)
    scope = models.CharField(max_length=200, blank=True)
    is_of_every_scope = models.BooleanField(default=False, help_text="Of all that the rule is about.")
    until = models.DateTimeField()
    reason = models.CharField(max_length=500)
    muted_by = models.CharField(max_length=200)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        # Serves "what is muted now?", and retention.
        indexes = [models.Index(fields=["until"], name="mute_until_idx")]

    def __str__(self) -> str:
        return f"{self.rule} {self.scope}".strip()
