"""Subscriptions on the console: made, changed, held and let go, each through its service."""

from collections.abc import Callable
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from deliveries.deciders import retry
from deliveries.models import Subscription, SubscriptionSecret
from deliveries.services import subscriptions
from deliveries.services.defaults import circuit_rules_of, disable_after_of, headers_of, schedule_of
from webhooks.history_admin import Rows, who

from .lane_acts import HOLD, LaneActs
from .subscription_form import OPTIONS, SubscriptionForm


class SecretRows(Rows):
    model = SubscriptionSecret
    fields = readonly_fields = ("hint", "created_at", "expires_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[SubscriptionSecret]:
        return super().get_queryset(request).defer("sealed")


@admin.register(Subscription)
class SubscriptionAdmin(LaneActs):
    form = SubscriptionForm
    list_display = ("name", "subscriber", "url", "source", "hold", "circuit", "created_at")
    list_filter = ("lane__hold", "lane__circuit")
    list_select_related = ("subscriber", "source", "lane")
    ids: ClassVar = {"subscription": "pk", "subscriber": "subscriber_id"}
    texts: ClassVar = ("name",)
    search_help_text = "A subscription's or subscriber's id, or its whole name."
    inlines = (SecretRows,)
    actions = ("pause", "resume", "disable", "enable")
    fieldsets = (
        (None, {"fields": ("subscriber", "name", "url", "source", "event_types", "deliveries")}),
        ("What is sent", {"fields": ("filter", "transform", "headers", "header_names", "secret")}),
        (
            "When it is tried again; empty means the hub's default",
            {
                "fields": (
                    "schedule",
                    *(name for name in OPTIONS if name.startswith("retry_")),
                    "client_errors",
                )
            },
        ),
        ("How fast", {"fields": ("timeout_s", "window", "rate_per_s", "ordering", "latest_only")}),
        (
            "When it is left alone; empty means the hub's default",
            {
                "fields": (
                    "thresholds",
                    *(name for name in OPTIONS if name.startswith("circuit_")),
                    "disable_after_s",
                )
            },
        ),
    )
    readonly_fields = ("deliveries", "header_names", "schedule", "thresholds")

    def get_readonly_fields(self, request: HttpRequest, obj: Subscription | None = None) -> tuple[str, ...]:
        fixed = ("subscriber",) if obj else ()
        return (*self.readonly_fields, *fixed)

    def save_model(self, request: HttpRequest, obj: Subscription, form: Any, change: bool) -> None:
        secret = form.cleaned_data["secret"]
        if change:
            subscriptions.update_subscription(subscription_id=obj.pk, **who(request), **form.options())
            if secret:
                subscriptions.rotate_secret(subscription_id=obj.pk, secret=secret, **who(request))
            return
        made = subscriptions.create_subscription(
            subscriber=obj.subscriber, secret=secret, **who(request), **form.options()
        )
        obj.pk = made.subscription.pk
        if not secret:
            text = f"Its signing secret is {made.secret} and is not shown again."
            self.message_user(request, text, messages.WARNING)

    def has_hold_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(HOLD)

    @admin.display(description="Lane")
    def hold(self, subscription: Subscription) -> str:
        return str(subscription.lane.get_hold_display())

    @admin.display(description="Circuit")
    def circuit(self, subscription: Subscription) -> str:
        return str(subscription.lane.get_circuit_display())

    def deliveries(self, subscription: Subscription) -> SafeString | str:
        if not hasattr(subscription, "lane"):
            return "-"
        address = reverse("admin:deliveries_delivery_changelist")
        return format_html('<a href="{}?subscription__id__exact={}">List</a>', address, subscription.pk)

    @admin.display(description="Present headers")
    def header_names(self, subscription: Subscription) -> str:
        return ", ".join(sorted(headers_of(subscription))) or "-"

    def schedule(self, subscription: Subscription) -> str:
        return retry.describe(schedule_of(subscription))

    def thresholds(self, subscription: Subscription) -> str:
        rules, after_s = circuit_rules_of(subscription), disable_after_of(subscription)
        disabled = f"disabled after {after_s / 3_600:.3g} h of failing" if after_s else "never disabled"
        return (
            f"opens when {rules.failure_rate:.0%} of at least {rules.min_volume} attempts"
            f" in {rules.window_s:g} s fail, for {rules.cooldown_s:g} to {rules.cooldown_cap_s:g} s; {disabled}"
        )

    @admin.action(description="Pause selected subscriptions", permissions=["hold"])
    def pause(self, request: HttpRequest, queryset: QuerySet[Subscription]) -> None:
        self._move(request, queryset, subscriptions.pause, "Paused")

    @admin.action(description="Resume selected subscriptions", permissions=["hold"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Subscription]) -> None:
        self._move(request, queryset, subscriptions.resume, "Resumed")

    @admin.action(description="Disable selected subscriptions", permissions=["hold"])
    def disable(self, request: HttpRequest, queryset: QuerySet[Subscription]) -> None:
        self._move(request, queryset, subscriptions.disable, "Disabled")

    @admin.action(description="Enable selected subscriptions", permissions=["hold"])
    def enable(self, request: HttpRequest, queryset: QuerySet[Subscription]) -> None:
        self._move(request, queryset, subscriptions.enable, "Enabled")

    def _move(
        self, request: HttpRequest, queryset: QuerySet[Subscription], service: Callable[..., bool], done: str
    ) -> None:
        moved = 0
        for subscription in queryset:
            try:
                changed = service(subscription_id=subscription.pk, **who(request))
            except subscriptions.Refused as refusal:
                self.message_user(request, f"{subscription.name}: {refusal}", messages.WARNING)
                continue
            if changed:
                self.log_change(request, subscription, f"{done}.")
                moved += 1
        self.message_user(request, f"{done} {moved}.", messages.SUCCESS)
