"""The catalogue of event types on the console: listed, made and changed by services, and none is deleted."""

import json
from collections.abc import Callable
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.forms.fields import InvalidJSONInput
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from webhooks.history_admin import Listing, ModelForm, who
from webhooks.models import EventType, EventTypeState
from webhooks.services import event_types

MOVES: dict[str, Callable[..., bool]] = {
    EventTypeState.ACTIVE: event_types.activate,
    EventTypeState.DEPRECATED: event_types.deprecate,
    EventTypeState.ARCHIVED: event_types.archive,
}
CHANGED = ("description", "schema", "example")


class Indented(forms.JSONField):
    """JSON as a person writes it."""

    def prepare_value(self, value: Any) -> Any:
        if value is None or isinstance(value, str | InvalidJSONInput):
            return value
        return json.dumps(value, indent=2, ensure_ascii=False)


class EventTypeForm(ModelForm):
    class Meta:
        model = EventType
        fields = ("name", *CHANGED, "state")
        field_classes: ClassVar = {"schema": Indented, "example": Indented}
        help_texts: ClassVar = {"name": f"As events bear it: {event_types.NAMES}; for good."}
        widgets: ClassVar = {
            "description": forms.Textarea(attrs={"rows": 3}),
            "schema": forms.Textarea(attrs={"rows": 14, "spellcheck": "false"}),
            "example": forms.Textarea(attrs={"rows": 8, "spellcheck": "false"}),
        }

    def clean(self) -> dict[str, Any]:
        """What the service would refuse is told beside its field."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if not self.errors:
            try:
                if "name" in cleaned:  # which is settled once the type is there
                    event_types.check_name(cleaned["name"])
                event_types.check(schema=cleaned["schema"], example=cleaned["example"])
            except ValidationError as error:
                self.add_error(None, error)
        return cleaned


@admin.register(EventType)
class EventTypeAdmin(Listing):
    form = EventTypeForm
    list_display = ("name", "standing", "described", "is_checked", "updated_at")
    list_filter = ("state",)
    ordering = ("name",)
    fields = EventTypeForm.Meta.fields
    ids: ClassVar = {"eventtype": "pk"}
    texts: ClassVar = ("name",)
    search_help_text = "An event type's id, or its whole name."
    actions = None

    def get_readonly_fields(self, request: HttpRequest, obj: EventType | None = None) -> tuple[str, ...]:
        return ("name", "created_at", "updated_at", "deprecated_at", "archived_at") if obj else ()

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Its state is chosen once it is there."""
        if obj is None:
            return ("name", *CHANGED)
        return (*EventTypeForm.Meta.fields, *self.get_readonly_fields(request, obj)[1:])

    def save_model(self, request: HttpRequest, obj: EventType, form: Any, change: bool) -> None:
        given = {name: form.cleaned_data[name] for name in CHANGED}
        if not change:
            obj.pk = event_types.create_event_type(name=obj.name, **given, **who(request)).pk
            return
        event_types.update_event_type(event_type_id=obj.pk, **given, **who(request))
        MOVES[form.cleaned_data["state"]](event_type_id=obj.pk, **who(request))

    @admin.display(description="State")
    def standing(self, row: EventType) -> SafeString:
        return render_to_string("admin/webhooks/eventtype/standing.html", {"row": row})

    @admin.display(description="When it happens")
    def described(self, row: EventType) -> str:
        return row.description[:80] or "-"

    @admin.display(description="Checked", boolean=True)
    def is_checked(self, row: EventType) -> bool:
        return row.schema is not None
