"""Samples how deep the lanes are into one small row each, so that no scrape or page ever counts deliveries."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db.models import Count, Max, Min, Q, Sum
from django.db.models.functions import Now

from deliveries.models import DeadLetter, Delivery, DeliveryState, DepthSample, Lane, Phase, Seat


@dataclass(frozen=True, kw_only=True, slots=True)
class Depths:
    """The hub at its last sample. `oldest_due_s` is None when nothing is due."""

    due: int
    oldest_due_s: float | None
    dead_letters: int
    lanes_by_circuit: dict[str, int]
    dispatchers: int


def snapshot() -> Depths:
    """Adds up the samples: a handful of reads of small tables."""
    sums = DepthSample.objects.aggregate(due=Sum("due"), dead=Sum("dead"), oldest=Min("oldest_due_at"))
    circuits = Lane.objects.values_list("circuit").annotate(Count("pk")).order_by()
    return Depths(
        due=sums["due"] or 0,
        oldest_due_s=_age(sums["oldest"]),
        dead_letters=sums["dead"] or 0,
        lanes_by_circuit=dict(circuits),
        dispatchers=Seat.objects.filter(leased_until__gt=Now(), is_draining=False).count(),
    )


def sample_if_old(age_s: float) -> bool:
    """Samples unless another dispatcher did within `age_s`; says whether it did."""
    now = datetime.now(UTC)
    newest = DepthSample.objects.aggregate(at=Max("sampled_at"))["at"]
    if newest is not None and newest > now - timedelta(seconds=age_s):
        return False
    sample(now)
    return True


def sample(now: datetime) -> None:
    """Reads the three queues by their indexes; lanes that were empty and still are cost nothing."""
    deep = _pending(now)
    for lane, dead in _dead().items():
        deep.setdefault(lane, DepthSample(subscription_id=lane)).dead = dead
    emptied = DepthSample.objects.filter(Q(pending__gt=0) | Q(dead__gt=0)).exclude(pk__in=list(deep))
    for lane in emptied.values_list("pk", flat=True):
        deep[lane] = DepthSample(subscription_id=lane)
    for each in deep.values():
        each.sampled_at = now
    DepthSample.objects.bulk_create(
        deep.values(),
        batch_size=500,
        update_conflicts=True,
        unique_fields=["subscription"],
        update_fields=["pending", "due", "oldest_due_at", "dead", "sampled_at"],
    )
    if not deep:
        DepthSample.objects.update(sampled_at=now)


def _pending(now: datetime) -> dict[UUID, DepthSample]:
    deep: dict[UUID, DepthSample] = {}
    for phase in Phase:
        queue = Delivery.objects.filter(state=DeliveryState.PENDING, phase=phase.value).order_by()
        is_due = Q(due_at__lte=now)
        depth = queue.values("subscription_id").annotate(
            pending=Count("pk"), due=Count("pk", filter=is_due), oldest=Min("due_at", filter=is_due)
        )
        for lane, pending, due, oldest in depth.values_list("subscription_id", "pending", "due", "oldest"):
            each = deep.setdefault(lane, DepthSample(subscription_id=lane))
            each.pending += pending
            each.due += due
            each.oldest_due_at = min(filter(None, [each.oldest_due_at, oldest]), default=None)
    return deep


def _dead() -> dict[UUID, int]:
    still = DeadLetter.objects.filter(resolved_at__isnull=True).order_by()
    return dict(still.values_list("subscription_id").annotate(Count("pk")))


def _age(since: datetime | None) -> float | None:
    return None if since is None else max(0.0, (datetime.now(UTC) - since).total_seconds())
