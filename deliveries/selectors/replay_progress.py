"""Reads how far a replay is: counts, the last minute, what failed again, what was skipped. Bounded and by index."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Count
from django.db.models.functions import TruncSecond

from deliveries.models import Delivery, Replay, ReplayItem, ReplayLane
from deliveries.models.replay import ItemState, ReplayState

LOOKED_BACK_S = 60
SHOWN_FAILURES = 12
JUST_NOW_S = 10  # the throughput that the time left is reckoned by


@dataclass(frozen=True, kw_only=True, slots=True)
class FailedAgain:
    """An item that failed, with its delivery as it stands now."""

    delivery: Delivery
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    replay: Replay
    per_second: Sequence[int]  # settled, over the last minute, the oldest first
    failures: Sequence[FailedAgain]
    skipped: Sequence[tuple[str, int]]  # why, and how many

    @property
    def rate_now(self) -> float:
        """A second, over the last few whole ones."""
        return sum(self.per_second[-JUST_NOW_S:]) / JUST_NOW_S

    @property
    def left_s(self) -> float | None:
        """By what went through just now; None where nothing did, or nothing goes."""
        owed = self.replay.waiting + self.replay.admitted
        if self.replay.state != ReplayState.RUNNING or not self.rate_now:
            return None
        return owed / self.rate_now


def progress(replay: Replay, now: datetime) -> Progress:
    """Four small questions, whatever the number of items."""
    return Progress(
        replay=replay,
        per_second=_per_second(replay.pk, now),
        failures=_failures(replay.pk) if replay.failed else (),
        skipped=_skipped(replay.pk) if replay.skipped else (),
    )


def lanes_of(replay_id: UUID, most: int = 50) -> list[ReplayLane]:
    rows = ReplayLane.objects.filter(replay_id=replay_id).select_related("subscription__lane")
    return list(rows.defer("subscription__headers").order_by("-total", "pk")[:most])


def _per_second(replay_id: UUID, now: datetime) -> list[int]:
    """Of the sixty seconds before the present one, which is not whole yet."""
    ends = now.replace(microsecond=0)
    begins = ends - timedelta(seconds=LOOKED_BACK_S)
    settled = ReplayItem.objects.filter(
        replay_id=replay_id, settled_at__isnull=False, settled_at__gte=begins, settled_at__lt=ends
    )
    seconds = settled.annotate(second=TruncSecond("settled_at")).order_by().values_list("second")
    counts = dict(seconds.annotate(Count("pk")))
    return [counts.get(begins + timedelta(seconds=number), 0) for number in range(LOOKED_BACK_S)]


def _failures(replay_id: UUID) -> list[FailedAgain]:
    items = ReplayItem.objects.filter(replay_id=replay_id, state=ItemState.FAILED)
    latest = list(items.order_by("-settled_at").values_list("delivery_id", "settled_at")[:SHOWN_FAILURES])
    rows = Delivery.objects.select_related("subscription").defer("subscription__headers")
    found = rows.in_bulk([delivery for delivery, _ in latest if delivery])
    return [
        FailedAgain(delivery=found[delivery], at=at) for delivery, at in latest if delivery in found and at
    ]


def _skipped(replay_id: UUID) -> list[tuple[str, int]]:
    items = ReplayItem.objects.filter(replay_id=replay_id, state=ItemState.SKIPPED).order_by()
    return sorted(items.values_list("note").annotate(Count("pk")), key=lambda each: -each[1])
