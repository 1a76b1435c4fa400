"""The outbound side on the console."""

from . import audit, cascades, deliveries, events, issues, records, replays, subscribers, subscriptions

__all__ = [
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
