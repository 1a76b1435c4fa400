"""What settled attempts add up to: first as each batch adds it, then per slice of time. Dashboards read no more."""

from uuid import UUID

from django.db import models

from .subscription import Subscription

EVERY = UUID(int=0)  # in place of a subscription: the slice of all of them together
WIDTHS = (60, 900, 3600, 86_400)  # seconds; days, of UTC, are what long windows are summed from
TYPES_A_DAY = (
    1_000  # types of events with slices of their own: senders choose them, and may choose any number
)
OTHER_TYPES = (
    "*"  # in place of a type: the slice of those beyond; should a sender use it, it is counted there
)


class Tally(models.Model):
    """Which attempts and deaths one settle wrote, written with them, and taken away once they are in the slices.

    Appending one row costs a settle little; adding to the slices would cost it a third of its pace.
    """

    id = models.BigAutoField(primary_key=True)
    settled_at = models.DateTimeField()
    attempts = models.TextField(help_text="A JSON list of their ids.")
    failed = models.TextField(help_text="The same, of those that failed.")
    deaths = models.TextField(help_text="A JSON list; see the dispatcher's tallies.")
    length = models.IntegerField(help_text="How many attempts and deaths.")

    class Meta:
        verbose_name_plural = "tallies"

    def __str__(self) -> str:
        return f"tally {self.id}"


class Counts(models.Model):
    """What is counted in one slice of time.

    An attempt counts when it began, a death when it happened. `took_00` to `took_22` count what was answered
    or ran out of time by how long it took (deliveries.deciders.latency).
    """

    attempts = models.IntegerField(default=0)
    replays = models.IntegerField(default=0, help_text="Attempts of replayed deliveries.")
    delivered_first = models.IntegerField(default=0, help_text="Delivered by their very first attempt.")
    delivered_retry = models.IntegerField(default=0, help_text="Delivered by a later attempt.")
    retried = models.IntegerField(default=0, help_text="Failed attempts by which no delivery died.")
    dead = models.IntegerField(default=0, help_text="Deliveries given up, some without any attempt.")
    faults = models.IntegerField(default=0, help_text="Failed attempts that were the endpoint's fault.")
    latency_ms = models.BigIntegerField(default=0, help_text="Sum over what `took_00` to `took_22` count.")
    took_00 = models.IntegerField(default=0)
    took_01 = models.IntegerField(default=0)
    took_02 = models.IntegerField(default=0)
    took_03 = models.IntegerField(default=0)
    took_04 = models.IntegerField(default=0)
    took_05 = models.IntegerField(default=0)
    took_06 = models.IntegerField(default=0)
    took_07 = models.IntegerField(default=0)
    took_08 = models.IntegerField(default=0)
    took_09 = models.IntegerField(default=0)
    took_10 = models.IntegerField(default=0)
    took_11 = models.IntegerField(default=0)
    took_12 = models.IntegerField(default=0)
    took_13 = models.IntegerField(default=0)
    took_14 = models.IntegerField(default=0)
    took_15 = models.IntegerField(default=0)
    took_16 = models.IntegerField(default=0)
    took_17 = models.IntegerField(default=0)
    took_18 = models.IntegerField(default=0)
    took_19 = models.IntegerField(default=0)
    took_20 = models.IntegerField(default=0)
    took_21 = models.IntegerField(default=0)
    took_22 = models.IntegerField(default=0)

    class Meta:
        abstract = True


class Rollup(Counts):
    """One subscription, or every one, in one slice of time. Folding alone adds to it.

    A subscription that is gone leaves the sums over every subscription as they are.
    """

    id = models.BigAutoField(primary_key=True)
    starts_at = models.DateTimeField()
    width_s = models.IntegerField(help_text="60, 900, 3600 or 86400.")
    # No constraint, since no subscription stands for every one of them.
    subscription = models.ForeignKey(
        Subscription, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )

    class Meta:
        constraints = [
            # Serves "all subscriptions in this window" too.
            models.UniqueConstraint(
                fields=["width_s", "starts_at", "subscription"], name="rollup_slice_unique"
            ),
            models.CheckConstraint(condition=models.Q(width_s__in=WIDTHS), name="rollup_width_known"),
        ]
        indexes = [
            # Serves "this subscription, or every one together, in this window".
            models.Index(fields=["subscription", "width_s", "starts_at"], name="rollup_subscription_idx"),
        ]

    def __str__(self) -> str:
        return f"{self.attempts} attempts"


class RollupFailure(models.Model):
    """Failures of one kind in one slice: by outcome, and by status where there was an answer."""

    id = models.BigAutoField(primary_key=True)
    starts_at = models.DateTimeField()
    width_s = models.IntegerField(help_text="60, 900, 3600 or 86400.")
    subscription = models.ForeignKey(
        Subscription, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    outcome = models.CharField(max_length=20)
    status = models.SmallIntegerField(help_text="0: there was no answer.")
    failures = models.IntegerField(default=0)

    class Meta:
        constraints = [
            # Serves every read: a subscription, or every one together, in a window.
            models.UniqueConstraint(
                fields=["subscription", "width_s", "starts_at", "outcome", "status"],
                name="rollup_failure_slice_unique",
            ),
            models.CheckConstraint(condition=models.Q(width_s__in=WIDTHS), name="rollup_failure_width_known"),
        ]
        indexes = [
            # Serves retention.
            models.Index(fields=["width_s", "starts_at"], name="rollup_failure_age_idx"),
        ]

    def __str__(self) -> str:
        return f"{self.failures} × {self.outcome}"


class TypeRollup(Counts):
    """One type of events, to all subscriptions, in one slice of time. Over all types, what `EVERY` has.

    A type that comes when its day has `TYPES_A_DAY` of them is counted under `OTHER_TYPES`, all that day.
    """

    id = models.BigAutoField(primary_key=True)
    starts_at = models.DateTimeField()
    width_s = models.IntegerField(help_text="60, 900, 3600 or 86400.")
    event_type = models.CharField(max_length=200)

    class Meta:
        default_permissions = ()
        constraints = [
            # Serves "all types in this window", and folding: "is this type one of its day's?"
            models.UniqueConstraint(
                fields=["width_s", "starts_at", "event_type"], name="type_rollup_slice_unique"
            ),
            models.CheckConstraint(condition=models.Q(width_s__in=WIDTHS), name="type_rollup_width_known"),
        ]
        indexes = [
            # Serves "this type in this window".
            models.Index(fields=["event_type", "width_s", "starts_at"], name="type_rollup_type_idx"),
        ]

    def __str__(self) -> str:
        return f"{self.attempts} attempts"


class TypeFailure(models.Model):
    """Failures of one kind, of one type of events, in one slice; see `TypeRollup`."""

    id = models.BigAutoField(primary_key=True)
    starts_at = models.DateTimeField()
    width_s = models.IntegerField(help_text="60, 900, 3600 or 86400.")
    event_type = models.CharField(max_length=200)
    outcome = models.CharField(max_length=20)
    status = models.SmallIntegerField(help_text="0: there was no answer.")
    failures = models.IntegerField(default=0)

    class Meta:
        default_permissions = ()
        constraints = [
            # Serves "how did this type fail in this window?"
            models.UniqueConstraint(
                fields=["event_type", "width_s", "starts_at", "outcome", "status"],
                name="type_failure_slice_unique",
            ),
            models.CheckConstraint(condition=models.Q(width_s__in=WIDTHS), name="type_failure_width_known"),
        ]
        indexes = [
            # Serves retention.
            models.Index(fields=["width_s", "starts_at"], name="type_failure_age_idx"),
        ]

    def __str__(self) -> str:
        return f"{self.failures} × {self.outcome}"


class DepthSlice(models.Model):
    """How deep all lanes together were at most in one slice of time, of those moments at which they were sampled."""

    id = models.BigAutoField(primary_key=True)
    starts_at = models.DateTimeField()
    width_s = models.IntegerField(help_text="60, 900 or 3600.")
    due = models.IntegerField(default=0, help_text="In lanes that move.")
    retrying = models.IntegerField(default=0, help_text="In lanes that move.")
    held = models.IntegerField(default=0, help_text="Pending in lanes that do not move.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["width_s", "starts_at"], name="depth_slice_unique"),
            models.CheckConstraint(
                condition=models.Q(width_s__in=WIDTHS[:3]), name="depth_slice_width_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.due} due"
