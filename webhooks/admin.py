"""The inbound side on the console, but for sources, refusals and keys, which have modules of their own."""

from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString

from webhooks.event_type_admin import EventTypeAdmin
from webhooks.history_admin import History, Listing, as_text, who
from webhooks.key_admin import ApiKeyAdmin
from webhooks.models import (
    BusinessKey,
    EventBody,
    EventKey,
    Handshake,
    ReceiptRollup,
    SourceSecret,
    Subscriber,
)
from webhooks.refusal_admin import RefusalAdmin
from webhooks.services import subscribers
from webhooks.source_admin import SourceAdmin

__all__ = ["ApiKeyAdmin", "EventTypeAdmin", "RefusalAdmin", "SourceAdmin"]


class SubscriberAdmin(Listing):
    """Registered by the outbound side, which adds what it wants."""

    list_display = ("name", "created_at")
    fields = ("name",)
    ids: ClassVar = {"subscriber": "pk"}
    texts: ClassVar = ("name",)
    search_help_text = "A subscriber's id, or its whole name."

    def save_model(self, request: HttpRequest, obj: Subscriber, form: Any, change: bool) -> None:
        name = form.cleaned_data["name"]
        if change:
            subscribers.rename_subscriber(subscriber_id=obj.pk, name=name, **who(request))
        else:
            obj.pk = subscribers.create_subscriber(name=name, **who(request)).pk


@admin.register(EventBody)
class EventBodyAdmin(History):
    list_display = ("event_id", "content_type")
    ids: ClassVar = {"event": "pk"}
    readonly_fields = ("text",)
    payloads = ("text", "headers", "tracestate")
    opens = ("event", "pk")

    def text(self, content: EventBody) -> SafeString:
        return as_text(content.body)


@admin.register(BusinessKey)
class BusinessKeyAdmin(History):
    list_display = ("name", "value", "event_id")
    ids: ClassVar = {"event": "event_id"}
    texts: ClassVar = ("value",)
    search_help_text = "An event's id, or the key's value; exactly."


@admin.register(EventKey)
class EventKeyAdmin(History):
    list_display = ("source", "kind", "event_id", "duplicates", "conflicts", "first_seen_at", "last_seen_at")
    list_filter = ("kind",)
    list_select_related = ("source",)
    ids: ClassVar = {"event": "event_id"}


@admin.register(Handshake)
class HandshakeAdmin(History):
    list_display = ("source", "name", "count", "last_status", "first_seen_at", "last_seen_at")
    list_filter = ("name",)
    list_select_related = ("source",)
    ids: ClassVar = {"source": "source_id"}


@admin.register(ReceiptRollup)
class ReceiptRollupAdmin(History):
    list_display = ("starts_at", "source_id", "verdict", "reason", "count", "last_at")
    ids: ClassVar = {"source": "source_id"}


@admin.register(SourceSecret)
class SourceSecretAdmin(History):
    list_display = ("source", "hint", "purpose", "created_at", "expires_at", "last_matched_at", "matches")
    list_select_related = ("source",)
    ids: ClassVar = {"source": "source_id"}
