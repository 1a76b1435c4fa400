"""Subscriptions on the console: made, changed, held and let go, each through its service."""

import json
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar, cast, get_type_hints

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from deliveries.deciders import retry
from deliveries.models import Subscription, SubscriptionSecret
from deliveries.services import subscription_rules, subscriptions
from deliveries.services.defaults import headers_of, schedule_of
from webhooks.history_admin import Listing, ModelForm, Rows, who

T = TypeVar("T")

OPTIONS = tuple(get_type_hints(subscriptions.Options))


class Lines(forms.CharField):
    """A list of texts, one on each line."""

    widget = forms.Textarea(attrs={"rows": 3})

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        if isinstance(value, list):
            return value
        return [line.strip() for line in str(value or "").splitlines() if line.strip()]

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(self.to_python(initial) != self.to_python(data))


class SubscriptionForm(ModelForm):
    """Secrets go in and are not shown again."""

    event_types = Lines(help_text='One pattern on each line, such as "user.*"; "*" is every event.')
    headers = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="A JSON object of extra headers. Empty keeps the present ones, {} drops them.",
    )
    secret = forms.CharField(
        required=False,
        label="New signing secret",
        help_text="Empty: a new subscription gets one. A new one signs beside the others, which last a day.",
    )

    class Meta:
        model = Subscription
        fields = ("subscriber", *OPTIONS)
        field_classes: ClassVar = {"event_types": Lines}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["headers"] = ""

    def clean_headers(self) -> str:
        text: str = self.cleaned_data["headers"].strip()
        if not text:
            return str(self.instance.headers)
        return _spoken(lambda: json.dumps(subscription_rules.parse_headers(text)))

    def clean_secret(self) -> str:
        secret: str = self.cleaned_data["secret"]
        if secret:
            _spoken(lambda: subscription_rules.check_secret(secret))
        return secret

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        if self.errors:
            return
        try:
            subscription_rules.check(self.instance)
        except ValidationError as error:
            self.add_error(None, error)

    def options(self) -> subscriptions.Options:
        """What the form says, as the services take it."""
        given = {name: self.cleaned_data[name] for name in OPTIONS if name in self.cleaned_data}
        return cast(subscriptions.Options, given | {"headers": json.loads(given["headers"] or "{}")})


class SecretRows(Rows):
    model = SubscriptionSecret
    fields = readonly_fields = ("hint", "created_at", "expires_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[SubscriptionSecret]:
        return super().get_queryset(request).defer("sealed")


@admin.register(Subscription)
class SubscriptionAdmin(Listing):
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
        (None, {"fields": ("subscriber", "name", "url", "source", "event_types", "state", "deliveries")}),
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
        ("How fast", {"fields": ("timeout_s", "window")}),
    )
    readonly_fields = ("state", "deliveries", "header_names", "schedule")

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

    @admin.display(description="Lane")
    def hold(self, subscription: Subscription) -> str:
        return str(subscription.lane.get_hold_display())

    @admin.display(description="Circuit")
    def circuit(self, subscription: Subscription) -> str:
        return str(subscription.lane.get_circuit_display())

    def state(self, subscription: Subscription) -> str:
        if not hasattr(subscription, "lane"):
            return "-"
        lane = subscription.lane
        return ", ".join(
            filter(None, [lane.get_hold_display(), lane.hold_reason, lane.get_circuit_display()])
        )

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

    @admin.action(description="Pause selected subscriptions", permissions=["change"])
    def pause(self, request: HttpRequest, queryset: QuerySet[Subscription]) -> None:
        self._move(request, queryset, subscriptions.pause, "Paused")

    @admin.action(description="Resume selected subscriptions", permissions=["change"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Subscription]) -> None:
        self._move(request, queryset, subscriptions.resume, "Resumed")

    @admin.action(description="Disable selected subscriptions", permissions=["change"])
    def disable(self, request: HttpRequest, queryset: QuerySet[Subscription]) -> None:
        self._move(request, queryset, subscriptions.disable, "Disabled")

    @admin.action(description="Enable selected subscriptions", permissions=["change"])
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


def _spoken(check: Callable[[], T]) -> T:
    """A rule's ValueError, as a form says it."""
    try:
        return check()
    except ValueError as error:
        raise ValidationError(str(error)) from None
