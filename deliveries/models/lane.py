"""Lanes, the seats that serve them, and how deep each lane was when last looked at."""

from django.db import models
from django.utils import timezone

from webhooks.ids import uuid7
from webhooks.models import Subscriber

from .subscription import Subscription


class Hold(models.TextChoices):
    """Why a person's word, or a 410, keeps a lane from moving. Nothing held is ever dropped."""

    NONE = "", "Moving"
    PAUSED = "paused", "Paused"
    DISABLED = "disabled", "Disabled"
    UNPROVED = "unproved", "Waiting for its proof"  # no ping was answered at its present address


class Circuit(models.TextChoices):
    CLOSED = "closed", "Closed"  # everything flows
    OPEN = "open", "Open"  # deliveries are parked, none is attempted
    HALF_OPEN = "half_open", "Half-open"  # exactly one probe is out
    RECOVERING = "recovering", "Recovering"  # the window grows back, one per success


class LaneOrder(models.TextChoices):
    """What a person last asked of a lane's circuit; its owner carries it out."""

    NONE = "", "Nothing"
    TRIP = "trip", "Trip"  # open the circuit now
    RESET = "reset", "Reset"  # close it, whatever was counted
    PROBE = "probe", "Probe now"  # end the cool-down


class Seat(models.Model):
    """A dispatcher's place. Its epoch rises whenever it is taken, so that a frozen holder settles nothing."""

    number = models.PositiveSmallIntegerField(primary_key=True)
    epoch = models.BigIntegerField(default=0)
    leased_until = models.DateTimeField(null=True, blank=True)
    is_draining = models.BooleanField(default=False)
    host = models.CharField(max_length=200, blank=True)
    pid = models.PositiveIntegerField(null=True, blank=True)
    taken_at = models.DateTimeField(null=True, blank=True)
    seen_at = models.DateTimeField(null=True, blank=True)
    in_flight = models.PositiveIntegerField(default=0, help_text="Requests under way when last seen.")

    class Meta:
        permissions = [("run_tasks_again", "Can run failed tasks again")]

    def __str__(self) -> str:
        return f"seat {self.number}"


class Lane(models.Model):
    """The queue of one subscription, with its pace.

    Its owner (seat and epoch) alone writes the circuit, the window, the tokens, `failing_since` and
    `order_done`. People write `hold` and `order`, and raise `revision` with them; the owner reads these at every
    claim and never writes them. Routers alone write `last_seq`.
    """

    subscription = models.OneToOneField(Subscription, on_delete=models.CASCADE, primary_key=True)
    subscriber = models.ForeignKey(Subscriber, on_delete=models.PROTECT, related_name="+", db_index=False)
    seat = models.ForeignKey(Seat, null=True, blank=True, on_delete=models.PROTECT, related_name="lanes")
    seat_epoch = models.BigIntegerField(null=True, blank=True)
    next_due_at = models.DateTimeField(
        null=True, blank=True, help_text="When a sleeping lane has work; empty: it has none."
    )
    not_before = models.DateTimeField(null=True, blank=True, help_text="The endpoint asked for quiet until.")
    hold = models.CharField(max_length=10, choices=Hold, default=Hold.NONE, blank=True)
    hold_reason = models.CharField(max_length=500, blank=True)
    held_at = models.DateTimeField(null=True, blank=True)
    hold_until = models.DateTimeField(
        null=True, blank=True, help_text="When a pause ends by itself; empty: a person ends it."
    )
    revision = models.PositiveIntegerField(default=1)
    circuit = models.CharField(max_length=10, choices=Circuit, default=Circuit.CLOSED)
    circuit_since = models.DateTimeField(default=timezone.now)
    cooldown_until = models.DateTimeField(null=True, blank=True)
    cooldowns = models.PositiveIntegerField(
        default=0, help_text="Consecutive openings; the next lasts longer."
    )
    probe_id = models.UUIDField(null=True, blank=True, help_text="The delivery that probes a half-open lane.")
    window = models.PositiveSmallIntegerField(null=True, blank=True, help_text="Empty: at its cap.")
    tokens = models.FloatField(default=0)
    tokens_at = models.DateTimeField(null=True, blank=True)
    buckets = models.JSONField(default=list, blank=True, help_text="Lately settled: start, good, faults.")
    failing_since = models.DateTimeField(
        null=True, blank=True, help_text="First fault since the last success; empty: it last succeeded."
    )
    warned_at = models.DateTimeField(
        null=True, blank=True, help_text="When a notice said that it is about to be disabled."
    )
    order = models.CharField(max_length=10, choices=LaneOrder, default=LaneOrder.NONE, blank=True)
    order_number = models.PositiveIntegerField(default=0, help_text="Rises with each order.")
    order_done = models.PositiveIntegerField(default=0, help_text="The last order its owner carried out.")
    last_seq = models.BigIntegerField(default=0, help_text="The last turn given in a strictly ordered lane.")

    class Meta:
        permissions = [("manage_circuit", "Can trip and reset circuits")]
        constraints = [
            models.CheckConstraint(condition=models.Q(hold__in=Hold.values), name="lane_hold_known"),
            models.CheckConstraint(
                condition=models.Q(hold_until__isnull=True) | models.Q(hold="paused"),
                name="lane_hold_until_while_paused",
            ),
            models.CheckConstraint(condition=models.Q(circuit__in=Circuit.values), name="lane_circuit_known"),
            models.CheckConstraint(
                condition=models.Q(seat__isnull=True, seat_epoch__isnull=True)
                | models.Q(seat__isnull=False, seat_epoch__isnull=False),
                name="lane_owner_whole",
            ),
            models.CheckConstraint(
                condition=models.Q(probe_id__isnull=True) | models.Q(circuit="half_open"),
                name="lane_probe_while_half_open",
            ),
            models.CheckConstraint(condition=models.Q(order__in=LaneOrder.values), name="lane_order_known"),
        ]
        indexes = [
            # Serves "which lanes have work and nobody?" and "when does the next one wake?".
            models.Index(fields=["next_due_at"], name="lane_ready_idx", condition=models.Q(hold="")),
            # Serves "whose pause is over?", which is asked each second.
            models.Index(
                fields=["hold_until"], name="lane_pause_idx", condition=models.Q(hold_until__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"lane of {self.subscription_id}"


class CircuitChange(models.Model):
    """One transition of a lane's circuit: when, from what to what, why, and the attempt that tipped it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    subscription = models.ForeignKey(
        Subscription, on_delete=models.CASCADE, related_name="circuit_changes", db_index=False
    )
    at = models.DateTimeField(default=timezone.now)
    before = models.CharField(max_length=10, choices=Circuit)
    after = models.CharField(max_length=10, choices=Circuit)
    why = models.CharField(max_length=300, help_text="A sentence.")
    attempt_id = models.UUIDField(null=True, blank=True, help_text="The attempt that tipped it.")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(before__in=Circuit.values, after__in=Circuit.values),
                name="circuit_change_known",
            ),
            models.CheckConstraint(
                condition=~models.Q(before=models.F("after")), name="circuit_change_changes"
            ),
        ]
        # Serves "how did this lane's circuit behave lately?".
        indexes = [models.Index(fields=["subscription", "id"], name="circuit_change_lane_idx")]

    def __str__(self) -> str:
        return f"{self.before} → {self.after}"


class EntityVersion(models.Model):
    """The highest version of an entity that a latest-only lane was ever owed."""

    subscription = models.ForeignKey(
        Subscription, on_delete=models.CASCADE, related_name="entity_versions", db_index=False
    )
    entity = models.CharField(max_length=500)
    version = models.BigIntegerField()
    seen_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["subscription", "entity"], name="entity_version_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.entity} {self.version}"


class RouteRevision(models.Model):
    """One row whose number rises with every change of a subscription, so that no router trusts an old copy."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    revision = models.BigIntegerField(default=1)

    def __str__(self) -> str:
        return str(self.revision)


class DepthSample(models.Model):
    """How deep a lane was when last sampled. Small: what scrapes and dashboards read instead of deliveries."""

    subscription = models.OneToOneField(
        Subscription, on_delete=models.CASCADE, primary_key=True, related_name="depth"
    )
    pending = models.PositiveIntegerField(default=0)
    due = models.PositiveIntegerField(default=0)
    oldest_due_at = models.DateTimeField(null=True, blank=True)
    retrying = models.PositiveIntegerField(default=0, help_text="Of what is pending, what was tried before.")
    retry_5m = models.PositiveIntegerField(default=0, help_text="Of these, what is due within 5 minutes.")
    retry_1h = models.PositiveIntegerField(default=0, help_text="Of these, what is due within an hour.")
    dead = models.PositiveIntegerField(default=0)
    oldest_dead_at = models.DateTimeField(null=True, blank=True)
    sampled_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.due} due"
