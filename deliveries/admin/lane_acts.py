"""What a person may see and do about a lane on its subscription's page: hold it, order its circuit, send a test.

Each act is one POST that calls one service and says what came of it; a GET changes nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from deliveries.models import Circuit, CircuitChange, DepthSample, Hold, Lane, Subscription
from deliveries.services import circuits, ping, subscriptions
from deliveries.services.circuits import OrderVerdict
from deliveries.services.defaults import window_of
from webhooks.history_admin import Listing, as_text, who

SHOWN_CHANGES = 10  # of a circuit: about two outages; the rest is in its own list


@dataclass(frozen=True, kw_only=True, slots=True)
class Act:
    label: str
    service: Callable[..., bool | OrderVerdict]
    done: str  # what a log entry says
    permission: str

    def carry_out(self, **asked: Any) -> OrderVerdict:
        came = self.service(**asked)
        if isinstance(came, OrderVerdict):
            return came
        sentence = f"{self.done}." if came else f"It was {self.done.lower()} already."
        return OrderVerdict(is_ordered=came, sentence=sentence)


HOLD, CIRCUIT, TEST = (
    f"deliveries.{name}" for name in ("hold_subscription", "manage_circuit", "test_subscription")
)
ACTS = {
    "pause": Act(label="Pause", service=subscriptions.pause, done="Paused", permission=HOLD),
    "resume": Act(label="Resume", service=subscriptions.resume, done="Resumed", permission=HOLD),
    "disable": Act(label="Disable", service=subscriptions.disable, done="Disabled", permission=HOLD),
    "enable": Act(label="Enable", service=subscriptions.enable, done="Enabled", permission=HOLD),
    "trip": Act(label="Trip circuit", service=circuits.trip, done="Tripped its circuit", permission=CIRCUIT),
    "reset": Act(label="Reset circuit", service=circuits.reset, done="Reset its circuit", permission=CIRCUIT),
    "probe": Act(label="Probe now", service=circuits.probe_now, done="Ordered a probe", permission=CIRCUIT),
}
_OF_HOLD = {
    Hold.NONE: ["pause", "disable"],
    Hold.PAUSED: ["resume", "disable"],
    Hold.DISABLED: ["enable"],
}
_OF_CIRCUIT = {
    Circuit.CLOSED: ["trip"],
    Circuit.OPEN: ["probe", "reset"],
    Circuit.HALF_OPEN: ["trip", "reset"],
    Circuit.RECOVERING: ["trip", "reset"],
}


def offered(lane: Lane) -> list[str]:
    """The acts that would change something, by what the lane is now."""
    ordered = _OF_CIRCUIT[Circuit(lane.circuit)] if lane.hold != Hold.DISABLED else []
    return [*_OF_HOLD[Hold(lane.hold)], *(act for act in ordered if act != "probe" or not lane.hold)]


class LaneActs(Listing):
    """The part of a subscription's page that is about its lane."""

    answer_template = "admin/deliveries/subscription/answer.html"

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<path:object_id>/test/", view(self.test_view), name="deliveries_subscription_test"),
            path("<path:object_id>/do/<slug:name>/", view(self.act_view), name="deliveries_subscription_act"),
            *super().get_urls(),
        ]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        subscription: Subscription | None = kwargs.get("obj")
        if subscription is not None and subscription.pk and hasattr(subscription, "lane"):
            context = {**context, **_panel(subscription, request)}
        return super().render_change_form(request, context, *args, **kwargs)

    def act_view(self, request: HttpRequest, object_id: str, name: str) -> HttpResponse:
        if name not in ACTS:
            raise Http404("There is no such act.")
        act = ACTS[name]
        return self._do(request, object_id, act.permission, partial(self._act, request, act))

    def test_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._do(request, object_id, TEST, partial(self._test, request))

    def _do(
        self,
        request: HttpRequest,
        object_id: str,
        permission: str,
        do: Callable[[Subscription], HttpResponse | None],
    ) -> HttpResponse:
        """Lets in who may, and shows the subscription's page again unless there is another one to show."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not request.user.has_perm(permission):
            raise PermissionDenied
        subscription = self.get_object(request, unquote(object_id))
        if subscription is None:
            raise Http404("There is no such subscription.")
        try:
            shown = do(subscription)
        except (subscriptions.Refused, ping.Busy) as refusal:
            self.message_user(request, str(refusal), messages.WARNING)
            shown = None
        return shown or redirect(reverse("admin:deliveries_subscription_change", args=[subscription.pk]))

    def _act(self, request: HttpRequest, act: Act, subscription: Subscription) -> None:
        verdict = act.carry_out(subscription_id=subscription.pk, reason=_reason(request), **who(request))
        if verdict.is_ordered:
            self.log_change(request, subscription, f"{act.done}.")
        level = messages.SUCCESS if verdict.is_ordered else messages.INFO
        self.message_user(request, verdict.sentence, level)

    def _test(self, request: HttpRequest, subscription: Subscription) -> HttpResponse:
        answer = ping.ping_endpoint(subscription_id=subscription.pk, reason=_reason(request), **who(request))
        self.log_change(request, subscription, f"Sent a test: {answer.outcome}.")
        context = {
            **self.admin_site.each_context(request),
            "title": f"Test of {subscription}",
            "opts": self.opts,
            "original": subscription,
            "answer": answer,
            "body": as_text(answer.response_body),
            "sent": as_text(answer.request_body),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, self.answer_template, context)


def _panel(subscription: Subscription, request: HttpRequest) -> dict[str, Any]:
    """What there is to see, and of the acts those that would change something and that this person may do."""
    lane, may = subscription.lane, request.user.has_perm
    return {
        "lane": lane,
        "window_now": circuits.window_now(lane, cap=window_of(subscription)),
        "window_cap": window_of(subscription),
        "waiting_order": circuits.waiting_order(lane),
        "depth": DepthSample.objects.filter(pk=lane.pk).first(),
        "circuit_changes": _last_changes(lane.pk),
        "acts": [(name, ACTS[name]) for name in offered(lane) if may(ACTS[name].permission)],
        "may_test": may(TEST),
    }


def _last_changes(lane: UUID) -> list[CircuitChange]:
    return list(CircuitChange.objects.filter(subscription_id=lane).order_by("-id")[:SHOWN_CHANGES])


def _reason(request: HttpRequest) -> str:
    return request.POST.get("reason", "").strip()[:500]
