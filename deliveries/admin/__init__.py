"""The outbound side on the console."""

from . import deliveries, events, records, subscriptions

__all__ = ["deliveries", "events", "records", "subscriptions"]
