"""Subscriptions on the console: listed, looked at, made and changed. What is done to them has doors of its own."""

from datetime import UTC, datetime
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern

from deliveries.deciders import retry
from deliveries.deciders.delivery_query import DeliveryQuery, Status
from deliveries.deciders.replay_choice import Choice
from deliveries.deciders.subscription_query import read
from deliveries.models import Subscription
from deliveries.selectors.patience import TooSlow, patience
from deliveries.services import subscriptions
from deliveries.services.defaults import circuit_rules_of, disable_after_of, headers_of, schedule_of
from webhooks.history_admin import who

from .endpoint_test import TestingEndpoints
from .lane_acts import ACTS, ON_MANY, ActingOnLanes, offered
from .replay_prepare import prepare_address
from .secret_acts import RotatingSecrets
from .subscription_doors import CHANGE, ROTATE, TEST, page_of
from .subscription_fields import GROUPS
from .subscription_form import SubscriptionForm
from .subscription_list import list_context
from .subscription_page import Wish, page_context


@admin.register(Subscription)
class SubscriptionAdmin(ActingOnLanes, RotatingSecrets, TestingEndpoints):
    form = SubscriptionForm
    list_template = "admin/deliveries/subscription/list.html"
    page_template = "admin/deliveries/subscription/page.html"
    slow_template = "admin/deliveries/subscription/slow.html"
    ids: ClassVar = {"subscription": "pk", "subscriber": "subscriber_id"}
    texts: ClassVar = ("name",)
    readonly_fields = ("header_names", "schedule", "thresholds")

    def get_urls(self) -> list[URLPattern]:
        return [self.door("<path:object_id>/edit/", self.edit_view, "edit"), *super().get_urls()]

    # -- the list, and the page of one -----------------------------------------------------------------

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Not Django's list: that cannot sort by what rollups say."""
        self.must_look(request)
        try:
            with patience():
                shown = list_context(read(request.GET.dict()), datetime.now(UTC))
        except TooSlow:
            return self._too_slow(request, "Subscriptions")
        acts = [ACTS[name] for name in ON_MANY if request.user.has_perm(ACTS[name].permission)]
        context = {"title": "Subscriptions", "acts": acts, "may_add": self.has_add_permission(request)}
        return self.render(request, self.list_template, shown | context)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Looked at here; the form is behind *Edit*."""
        self.must_look(request)
        subscription = self._one(request, object_id)
        try:
            with patience():
                shown = page_context(subscription, Wish.read(request.GET), datetime.now(UTC))
        except TooSlow:
            return self._too_slow(request, subscription.name)
        return self.render(request, self.page_template, shown | self._buttons(request, subscription))

    def _too_slow(self, request: HttpRequest, title: str) -> HttpResponse:
        return self.render(request, self.slow_template, {"title": title}, status=503)

    def _buttons(self, request: HttpRequest, subscription: Subscription) -> dict[str, Any]:
        """Of the acts those that would change something and that this person may do."""
        may = request.user.has_perm
        acts = {name: ACTS[name] for name in offered(subscription.lane) if may(ACTS[name].permission)}
        return {
            "title": subscription.name,
            "acts": acts,
            "may_test": may(TEST),
            "may_rotate": may(ROTATE),
            "may_edit": may(CHANGE),
            "replay_address": _replay_address(subscription) if may("deliveries.bulk_replay") else "",
            "may_see_audit": may("webhooks.view_auditentry"),
        }

    # -- the form --------------------------------------------------------------------------------------

    def edit_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        self.must(request, CHANGE)
        subscription = self._one(request, object_id)
        try:
            return super().change_view(request, str(subscription.pk), extra_context=_only_save(subscription))
        except subscriptions.Refused as refusal:
            # Django's form is saved in a transaction, which this has undone.
            self.message_user(request, str(refusal), messages.WARNING)
            return redirect(page_of(subscription))

    def get_fieldsets(self, request: HttpRequest, obj: Subscription | None = None) -> Any:
        """A secret is given once and rotated elsewhere; what comes of settings is told once there are some."""
        left_out = {"secret", "signing"} if obj else {"header_names", "schedule", "thresholds"}
        return [
            (title, {"fields": [name for name in names if name not in left_out]}) for title, names in GROUPS
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Subscription | None = None) -> tuple[str, ...]:
        fixed = ("subscriber",) if obj else ()
        return (*self.readonly_fields, *fixed)

    def save_model(self, request: HttpRequest, obj: Subscription, form: Any, change: bool) -> None:
        if change:
            subscriptions.update_subscription(
                subscription_id=obj.pk, seen_at=form.cleaned_data["seen_at"], **who(request), **form.options()
            )
            return
        secret = form.cleaned_data["secret"]
        made = subscriptions.create_subscription(
            subscriber=obj.subscriber,
            secret=secret,
            signing=form.cleaned_data["signing"],
            **who(request),
            **form.options(),
        )
        obj.pk = made.subscription.pk
        if made.secret and not secret:
            text = f"Its signing secret is {made.secret} and is not shown again."
            self.message_user(request, text, messages.WARNING)
        if made.public_key:
            text = (
                f"Its public key is {made.public_key}: who holds it can verify, and nobody can sign with it."
            )
            self.message_user(request, text, messages.SUCCESS)

    def response_add(
        self, request: HttpRequest, obj: Subscription, post_url_continue: str | None = None
    ) -> HttpResponse:
        self.message_user(request, f"{obj.name} was added.", messages.SUCCESS)
        return redirect(page_of(obj))

    def response_change(self, request: HttpRequest, obj: Subscription) -> HttpResponse:
        self.message_user(request, f"{obj.name} was changed.", messages.SUCCESS)
        return redirect(page_of(obj))

    @admin.display(description="Present headers")
    def header_names(self, subscription: Subscription) -> str:
        return ", ".join(sorted(headers_of(subscription))) or "-"

    @admin.display(description="What that comes to")
    def schedule(self, subscription: Subscription) -> str:
        return retry.describe(schedule_of(subscription))

    @admin.display(description="What that comes to")
    def thresholds(self, subscription: Subscription) -> str:
        rules, after_s = circuit_rules_of(subscription), disable_after_of(subscription)
        disabled = f"disabled after {after_s / 3_600:.3g} h of failing" if after_s else "never disabled"
        return (
            f"opens when {rules.failure_rate:.0%} of at least {rules.min_volume} attempts"
            f" in {rules.window_s:g} s fail, for {rules.cooldown_s:g} to {rules.cooldown_cap_s:g} s; {disabled}"
        )


def _only_save(subscription: Subscription) -> dict[str, Any]:
    return {
        "title": f"Edit {subscription.name}",
        "subtitle": None,
        "show_save_and_add_another": False,
        "show_save_and_continue": False,
    }


def _replay_address(subscription: Subscription) -> str:
    dead = DeliveryQuery(subscriptions=(subscription.pk,), statuses=(Status.DEAD,), since="all")
    return prepare_address(Choice(query=dead))
