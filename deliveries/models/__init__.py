"""What the outbound side remembers: who wants what, what is owed, every attempt, and what could not be told."""

from .alert import Alert, Notice, Severity
from .alert_channel import AlertChannel, AlertMessage, MessageKind, MessageState
from .alert_rule import AlertRule, Breach, Mute
from .attempt import Attempt, Exchange
from .cascade import Cascade, DoubtedCause, Quarantine
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
from .replay import Replay, ReplayItem, ReplayLane, ReplayPack
from .rollup import DepthSlice, Rollup, RollupFailure, Tally, TypeFailure, TypeRollup
from .saved_view import SavedView
from .subscription import ClientErrors, Format, Ordering, Signing, Subscription, SubscriptionSecret
from .total import CircuitTotal, EventTotal, FailureTotal, SpreadTotal, Total

__all__ = [
    "Alert",
    "AlertChannel",
    "AlertMessage",
    "AlertRule",
    "Attempt",
    "Breach",
    "Cascade",
    "Circuit",
    "CircuitChange",
    "CircuitTotal",
    "ClientErrors",
    "DeadLetter",
    "Delivery",
    "DeliveryBody",
    "DeliveryState",
    "DepthSample",
    "DepthSlice",
    "DoubtedCause",
    "EntityVersion",
    "EventTotal",
    "Exchange",
    "FailureTotal",
    "Format",
    "Hold",
    "Issue",
    "Lane",
    "LaneOrder",
    "MessageKind",
    "MessageState",
    "Mute",
    "Notice",
    "Ordering",
    "Phase",
    "Quarantine",
    "Replay",
    "ReplayItem",
    "ReplayLane",
    "ReplayPack",
    "Rollup",
    "RollupFailure",
    "RouteRevision",
    "SavedView",
    "Seat",
    "Severity",
    "Signing",
    "SpreadTotal",
    "Subscription",
    "SubscriptionSecret",
    "Tally",
    "Total",
    "TypeFailure",
    "TypeRollup",
]
