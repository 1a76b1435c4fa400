"""The rest of the outbound history on the console: attempts, dead letters, lanes, notices; all read-only."""

from typing import ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from deliveries.models import (
    Attempt,
    CircuitChange,
    DeadLetter,
    DeliveryBody,
    DepthSample,
    DepthSlice,
    EntityVersion,
    Exchange,
    Lane,
    Notice,
    ReplayItem,
    ReplayLane,
    Rollup,
    RollupFailure,
    RouteRevision,
    SavedView,
    Seat,
    SubscriptionSecret,
    Tally,
)
from webhooks.history_admin import History, as_text


@admin.register(Attempt)
class AttemptAdmin(History):
    list_display = (
        "delivery_id",
        "number",
        "phase",
        "started_at",
        "duration_ms",
        "outcome",
        "status",
        "error",
    )
    ids: ClassVar = {"attempt": "pk", "delivery": "delivery_id"}
    search_help_text = "An attempt's or a delivery's id."


@admin.register(Exchange)
class ExchangeAdmin(History):
    list_display = ("attempt_id", "url", "is_truncated")
    ids: ClassVar = {"attempt": "pk"}
    readonly_fields = ("response",)
    payloads = ("response", "request_headers", "response_headers")
    opens = ("delivery", "attempt__delivery_id")

    def response(self, exchange: Exchange) -> SafeString:
        return as_text(exchange.response_body)


@admin.register(DeliveryBody)
class DeliveryBodyAdmin(History):
    list_display = ("delivery_id",)
    ids: ClassVar = {"delivery": "pk"}
    readonly_fields = ("text",)
    payloads = ("text",)
    opens = ("delivery", "pk")

    def text(self, rendered: DeliveryBody) -> SafeString:
        return as_text(rendered.body)


@admin.register(DeadLetter)
class DeadLetterAdmin(History):
    list_display = ("reason", "delivery", "subscription", "died_at", "resolved_at", "resolution")
    list_filter = (
        ("resolved_at", admin.EmptyFieldListFilter),
    )  # its resolutions would be looked for in every row
    list_select_related = ("delivery", "subscription")
    ids: ClassVar = {"deadletter": "pk", "delivery": "delivery_id"}
    search_help_text = "A dead letter's or a delivery's id."


@admin.register(Lane)
class LaneAdmin(History):
    list_display = ("subscription", "hold", "circuit", "next_due_at", "not_before", "seat")
    list_filter = ("hold", "circuit")
    list_select_related = ("subscription", "seat")
    ids: ClassVar = {"subscription": "pk"}


@admin.register(CircuitChange)
class CircuitChangeAdmin(History):
    list_display = ("at", "subscription", "before", "after", "why", "attempt_id")
    list_filter = ("after",)
    list_select_related = ("subscription",)
    ids: ClassVar = {"subscription": "subscription_id"}

    def get_queryset(self, request: HttpRequest) -> QuerySet[CircuitChange]:
        # Its subscription's headers are sealed, and unsealing them for every row of a list is for nothing.
        return super().get_queryset(request).defer("subscription__headers")


@admin.register(EntityVersion)
class EntityVersionAdmin(History):
    list_display = ("subscription", "entity", "version", "seen_at")
    list_select_related = ("subscription",)
    ids: ClassVar = {"subscription": "subscription_id"}

    def get_queryset(self, request: HttpRequest) -> QuerySet[EntityVersion]:
        return super().get_queryset(request).defer("subscription__headers")


@admin.register(Seat)
class SeatAdmin(History):
    list_display = ("number", "epoch", "leased_until", "is_draining", "host", "pid", "seen_at")


@admin.register(DepthSample)
class DepthSampleAdmin(History):
    list_display = ("subscription", "pending", "due", "oldest_due_at", "retrying", "dead", "sampled_at")
    list_select_related = ("subscription",)
    ids: ClassVar = {"subscription": "pk"}


@admin.register(DepthSlice)
class DepthSliceAdmin(History):
    list_display = ("starts_at", "width_s", "due", "retrying", "held")
    list_filter = ("width_s",)


@admin.register(Notice)
class NoticeAdmin(History):
    list_display = ("text", "kind", "object_kind", "object_id", "created_at")
    list_filter = ("kind",)
    ids: ClassVar = {"notice": "pk"}


@admin.register(ReplayItem)
class ReplayItemAdmin(History):
    list_display = ("replay_id", "event_id", "subscription_id", "delivery_id", "state", "note", "settled_at")
    ids: ClassVar = {"replay": "replay_id"}


@admin.register(ReplayLane)
class ReplayLaneAdmin(History):
    list_display = ("replay_id", "subscription_id", "total", "read_to", "is_proved", "is_done")
    ids: ClassVar = {"replay": "replay_id", "subscription": "subscription_id"}


@admin.register(Rollup)
class RollupAdmin(History):
    list_display = (
        "starts_at", "width_s", "subscription_id", "attempts", "delivered_first", "delivered_retry", "retried", "dead",
    )  # fmt: skip
    list_filter = ("width_s",)


@admin.register(RollupFailure)
class RollupFailureAdmin(History):
    list_display = ("starts_at", "width_s", "subscription_id", "outcome", "status", "failures")
    list_filter = ("width_s",)


@admin.register(Tally)
class TallyAdmin(History):
    list_display = ("id", "settled_at", "length")


@admin.register(RouteRevision)
class RouteRevisionAdmin(History):
    list_display = ("id", "revision")


@admin.register(SavedView)
class SavedViewAdmin(History):
    list_display = ("name", "owner", "is_shared", "created_at")
    list_select_related = ("owner",)


@admin.register(SubscriptionSecret)
class SubscriptionSecretAdmin(History):
    list_display = ("subscription", "hint", "created_at", "expires_at")
    list_select_related = ("subscription",)
    ids: ClassVar = {"subscription": "subscription_id"}
