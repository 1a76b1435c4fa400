"""The outbound side on the console."""

from . import deliveries, events, records, subscribers, subscriptions

__all__ = ["deliveries", "events", "records", "subscribers", "subscriptions"]
