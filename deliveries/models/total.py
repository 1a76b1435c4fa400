"""What has happened since the hub began, as totals that only grow: what Prometheus' counters are read from.

Rollups are dropped by age, so a counter summed from them would fall. These rows are added to in the very statements
that add to rollups, or in the transaction that made what they count, and nobody ever takes from them or drops one:
not even with its subscription, or a sum over all of them would fall. They have no pages: the console reads rollups.
"""

from django.db import models


class Total(models.Model):
    """What a subscription's settled attempts add up to; the columns mean what those of `Rollup` mean."""

    id = models.BigAutoField(primary_key=True)
    subscription_id = models.UUIDField(unique=True, help_text="No foreign key: it outlives the subscription.")
    attempts = models.BigIntegerField(default=0)
    replays = models.BigIntegerField(default=0)
    delivered_first = models.BigIntegerField(default=0)
    delivered_retry = models.BigIntegerField(default=0)
    retried = models.BigIntegerField(default=0)
    dead = models.BigIntegerField(default=0)
    faults = models.BigIntegerField(default=0)
    timed = models.BigIntegerField(default=0, help_text="Attempts that were answered or ran out of time.")
    latency_ms = models.BigIntegerField(default=0, help_text="Sum over what `timed` counts.")

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.attempts} attempts"


class FailureTotal(models.Model):
    """A subscription's failures of one kind; see `RollupFailure`."""

    id = models.BigAutoField(primary_key=True)
    subscription_id = models.UUIDField()
    outcome = models.CharField(max_length=20)
    status = models.SmallIntegerField(help_text="0: there was no answer.")
    failures = models.BigIntegerField(default=0)
    untried = models.BigIntegerField(default=0, help_text="Of these, deaths without any attempt.")

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["subscription_id", "outcome", "status"], name="failure_total_kind_unique"
            )
        ]

    def __str__(self) -> str:
        return f"{self.failures} × {self.outcome}"


class Spread(models.TextChoices):
    """What is spread over buckets, of all subscriptions together; deliveries.deciders.latency has the edges."""

    TOOK = "took", "How long attempts took"
    FIRST = "first", "From the receipt to the first attempt"
    DELIVERED = "delivered", "From the receipt to the 2xx, without replays"
    RETRY = "retry", "Retries by their number"  # of one delivery; 12 stands for all that follow


class SpreadTotal(models.Model):
    """How many fell into one bucket."""

    id = models.BigAutoField(primary_key=True)
    kind = models.CharField(max_length=10, choices=Spread)
    bucket = models.SmallIntegerField()
    number = models.BigIntegerField(default=0)
    sum_ms = models.BigIntegerField(default=0)

    class Meta:
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["kind", "bucket"], name="spread_total_bucket_unique")]

    def __str__(self) -> str:
        return f"{self.number} in {self.kind} {self.bucket}"


class CircuitTotal(models.Model):
    """How often a lane's circuit came to be in a state. Its owner adds to it with the transition itself."""

    id = models.BigAutoField(primary_key=True)
    subscription_id = models.UUIDField()
    after = models.CharField(max_length=10)
    number = models.BigIntegerField(default=0)

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["subscription_id", "after"], name="circuit_total_state_unique")
        ]

    def __str__(self) -> str:
        return f"{self.number} × {self.after}"


class EventTotal(models.Model):
    """What routing made of a source's events. The router adds to it in the transaction that marks them."""

    id = models.BigAutoField(primary_key=True)
    source_id = models.UUIDField()
    state = models.CharField(max_length=12)
    number = models.BigIntegerField(default=0)

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["source_id", "state"], name="event_total_state_unique")
        ]

    def __str__(self) -> str:
        return f"{self.number} {self.state}"
