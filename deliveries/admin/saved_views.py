"""Saved views on the deliveries page: kept under a name, chosen, and removed by whom they belong to."""

from dataclasses import dataclass
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse

from deliveries.deciders.delivery_address import parse, to_url
from deliveries.deciders.delivery_query import DeliveryQuery
from deliveries.selectors.saved_views import views_for
from deliveries.services.saved_views import Refused, remove_view, save_view
from webhooks.history_admin import History, who


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownView:
    id: UUID
    name: str
    address: str
    owner: str
    is_mine: bool
    is_chosen: bool


def shown_views(request: HttpRequest, query: DeliveryQuery) -> list[ShownView]:
    """Each leads to its filters as they mean today: `last 24 hours` is the last 24 hours then."""
    chosen, shown = to_url(query.first_page()), []
    for view in views_for(request.user):
        address = to_url(parse(view.params).query)
        shown.append(
            ShownView(
                id=view.pk,
                name=view.name,
                address=address,
                owner=view.owner.get_username(),
                is_mine=view.owner_id == request.user.pk,
                is_chosen=address == chosen,
            )
        )
    return shown


class KeepingViews(History):
    """The two doors at which views are kept and removed; whoever may see deliveries may do both."""

    def save_view_view(self, request: HttpRequest) -> HttpResponse:
        query = self._of(request)
        try:
            made = save_view(
                owner=who(request)["user"],
                name=request.POST.get("name", ""),
                query=query,
                is_shared=request.POST.get("shared") == "yes",
            )
            self.message_user(request, f"Saved these filters as “{made.name}”.", messages.SUCCESS)
        except Refused as refusal:
            self.message_user(request, str(refusal), messages.ERROR)
        return redirect(reverse("admin:deliveries_delivery_changelist") + to_url(query))

    def remove_view_view(self, request: HttpRequest, view: UUID) -> HttpResponse:
        query = self._of(request)
        if not remove_view(owner=who(request)["user"], view_id=view):
            self.message_user(request, "There is no such view of yours.", messages.WARNING)
        return redirect(reverse("admin:deliveries_delivery_changelist") + to_url(query))

    def _of(self, request: HttpRequest) -> DeliveryQuery:
        """The filters of the page that the form was sent from."""
        if request.method != "POST" or not self.has_view_permission(request):
            raise PermissionDenied
        return parse(dict(QueryDict(request.POST.get("kept", "")[:4_000]).lists())).query
