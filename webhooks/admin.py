"""The inbound side on the console. Sources and subscribers change by their services; keys in `key_admin`."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from webhooks.deciders.identify import check_place
from webhooks.deciders.options import check_options
from webhooks.deciders.scheme_facts import facts
from webhooks.deciders.schemes import SCHEMES, choices
from webhooks.deciders.verify import check_secret
from webhooks.history_admin import History, Listing, ModelForm, Rows, as_text, who
from webhooks.ids import PREFIXES
from webhooks.models import (
    AuditEntry,
    Event,
    EventBody,
    EventKey,
    Handshake,
    Refusal,
    SecretPurpose,
    Source,
    SourceSecret,
    Subscriber,
)
from webhooks.services import sources, subscribers

from . import key_admin  # noqa: F401 (it registers itself)


class SourceForm(ModelForm):
    """A secret goes in and is not shown again."""

    scheme = forms.ChoiceField(choices=choices)
    secret = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        label="New secret",
        help_text="Taken beside those that are live, so that a sender can rotate without a gap.",
    )

    handshake_token = forms.CharField(
        required=False,
        label="New handshake token",
        help_text="What the provider sends to ask whether we are the right door (Meta's verify token).",
    )

    class Meta:
        model = Source
        fields = ("name", "slug", "is_enabled", "subscriber", "scheme", "id_from", "type_from", "options")

    def clean_id_from(self) -> str:
        return self._checked_place("id_from")

    def clean_type_from(self) -> str:
        return self._checked_place("type_from")

    def clean_options(self) -> dict[str, Any]:
        return self.cleaned_data["options"] or {}

    def clean(self) -> None:
        row, secret = SCHEMES.get(self.cleaned_data.get("scheme", "")), self.cleaned_data["secret"].strip()
        if row is None:
            return
        try:
            check_options(row, self.cleaned_data.get("options", {}))
        except ValueError as error:
            self.add_error("options", str(error))
        if secret:
            try:
                check_secret(scheme=row, secret=secret)
            except ValueError as error:
                self.add_error("secret", str(error))
        elif row.needs_secret and not self._has_secret():
            self.add_error("secret", f"The scheme {row.slug} needs a secret.")

    def _checked_place(self, field: str) -> str:
        place: str = self.cleaned_data[field]
        try:
            if place:
                check_place(place)
        except ValueError as error:
            raise ValidationError(str(error)) from None
        return place

    def _has_secret(self) -> bool:
        return SourceSecret.objects.filter(
            source_id=self.instance.pk, expires_at=None, purpose=SecretPurpose.SIGNING
        ).exists()


class SourceSecretRows(Rows):
    model = SourceSecret
    fields = readonly_fields = ("hint", "purpose", "created_at", "expires_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[SourceSecret]:
        return super().get_queryset(request).defer("sealed")


@admin.register(Source)
class SourceAdmin(Listing):
    form = SourceForm
    list_display = ("name", "slug", "scheme", "is_enabled", "subscriber", "created_at")
    list_filter = ("is_enabled", "scheme")
    list_select_related = ("subscriber",)
    fields = (*SourceForm.Meta.fields, "secret", "handshake_token", "what_to_know")
    readonly_fields = ("what_to_know",)
    ids: ClassVar = {"source": "pk"}
    texts: ClassVar = ("slug", "name")
    search_help_text = "A source's id, slug or whole name."
    inlines = (SourceSecretRows,)

    def what_to_know(self, source: Source) -> str:
        row = SCHEMES.get(source.scheme)
        return "\n".join(facts(row)) if row else "This version of Weir does not have the scheme."

    def save_model(self, request: HttpRequest, obj: Source, form: Any, change: bool) -> None:
        values = {name: form.cleaned_data[name] for name in SourceForm.Meta.fields}
        values["handshake_token"] = form.cleaned_data["handshake_token"].strip()
        secret = form.cleaned_data["secret"].strip()
        if not change:
            obj.pk = sources.create_source(secret=secret, **values, **who(request)).pk
            return
        if secret:
            sources.add_secret(source_id=obj.pk, secret=secret, **who(request))
        sources.update_source(source_id=obj.pk, **values, **who(request))


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


class EventAdmin(History):
    """Registered by the outbound side, which adds what became of it."""

    list_display = ("external_id", "event_type", "source", "state", "size", "received_at")
    list_filter = ("state", "source")
    list_select_related = ("source",)
    ids: ClassVar = {"event": "pk"}
    texts: ClassVar = ("external_id",)
    search_help_text = "An event's id, or the sender's id; exactly."
    readonly_fields: ClassVar[tuple[str, ...]] = ("headers", "body")
    payloads: ClassVar = ("headers", "body")

    def headers(self, event: Event) -> SafeString | str:
        if not hasattr(event, "content"):
            return "dropped by retention"
        return as_text("\n".join(f"{name}: {value}" for name, value in event.content.headers).encode())

    def body(self, event: Event) -> SafeString | str:
        return as_text(event.content.body) if hasattr(event, "content") else "dropped by retention"


@admin.register(EventBody)
class EventBodyAdmin(History):
    list_display = ("event_id", "content_type")
    ids: ClassVar = {"event": "pk"}
    readonly_fields = ("text",)

    def text(self, content: EventBody) -> SafeString:
        return as_text(content.body)


@admin.register(EventKey)
class EventKeyAdmin(History):
    list_display = ("source", "kind", "event_id", "duplicates", "conflicts", "first_seen_at", "last_seen_at")
    list_filter = ("kind",)
    list_select_related = ("source",)
    ids: ClassVar = {"event": "event_id"}


@admin.register(Refusal)
class RefusalAdmin(History):
    list_display = ("reason", "source", "detail", "remote_address", "received_at", "accepted_at")
    list_filter = ("source",)
    list_select_related = ("source",)
    ids: ClassVar = {"refusal": "pk", "event": "event_id"}
    readonly_fields = ("text",)
    payloads: ClassVar = ("query", "headers", "text")

    @admin.display(description="Body")
    def text(self, refusal: Refusal) -> SafeString:
        return as_text(refusal.body)


@admin.register(Handshake)
class HandshakeAdmin(History):
    list_display = ("source", "name", "count", "last_status", "first_seen_at", "last_seen_at")
    list_filter = ("name",)
    list_select_related = ("source",)
    ids: ClassVar = {"source": "source_id"}


@admin.register(AuditEntry)
class AuditEntryAdmin(History):
    list_display = ("at", "actor", "verb", "object_kind", "object_id", "count", "reason")
    texts: ClassVar = ("object_id",)
    search_help_text = "The id of what was acted on, such as dlv_…"

    def found_by(self, term: str) -> Q:
        """The index begins with the kind, which the id's prefix tells."""
        kinds = [kind for kind, prefix in PREFIXES.items() if term.startswith(f"{prefix}_")]
        return Q(object_kind__in=kinds, object_id=term)


@admin.register(SourceSecret)
class SourceSecretAdmin(History):
    list_display = ("source", "hint", "purpose", "created_at", "expires_at")
    list_select_related = ("source",)
    ids: ClassVar = {"source": "source_id"}
