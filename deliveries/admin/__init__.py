"""The outbound side on the console."""

from . import audit, deliveries, events, issues, records, subscribers, subscriptions

__all__ = ["audit", "deliveries", "events", "issues", "records", "subscribers", "subscriptions"]
