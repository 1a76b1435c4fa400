"""What the doors of a subscription share: who may come in, which one is meant, and the shell around a page."""

from django.db.models import QuerySet
from django.http import Http404, HttpRequest
from django.urls import reverse

from deliveries.models import Subscription
from webhooks.history_admin import Listing

HOLD, CIRCUIT, TEST, ROTATE, CHANGE = (
    f"deliveries.{name}"
    for name in (
        "hold_subscription", "manage_circuit", "test_subscription", "rotate_secret", "change_subscription",
    )
)  # fmt: skip


class SubscriptionDoors(Listing):
    def _one(self, request: HttpRequest, object_id: str) -> Subscription:
        subscription = self._rows().filter(pk=self.named(object_id)).first()
        if subscription is None:
            raise Http404("There is no such subscription.")
        return subscription

    def _rows(self) -> QuerySet[Subscription]:
        """Without what is sealed: to unseal it is slow, and a lost key must not hide the page."""
        rows = Subscription.objects.select_related("subscriber", "source", "lane")
        return rows.defer("headers")


def page_of(subscription: Subscription) -> str:
    """The address of its page."""
    return reverse("admin:deliveries_subscription_change", args=[subscription.pk])


def list_address() -> str:
    return reverse("admin:deliveries_subscription_changelist")
