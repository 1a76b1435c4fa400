"""The tree of events that one event caused, the events that a guard set aside, and the causes that did not hold."""

from django.db import models
from django.utils import timezone

from deliveries.deciders.cascade_guard import WHY_WORDS, Why
from deliveries.deciders.causes import DOUBT_WORDS, Doubt
from webhooks.models import Event


class Cascade(models.Model):
    """A row exists only where an event caused another. Routers alone count; people give a fresh budget."""

    trace_id = models.UUIDField(primary_key=True)
    root = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    events = models.PositiveIntegerField(default=1)
    depth = models.PositiveSmallIntegerField(default=0)
    budget_from = models.DateTimeField(null=True, blank=True, help_text="When its window began.")
    budget_spent = models.PositiveIntegerField(default=0, help_text="Events since then.")
    quarantined = models.PositiveIntegerField(default=0, help_text="Events of it that wait in quarantine.")
    quarantined_at = models.DateTimeField(null=True, blank=True, help_text="Since when some do.")

    class Meta:
        permissions = [("release_quarantine", "Can release and discard quarantined events")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(quarantined=0, quarantined_at__isnull=True)
                | models.Q(quarantined__gt=0, quarantined_at__isnull=False),
                name="cascade_quarantined_since",
            )
        ]
        indexes = [
            # Serves "which cascades have something in quarantine?", the newest first.
            models.Index(
                fields=["root"], name="cascade_quarantined_idx", condition=models.Q(quarantined__gt=0)
            )
        ]

    def __str__(self) -> str:
        return self.trace_id.hex


class Fate(models.TextChoices):
    WAITING = "waiting", "Waiting"
    RELEASED = "released", "Released"  # no guard stops it a second time
    DISCARDED = "discarded", "Discarded"


class Quarantine(models.Model):
    """That an event was stored and not routed, why, and what a person made of it."""

    event = models.OneToOneField(Event, on_delete=models.CASCADE, primary_key=True, related_name="quarantine")
    trace_id = models.UUIDField(null=True, blank=True, help_text="The cascade that counts it.")
    why = models.CharField(max_length=10, choices=[(each.value, WHY_WORDS[each]) for each in Why])
    set_aside_at = models.DateTimeField(default=timezone.now)
    fate = models.CharField(max_length=9, choices=Fate, default=Fate.WAITING)
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        default_permissions = ()  # told on the pages of events and cascades
        constraints = [
            models.CheckConstraint(
                condition=models.Q(why__in=[each.value for each in Why]), name="quarantine_why_known"
            ),
            models.CheckConstraint(
                condition=models.Q(fate="waiting", settled_at__isnull=True)
                | models.Q(fate__in=["released", "discarded"], settled_at__isnull=False),
                name="quarantine_settled_once_over",
            ),
        ]
        indexes = [
            # Serves "what of this cascade waits?", in the order in which it is released.
            models.Index(
                fields=["trace_id", "event"],
                name="quarantine_waiting_idx",
                condition=models.Q(fate="waiting"),
            )
        ]

    def __str__(self) -> str:
        return f"{self.event_id} {self.why}"


class DoubtedCause(models.Model):
    """What an event said had caused it, and why that was not believed."""

    event = models.OneToOneField(Event, on_delete=models.CASCADE, primary_key=True, related_name="doubted")
    claimed_id = models.UUIDField()
    why = models.CharField(max_length=10, choices=[(each.value, DOUBT_WORDS[each]) for each in Doubt])

    class Meta:
        default_permissions = ()
        constraints = [
            models.CheckConstraint(
                condition=models.Q(why__in=[each.value for each in Doubt]), name="doubted_cause_why_known"
            )
        ]

    def __str__(self) -> str:
        return f"{self.claimed_id} {self.why}"
