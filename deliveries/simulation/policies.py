"""Names the three ways to treat an endpoint that are compared. It sends nothing."""

from dataclasses import replace
from typing import Literal

from deliveries.deciders.retry import Schedule

from .flood import Habit
from .lane import Pace

Policy = Literal["naive", "backoff", "weir"]

POLICIES: tuple[Policy, ...] = ("naive", "backoff", "weir")
NAIVE = Habit(schedule=Schedule(first_s=5, factor=1, cap_s=5, jitter=0), is_endless=True)


def treatment(policy: Policy, pace: Pace) -> Pace | Habit:
    """`pace` is Weir's; backing off takes its schedule, and neither its circuit, nor its cap, nor its jitter."""
    if policy == "weir":
        return pace
    return NAIVE if policy == "naive" else Habit(schedule=replace(pace.schedule, jitter=0))
