"""Subscribers on the console: renamed here, and shown with what they want and what they send."""

from datetime import UTC, datetime
from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse

from deliveries.deciders.subscription_query import SubscriptionQuery
from deliveries.selectors.patience import TooSlow, patience
from deliveries.selectors.subscription_list import listed
from webhooks import admin as inbound
from webhooks.ids import public_id
from webhooks.models import Source, Subscriber

from .subscription_list import drawn

MOST_SOURCES = 50


@admin.register(Subscriber)
class SubscriberAdmin(inbound.SubscriberAdmin):
    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        return ("name", "wants", "created_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Subscriber]:
        rows: QuerySet[Subscriber] = super().get_queryset(request)
        return rows.annotate(wanted=Count("subscriptions"))

    @admin.display(description="Subscriptions")
    def wants(self, subscriber: Any) -> int:
        return int(subscriber.wanted)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        subscriber = self.get_object(request, object_id)
        more = _belongings(subscriber) if subscriber else {}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **more})


def _belongings(subscriber: Subscriber) -> dict[str, Any]:
    """Its subscriptions, the worst first, and its sources."""
    public = public_id("subscriber", subscriber.pk)
    try:
        with patience():
            found = listed(SubscriptionQuery(subscriber=public), datetime.now(UTC))
    except TooSlow:
        return {"is_slow": True}
    return {
        "title": subscriber.name,
        "subtitle": None,
        "rows": [drawn(row) for row in found.rows],
        "total": found.total,
        "all_address": SubscriptionQuery(subscriber=public).address(),
        "sources": Source.objects.filter(subscriber=subscriber).order_by("name")[:MOST_SOURCES],
    }
