"""What may be asked of a replay, what is answered, and what its owners must be told. It starts and turns none."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from django.db.models import F

from deliveries.models import Lane, ReplayLane
from deliveries.models.replay import ReplayState

from .lanes import wake_sleeping

HIGHEST_RATE_PER_S = 10_000.0
UNDER_WAY = (ReplayState.RUNNING, ReplayState.PAUSED, ReplayState.STOPPED)


class Answer(StrEnum):
    DONE = "done"
    RUNNING = "running"  # the same person asked the same, and that is not over
    CHANGED = "count-changed"  # another number than the one that was seen
    NOTHING = "nothing"
    REFUSED = "refused"  # by what was asked: its rate, its size, its reason
    LATE = "late"  # somebody else was first, or it is over


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    answer: Answer
    sentence: str
    replay_id: UUID | None = None

    @property
    def is_done(self) -> bool:
        return self.answer is Answer.DONE


def limit_of(replay_id: UUID) -> float | None:
    """The lowest rate that one of its subscriptions allows."""
    limits = ReplayLane.objects.filter(replay_id=replay_id).values_list("subscription__rate_per_s", flat=True)
    return min((limit for limit in limits if limit is not None), default=None)


def rate_bounds() -> str:
    return f"A rate is more than 0 and at most {HIGHEST_RATE_PER_S:,.0f} a second."


def above(limit: float | None) -> str:
    return f"Above {limit:g} a second, which a subscription allows, only a lead may go."


def stir(replay_id: UUID, now: datetime) -> None:
    """Has the owners of its lanes read their orders again, and wakes the lanes that sleep."""
    parts = ReplayLane.objects.filter(replay_id=replay_id, is_done=False)
    lanes = list(parts.order_by("subscription_id").values_list("subscription_id", flat=True))
    # Locked in id order first, as everybody locks them.
    list(Lane.objects.select_for_update(no_key=True).filter(pk__in=lanes).order_by("pk").values_list("pk"))
    Lane.objects.filter(pk__in=lanes).update(revision=F("revision") + 1)
    wake_sleeping(lanes, now)
