"""Deliveries on the console: listed, looked at and exported. What is done to them is done in `delivery_acts`."""

from datetime import UTC, datetime
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.urls import URLPattern, reverse

from deliveries.deciders.delivery_address import parse, to_params, to_url
from deliveries.deciders.delivery_query import DeliveryQuery
from deliveries.deciders.replay_choice import DISCARD, Choice
from deliveries.models import Delivery
from deliveries.models.replay import Verb
from deliveries.selectors.delivery_pages import count
from deliveries.selectors.patience import TooSlow, patience
from deliveries.services.retrying import retry_now
from webhooks.history_admin import csv_file, fresh, who
from webhooks.ids import public_id
from webhooks.services import audit

from .delivery_acts import ACTS, ActingOnDeliveries, applies
from .delivery_csv import MOST_ROWS, csv_lines
from .delivery_list import PAGE, counts, list_context, newer_rows, subscriptions
from .delivery_page import Wish, page_context
from .replay_prepare import MAY, prepare_address
from .saved_views import KeepingViews, shown_views


@admin.register(Delivery)
class DeliveryAdmin(KeepingViews, ActingOnDeliveries):
    list_select_related = ("subscription",)
    ids: ClassVar = {"delivery": "pk", "event": "event_id", "subscription": "subscription_id"}
    actions = None
    list_template = "admin/deliveries/delivery/list.html"
    page_template = "admin/deliveries/delivery/page.html"
    rows_template = "admin/deliveries/delivery/rows.html"

    def get_urls(self) -> list[URLPattern]:
        return [
            self.door("counts/", self.counts_view, "counts"),
            self.door("newer/", self.newer_view, "newer"),
            self.door("choices/", self.choices_view, "choices"),
            self.door("export/", self.export_view, "export"),
            self.door("act/", self.act_view, "act"),
            self.door("views/save/", self.save_view_view, "save_view"),
            self.door("views/<uuid:view>/remove/", self.remove_view_view, "remove_view"),
            self.door("<path:object_id>/watch/", self.watch_view, "watch"),
            self.door("<path:object_id>/retry/", self.retry_view, "retry"),
            self.door("<path:object_id>/replay/", self.replay_view, "replay"),
            self.door("<path:object_id>/undo/", self.undo_view, "undo"),
            self.door("<path:object_id>/discard/", self.discard_view, "discard"),
            *super().get_urls(),
        ]

    # -- the list --------------------------------------------------------------------------------------

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Not Django's list: that takes our filters for lookups, and counts."""
        self.must_look(request)
        shown = list_context(parse(dict(request.GET.lists())), _now())
        acts = [act for act in ACTS.values() if request.user.has_perm(act.permission)]
        context = {
            "title": "Deliveries",
            "acts": acts,
            "may_replay": ACTS["replay"] in acts,
            "ingest": request.build_absolute_uri("/in/<source>"),
            "views": shown_views(request, shown["query"]),
            **self._everything(request, shown["query"]),
        }
        return self.render(request, self.list_template, shown | context)

    def _everything(self, request: HttpRequest, query: DeliveryQuery) -> dict[str, str]:
        """Where all that matches is prepared, for who may."""
        may_replay, may_discard = (request.user.has_perm(MAY[verb]) for verb in (Verb.REPLAY, Verb.DISCARD))
        return {
            "replay_matching": prepare_address(Choice(query=query)) if may_replay else "",
            "discard_matching": (
                prepare_address(Choice(query=query, verb=DISCARD)) if may_replay and may_discard else ""
            ),
        }

    def counts_view(self, request: HttpRequest) -> JsonResponse:
        self.must_view(request)
        return fresh({"counts": counts(parse(dict(request.GET.lists())).query, _now())})

    def newer_view(self, request: HttpRequest) -> JsonResponse:
        """Rows that came after the one named, as the list draws them."""
        self.must_view(request)
        query = parse(dict(request.GET.lists())).query
        if query.after is None:
            return fresh({"rows": "", "count": 0, "after": ""})
        try:
            with patience():
                rows = newer_rows(query, query.after, _now())
        except TooSlow:
            return JsonResponse({"error": "slow"}, status=503)
        latest = public_id("delivery", rows[0].delivery.pk if rows else query.after)
        acts = [act for act in ACTS.values() if request.user.has_perm(act.permission)]
        context = {"rows": rows, "now": _now(), "acts": acts, "may_replay": ACTS["replay"] in acts}
        drawn = render_to_string(self.rows_template, context)
        return fresh({"rows": drawn, "count": len(rows), "after": latest, "most": PAGE})

    def choices_view(self, request: HttpRequest) -> JsonResponse:
        """Subscriptions to choose from, where they are too many to write into the page."""
        self.must_view(request)
        return fresh({"choices": [[name, public] for _, name, public in subscriptions()]})

    def export_view(self, request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
        """Everything that fits, as it was when asked for; recorded before the first byte."""
        self.must_view(request)
        now = _now()
        query = parse(dict(request.GET.lists())).query.frozen(now)
        try:
            with patience(5):
                number = count(query, now, MOST_ROWS)
        except TooSlow:
            messages.error(request, "That took too long: narrow the time range, then export again.")
            return redirect(reverse("admin:deliveries_delivery_changelist") + to_url(query))
        audit.record(
            **who(request), verb="export", object_kind="delivery", object_id="",
            criteria=to_params(query), count=min(number, MOST_ROWS),
        )  # fmt: skip
        return csv_file("deliveries", csv_lines(query, now), now)

    # -- one delivery ----------------------------------------------------------------------------------

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        self.must_look(request)
        delivery = self._one(request, object_id)
        wish, notices = Wish.read(request.GET)
        may_see = request.user.has_perm("webhooks.view_payload")
        shown = page_context(delivery, wish, _now(), may_see_payload=may_see)
        if may_see and (shown["sent"] or shown["exchange"]):
            audit.record_opening("delivery", delivery.pk, **who(request))
        context = {
            "title": f"{delivery.event_type or delivery.external_id} to {delivery.subscription.name}",
            "acts": [
                act
                for act in ACTS.values()
                if applies(act, delivery) and request.user.has_perm(act.permission)
            ],
        }
        return self.render(
            request, self.page_template, shown | context | {"notices": [*notices, *shown["notices"]]}
        )

    def retry_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """One click: a try that was to come anyway comes now."""
        delivery = self.clicked(request, object_id)
        verdict = retry_now(delivery_id=delivery.pk, **who(request))
        if verdict.is_done:
            self.log_change(request, delivery, "Retried at once.")
        level = messages.SUCCESS if verdict.is_done else messages.WARNING
        self.message_user(request, verdict.sentence, level)
        return redirect(reverse("admin:deliveries_delivery_change", args=[delivery.pk]))

    def watch_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The page again for a script that looks for the next attempt: without payloads, so that no look is one."""
        self.must_view(request)
        delivery = self._one(request, object_id)
        shown = page_context(delivery, Wish(), _now(), may_see_payload=False)
        return self.render(request, self.page_template, shown | {"title": "", "acts": []})


def _now() -> datetime:
    return datetime.now(UTC)
