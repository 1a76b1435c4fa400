"""What the outbound side remembers: who wants what, what is owed, every attempt, and what could not be told."""

from .alert import Alert, Notice
from .attempt import Attempt, Exchange
from .cascade import Cascade
from .dead_letter import DeadLetter, Issue
from .delivery import Delivery, DeliveryBody, DeliveryState, Phase
from .lane import (
    Circuit,
    CircuitChange,
    DepthSample,
    EntityVersion,
    Hold,
    Lane,
    LaneOrder,
    RouteRevision,
    Seat,
)
from .replay import Replay, ReplayItem, ReplayLane
from .rollup import DepthSlice, Rollup, RollupFailure, Tally
from .saved_view import SavedView
from .subscription import ClientErrors, Format, Ordering, Signing, Subscription, SubscriptionSecret

__all__ = [
    "Alert",
    "Attempt",
    "Cascade",
    "Circuit",
    "CircuitChange",
    "ClientErrors",
    "DeadLetter",
    "Delivery",
    "DeliveryBody",
    "DeliveryState",
    "DepthSample",
    "DepthSlice",
    "EntityVersion",
    "Exchange",
    "Format",
    "Hold",
    "Issue",
    "Lane",
    "LaneOrder",
    "Notice",
    "Ordering",
    "Phase",
    "Replay",
    "ReplayItem",
    "ReplayLane",
    "Rollup",
    "RollupFailure",
    "RouteRevision",
    "SavedView",
    "Seat",
    "Signing",
    "Subscription",
    "SubscriptionSecret",
    "Tally",
]
