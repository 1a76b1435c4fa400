"""Where the overview leads: lists of deliveries by what was looked at, and pages of single things. It asks nothing."""

from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.urls import reverse

from deliveries.deciders.delivery_address import to_url
from deliveries.deciders.delivery_query import DeliveryQuery
from deliveries.deciders.list_query import SINCE


class Links:
    """Addresses of deliveries in this window; a span that the list does not know is said by when it began."""

    def __init__(self, span: str, since: datetime) -> None:
        self.list = reverse("admin:deliveries_delivery_changelist")
        self.query = DeliveryQuery(since=span) if span in SINCE else DeliveryQuery(since="all", start=since)

    def here(self, **filters: Any) -> str:
        return self.to(replace(self.query, **filters))

    def ever(self, **filters: Any) -> str:
        return self.to(DeliveryQuery(since="all", **filters))

    def to(self, query: DeliveryQuery) -> str:
        return self.list + to_url(query)


def subscription(key: UUID) -> str:
    return reverse("admin:deliveries_subscription_change", args=[key])
