"""The outbound side on the console."""

from . import deliveries, events, issues, records, subscribers, subscriptions

__all__ = ["deliveries", "events", "issues", "records", "subscribers", "subscriptions"]
