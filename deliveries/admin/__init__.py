"""The outbound side on the console."""

from . import (
    alert_channels,
    alert_rules,
    alerts,
    audit,
    cascades,
    deliveries,
    events,
    issues,
    records,
    replays,
    subscribers,
    subscriptions,
)

__all__ = [
    "alert_channels",
    "alert_rules",
    "alerts",
    "audit",
    "cascades",
    "deliveries",
    "events",
    "issues",
    "records",
    "replays",
    "subscribers",
    "subscriptions",
]
