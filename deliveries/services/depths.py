"""Samples how deep the lanes are into one small row each, so that no scrape or page ever counts deliveries.

How deep all of them were together is kept per slice of time too, so that a page can say whether it gets better.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Count, Max, Min, Q, Sum
from django.db.models.functions import Coalesce

from deliveries.models import (
    Circuit,
    DeadLetter,
    Delivery,
    DeliveryState,
    DepthSample,
    DepthSlice,
    Hold,
    Phase,
)

SOON, LATER = timedelta(minutes=5), timedelta(hours=1)
WIDTHS = (60, 900, 3600)  # seconds of a slice
DOES_NOT_MOVE = ~Q(subscription__lane__hold=Hold.NONE) | Q(
    subscription__lane__circuit__in=[Circuit.OPEN, Circuit.HALF_OPEN]
)
_SAMPLED = (
    "pending", "due", "oldest_due_at", "retrying", "retry_5m", "retry_1h", "dead", "oldest_dead_at", "sampled_at",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiting:
    """What waits in all lanes: due and retries in those that move, and all that is held in those that don't."""

    due: int
    oldest_due_at: datetime | None
    retrying: int
    retry_5m: int
    retry_1h: int
    held: int
    dead: int
    sampled_at: datetime | None


def waiting() -> Waiting:
    """One read of the samples, beside their lanes."""
    moving = ~DOES_NOT_MOVE
    names = ("due", "retrying", "retry_5m", "retry_1h")
    sums = DepthSample.objects.aggregate(
        **{name: Coalesce(Sum(name, filter=moving), 0) for name in names},
        oldest=Min("oldest_due_at", filter=moving),
        held=Coalesce(Sum("pending", filter=DOES_NOT_MOVE), 0),
        dead_letters=Coalesce(Sum("dead"), 0),
        at=Max("sampled_at"),
    )
    return Waiting(
        **{name: sums[name] for name in names},
        oldest_due_at=sums["oldest"],
        held=sums["held"],
        dead=sums["dead_letters"],
        sampled_at=sums["at"],
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
    for lane, dead, oldest_at in _dead():
        each = deep.setdefault(lane, DepthSample(subscription_id=lane))
        each.dead, each.oldest_dead_at = dead, oldest_at
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
        update_fields=_SAMPLED,
    )
    if not deep:
        DepthSample.objects.update(sampled_at=now)
    _keep(waiting(), now)


def _keep(depth: Waiting, now: datetime) -> None:
    """The deepest sample of a slice stands for it, whichever dispatcher took it."""
    second = int(now.timestamp())
    most = "GREATEST" if connection.vendor == "postgresql" else "MAX"
    table, names = DepthSlice._meta.db_table, ("due", "retrying", "held")
    values: list[Any] = []
    for width_s in WIDTHS:
        start = datetime.fromtimestamp(second - second % width_s, UTC)
        values += [width_s, connection.ops.adapt_datetimefield_value(start)]
        values += [getattr(depth, name) for name in names]
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} (width_s, starts_at, due, retrying, held)"  # noqa: S608 (names of our own)
            f" VALUES {', '.join(['(%s, %s, %s, %s, %s)'] * len(WIDTHS))} ON CONFLICT (width_s, starts_at) DO UPDATE"
            f" SET {', '.join(f'{name} = {most}({table}.{name}, excluded.{name})' for name in names)}",
            values,
        )


def _pending(now: datetime) -> dict[UUID, DepthSample]:
    deep: dict[UUID, DepthSample] = {}
    for phase in Phase:
        queue = Delivery.objects.filter(state=DeliveryState.PENDING, phase=phase.value).order_by()
        is_due = Q(due_at__lte=now)
        depth = queue.values("subscription_id").annotate(
            pending=Count("pk"),
            due=Count("pk", filter=is_due),
            oldest=Min("due_at", filter=is_due),
            soon=Count("pk", filter=Q(due_at__gt=now, due_at__lte=now + SOON)),
            later=Count("pk", filter=Q(due_at__gt=now, due_at__lte=now + LATER)),
        )
        for row in depth:
            each = deep.setdefault(
                row["subscription_id"], DepthSample(subscription_id=row["subscription_id"])
            )
            each.pending += row["pending"]
            each.due += row["due"]
            each.oldest_due_at = min(filter(None, [each.oldest_due_at, row["oldest"]]), default=None)
            if phase is not Phase.FIRST:
                each.retrying += row["pending"]
                each.retry_5m += row["soon"]
                each.retry_1h += row["later"]
    return deep


def _dead() -> list[tuple[UUID, int, datetime]]:
    still = DeadLetter.objects.filter(resolved_at__isnull=True).order_by()
    return list(still.values_list("subscription_id").annotate(Count("pk"), Min("died_at")))
