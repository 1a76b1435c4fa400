"""Reads how endpoints did in the last half hour: one question of the minutes' slices, however many are asked of."""

from collections.abc import Collection
from datetime import UTC, datetime
from uuid import UUID

from django.db.models import F, Sum

from deliveries.deciders.endpoint import RECENT, EndpointNow, judge_endpoint
from deliveries.models import Lane, Rollup

MINUTE_S = 60


def endpoints_now(lanes: Collection[Lane], now: datetime) -> dict[UUID, EndpointNow]:
    """By subscription. What was settled within the last second or two may not be counted yet."""
    counted = _counted([lane.pk for lane in lanes], now)
    return {
        lane.pk: judge_endpoint(
            succeeded=counted.get(lane.pk, (0, 0))[0],
            tried=counted.get(lane.pk, (0, 0))[1],
            hold=lane.hold,
            held_at=lane.held_at,
            circuit=lane.circuit,
            circuit_since=lane.circuit_since,
        )
        for lane in lanes
    }


def _counted(subscriptions: Collection[UUID], now: datetime) -> dict[UUID, tuple[int, int]]:
    """How many attempts succeeded, and of how many: in the minute that is under way and in 29 before it."""
    minute = datetime.fromtimestamp(int(now.timestamp()) // MINUTE_S * MINUTE_S, UTC)
    since = minute - RECENT
    slices = Rollup.objects.filter(
        subscription__in=subscriptions, width_s=MINUTE_S, starts_at__gt=since, starts_at__lte=minute
    )
    sums = slices.order_by().values("subscription_id").annotate(
        succeeded=Sum(F("delivered_first") + F("delivered_retry")), tried=Sum("attempts")
    )  # fmt: skip
    return {row["subscription_id"]: (row["succeeded"], row["tried"]) for row in sums}
