"""Events on the console: listed, looked at, routed again, cancelled. Whether something arrived is answered here."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, ClassVar, Final

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.urls import URLPattern, reverse

from deliveries.deciders.event_query import parse_events
from deliveries.models import Subscription
from deliveries.selectors.patience import TooSlow, patience
from deliveries.services.fan_out import FanOutVerdict, missing_of, route_again
from webhooks.history_admin import History, fresh, reason_in, who
from webhooks.ids import public_id
from webhooks.models import Event, Source
from webhooks.services import audit, scheduled
from webhooks.services.scheduled import CancelVerdict

from .delivery_list import PAGE
from .event_list import counts, list_context, newer_rows
from .event_page import Wish, page_context
from .quarantine_acts import DISCARD, MAY_LET_GO, RELEASE, LetGo, LettingGo

MAY_CANCEL: Final = "webhooks.cancel_event"
MOST_NAMED = 50  # subscriptions that would be given it, named before it is ordered


@admin.register(Event)
class EventAdmin(LettingGo, History):
    ids: ClassVar = {"event": "pk"}
    texts: ClassVar = ("external_id",)
    actions = None

    def get_urls(self) -> list[URLPattern]:
        return [
            self.door("counts/", self.counts_view, "counts"),
            self.door("newer/", self.newer_view, "newer"),
            self.door("<path:object_id>/route/", self.route_view, "route"),
            self.door("<path:object_id>/release/", self.release_view, "release"),
            self.door("<path:object_id>/discard/", self.discard_view, "discard"),
            self.door("<path:object_id>/cancel/", self.cancel_view, "cancel"),
            *super().get_urls(),
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Not Django's list: that takes our filters for lookups, and counts."""
        self.must_look(request)
        context = {
            "title": "Events",
            "has_sources": Source.objects.exists(),
            "ingest": request.build_absolute_uri("/in/"),
            "may_see_refusals": request.user.has_perm("webhooks.view_refusal"),
        }
        shown = list_context(parse_events(dict(request.GET.lists())), _now())
        return self.render(request, "admin/webhooks/event/list.html", shown | context)

    def counts_view(self, request: HttpRequest) -> JsonResponse:
        self.must_view(request)
        return fresh({"counts": counts(parse_events(dict(request.GET.lists())).query, _now())})

    def newer_view(self, request: HttpRequest) -> JsonResponse:
        """Rows that came after the one named, as the list draws them."""
        self.must_view(request)
        query = parse_events(dict(request.GET.lists())).query
        if query.after is None:
            return fresh({"rows": "", "count": 0, "after": ""})
        try:
            with patience():
                rows = newer_rows(query, query.after, _now())
        except TooSlow:
            return JsonResponse({"error": "slow"}, status=503)
        latest = public_id("event", rows[0].event.pk if rows else query.after)
        drawn = render_to_string("admin/webhooks/event/rows.html", {"rows": rows, "now": _now()})
        return fresh({"rows": drawn, "count": len(rows), "after": latest, "most": PAGE})

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        self.must_look(request)
        event = self._one(object_id)
        wish, notices = Wish.read(request.GET)
        may_see = request.user.has_perm("webhooks.view_payload")
        shown = page_context(event, wish, _now(), may_see_payload=may_see)
        if may_see and shown["has_content"]:
            audit.record_opening("event", event.pk, **who(request))
        context = {
            "title": event.event_type or event.external_id,
            "notices": notices,
            "may_route_again": self._may_route(request) and event.state in ("routed", "unmatched"),
            "may_replay_many": request.user.has_perm("deliveries.bulk_replay"),
            "may_let_go": event.state == "quarantined" and request.user.has_perm(MAY_LET_GO),
            "may_cancel": event.state == "scheduled" and request.user.has_perm(MAY_CANCEL),
        }
        return self.render(request, "admin/webhooks/event/page.html", shown | context)

    def route_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Says who would be given it, then does it."""
        if not self._may_route(request):
            raise PermissionDenied
        event = self._one(object_id)
        there = reverse("admin:webhooks_event_change", args=[event.pk])
        if self._is_done(request, event, route_again, "Routed again."):
            return redirect(there)
        return self._ask(request, event, there)

    def release_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._let_one_go(request, object_id, RELEASE)

    def discard_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._let_one_go(request, object_id, DISCARD)

    def cancel_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Asks for a reason, then does it, whatever the page that led here had shown."""
        self.must(request, MAY_CANCEL)
        event = self._one(object_id)
        there = reverse("admin:webhooks_event_change", args=[event.pk])
        if self._is_done(request, event, scheduled.cancel, "Cancelled."):
            return redirect(there)
        context = {"title": "Cancel this event?", "event": event, "back": there, "now": _now()}
        return self.render(request, "admin/webhooks/event/cancel.html", context)

    def _is_done(
        self, request: HttpRequest, event: Event, act: Callable[..., FanOutVerdict | CancelVerdict], told: str
    ) -> bool:
        """Whether it was asked for, with a reason, and so has an answer, which the person is told."""
        if request.method != "POST":
            return False
        reason = reason_in(request)
        if not reason:
            self.message_user(request, "Say why: a reason is needed.", messages.ERROR)
            return False
        verdict = act(event_id=event.pk, reason=reason, **who(request))
        if verdict.is_done:
            self.log_change(request, event, told)
        level = messages.SUCCESS if verdict.is_done else messages.WARNING
        self.message_user(request, verdict.sentence, level)
        return True

    def _let_one_go(self, request: HttpRequest, object_id: str, act: LetGo) -> HttpResponse:
        self.must(request, MAY_LET_GO)
        event = self._one(object_id)
        there = reverse("admin:webhooks_event_change", args=[event.pk])
        return self.let_go(request, act, event, named="this event", count=1, back=there)

    def _ask(self, request: HttpRequest, event: Event, back: str) -> HttpResponse:
        missing = missing_of(event.pk)
        named = Subscription.objects.filter(pk__in=(missing or [])[:MOST_NAMED]).order_by("name")
        context = {
            "title": "Route this event again?",
            "event": event,
            "is_gone": missing is None,
            "count": len(missing or []),
            "named": list(named.values_list("pk", "name")),
            "back": back,
        }
        return self.render(request, "admin/webhooks/event/route.html", context)

    def _may_route(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request) and request.user.has_perm("webhooks.route_event_again")

    def _one(self, object_id: str) -> Event:
        event = Event.objects.select_related("source", "target").filter(pk=self.named(object_id)).first()
        if event is None:
            raise Http404("There is no such event.")
        return event


def _now() -> datetime:
    return datetime.now(UTC)
