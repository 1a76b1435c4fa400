"""Deliveries on the console: looked at, and replayed after asking. The service decides whether one may be."""

from collections.abc import Iterable
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString

from deliveries.models import Attempt, Delivery
from deliveries.services.replay import ReplayVerdict, replay_delivery
from webhooks.history_admin import History, Rows, as_text, who
from webhooks.models import Event

AT_ONCE = 100  # deliveries replayed from a list; more are a bulk replay, which is previewed and paced
SAME_EXTERNAL_ID = 100  # events that share a sender's id over all sources; more than ever seen


class AttemptRows(Rows):
    model = Attempt
    ordering = ("number",)
    fields = readonly_fields = (
        "number", "phase", "started_at", "duration_ms", "outcome", "status", "error", "response",
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Attempt]:
        return super().get_queryset(request).select_related("exchange")

    @admin.display(description="Response")
    def response(self, attempt: Attempt) -> SafeString | str:
        return (
            as_text(attempt.exchange.response_body)
            if hasattr(attempt, "exchange")
            else "dropped by retention"
        )


@admin.register(Delivery)
class DeliveryAdmin(History):
    list_display = (
        "event_type", "external_id", "subscription", "state", "attempts", "last_outcome", "last_status",
        "due_at", "created_at",
    )  # fmt: skip
    list_filter = ("state", "phase", "source")
    list_select_related = ("subscription",)
    ids: ClassVar = {"delivery": "pk", "event": "event_id", "subscription": "subscription_id"}
    search_help_text = "A delivery's, event's or subscription's id, or the sender's id; exactly."
    inlines = (AttemptRows,)
    actions = ("replay_selected",)
    change_form_template = "admin/deliveries/delivery/change_form.html"
    replay_template = "admin/deliveries/delivery/replay.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delivery]:
        # Its headers are sealed, and unsealing them for every row of a list is slow and for nothing.
        return super().get_queryset(request).defer("subscription__headers")

    def found_by(self, term: str) -> Q:
        """The sender's id has its index among the events."""
        events = Event.objects.filter(external_id=term).values_list("pk", flat=True)[:SAME_EXTERNAL_ID]
        return super().found_by(term) | Q(event_id__in=list(events))

    def has_replay_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("deliveries.replay_delivery")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.replay_view)
        return [
            path("<path:object_id>/replay/", view, name="deliveries_delivery_replay"),
            *super().get_urls(),
        ]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        context = {"may_replay": self.has_replay_permission(request), **(extra_context or {})}
        return super().change_view(request, object_id, form_url, context)

    def replay_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Asks, then replays one."""
        if not self.has_replay_permission(request):
            raise PermissionDenied
        delivery = self.get_object(request, unquote(object_id))
        if delivery is None:
            raise Http404("There is no such delivery.")
        if request.method != "POST":
            return self._ask(request, [delivery])
        self._tell(request, self._replay(request, [delivery]))
        return redirect(reverse("admin:deliveries_delivery_change", args=[delivery.pk]))

    @admin.action(description="Replay selected deliveries", permissions=["replay"])
    def replay_selected(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> HttpResponse | None:
        """Asks, then replays those that were ticked."""
        chosen = list(queryset.select_related("subscription__lane")[: AT_ONCE + 1])
        if len(chosen) > AT_ONCE:
            self.message_user(request, f"Choose at most {AT_ONCE} deliveries at once.", messages.ERROR)
            return None
        if not request.POST.get("post"):
            return self._ask(request, chosen, action_checkbox_name=ACTION_CHECKBOX_NAME)
        self._tell(request, self._replay(request, chosen))
        return None

    def _ask(self, request: HttpRequest, deliveries: list[Delivery], **extra: str) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": f"Replay {len(deliveries)} deliver{'y' if len(deliveries) == 1 else 'ies'}?",
            "opts": self.opts,
            "media": self.media,
            "deliveries": deliveries,
            **extra,
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, self.replay_template, context)

    def _replay(self, request: HttpRequest, deliveries: Iterable[Delivery]) -> list[ReplayVerdict]:
        verdicts = []
        for delivery in deliveries:
            verdict = replay_delivery(
                delivery_id=delivery.pk,
                **who(request),
                reason=request.POST.get("reason", "")[:500],
            )
            if verdict.is_done:
                self.log_change(request, delivery, "Replayed.")
            verdicts.append(verdict)
        return verdicts

    def _tell(self, request: HttpRequest, verdicts: list[ReplayVerdict]) -> None:
        done = sum(verdict.is_done for verdict in verdicts)
        if done:
            self.message_user(
                request, f"Replayed {done}. {_sentences(verdicts, is_done=True)}", messages.SUCCESS
            )
        if done < len(verdicts):
            left_out = f"Left out {len(verdicts) - done}. {_sentences(verdicts, is_done=False)}"
            self.message_user(request, left_out, messages.WARNING)


def _sentences(verdicts: Iterable[ReplayVerdict], *, is_done: bool) -> str:
    """Each once, in the order they were met."""
    return " ".join(dict.fromkeys(verdict.sentence for verdict in verdicts if verdict.is_done is is_done))
