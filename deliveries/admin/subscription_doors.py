"""What the doors of a subscription share: who may come in, which one is meant, and the shell around a page."""

from collections.abc import Mapping
from typing import Any, Final

from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest
from django.template.response import TemplateResponse
from django.urls import reverse

from deliveries.models import Subscription
from webhooks.history_admin import Listing
from webhooks.ids import parse_id

HOLD, CIRCUIT, TEST, ROTATE, CHANGE = (
    f"deliveries.{name}"
    for name in (
        "hold_subscription", "manage_circuit", "test_subscription", "rotate_secret", "change_subscription",
    )
)  # fmt: skip
LONGEST_REASON: Final = 500


class SubscriptionDoors(Listing):
    def _must(self, request: HttpRequest, permission: str) -> None:
        if not request.user.has_perm(permission):
            raise PermissionDenied

    def _must_view(self, request: HttpRequest) -> None:
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied

    def _one(self, request: HttpRequest, object_id: str) -> Subscription:
        try:
            key = parse_id("subscription", unquote(object_id))
        except ValueError:
            raise Http404("There is no such subscription.") from None
        subscription = self._rows().filter(pk=key).first()
        if subscription is None:
            raise Http404("There is no such subscription.")
        return subscription

    def _rows(self) -> QuerySet[Subscription]:
        """Without what is sealed: to unseal it is slow, and a lost key must not hide the page."""
        rows = Subscription.objects.select_related("subscriber", "source", "lane")
        return rows.defer("headers")

    def _render(
        self, request: HttpRequest, template: str, context: Mapping[str, Any], *, status: int = 200
    ) -> TemplateResponse:
        request.current_app = self.admin_site.name
        shell = {**self.admin_site.each_context(request), "opts": self.opts, "media": self.media}
        answer = TemplateResponse(request, template, {**shell, **context}, status=status)
        answer["Cache-Control"] = "no-store"
        return answer


def page_of(subscription: Subscription) -> str:
    """The address of its page."""
    return reverse("admin:deliveries_subscription_change", args=[subscription.pk])


def list_address() -> str:
    return reverse("admin:deliveries_subscription_changelist")


def reason_in(request: HttpRequest) -> str:
    return request.POST.get("reason", "").strip()[:LONGEST_REASON]
