"""The form of a subscription: what a person fills in becomes the services' options. It saves nothing."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any, ClassVar, TypeVar, cast

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError

from deliveries.models import ClientErrors, Signing, Subscription
from deliveries.services import subscription_rules, subscriptions
from webhooks.history_admin import ModelForm

from .subscription_fields import HUB_DEFAULTS, LABELS, OPTIONS, told

T = TypeVar("T")


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


class Delays(forms.JSONField):
    """A list of numbers, or nothing at all."""

    widget = forms.Textarea(attrs={"rows": 1})

    def prepare_value(self, value: Any) -> Any:
        return "" if value is None else super().prepare_value(value)


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
        label="Signing secret",
        help_text="Empty: one is made and shown once. Later it is rotated on the subscription's page.",
    )
    signing = forms.ChoiceField(
        required=False,
        choices=Signing.choices,
        label="Signed by",
        help_text="Later it is changed by rotating the keys, on the subscription's page.",
    )
    # What was changed since is not overwritten.
    seen_at = forms.CharField(required=False, widget=forms.HiddenInput)

    class Meta:
        model = Subscription
        fields = ("subscriber", *OPTIONS)
        field_classes: ClassVar = {"event_types": Lines, "retry_delays_s": Delays}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["headers"] = ""
        if not self.instance._state.adding:
            self.initial["seen_at"] = self.instance.updated_at.isoformat()
        if "format" in self.fields:
            self.fields["format"].required = False  # a form that does not say keeps it
        for name, label in LABELS.items():
            if name in self.fields:
                self.fields[name].label = label
        for name in ("filter", "transform"):
            if name in self.fields:
                self.fields[name].widget.attrs["rows"] = 3
        for name, setting in HUB_DEFAULTS.items():
            if name in self.fields:
                _tell_default(self.fields[name], told(getattr(settings, setting)))
        if isinstance(choice := self.fields.get("client_errors"), forms.ChoiceField):
            default = ClientErrors(settings.HUB_CLIENT_ERRORS).label.lower()
            choice.choices = [("", f"The hub's: {default}"), *ClientErrors.choices]

    def clean_seen_at(self) -> datetime | None:
        """A form without it is of a caller who did not look, such as a script."""
        try:
            return datetime.fromisoformat(self.cleaned_data["seen_at"])
        except ValueError:
            return None

    def clean_headers(self) -> str:
        text: str = self.cleaned_data["headers"].strip()
        if not text:
            return str(self.instance.headers)
        return _spoken(lambda: json.dumps(subscription_rules.parse_headers(text)))

    def clean_format(self) -> str:
        return str(self.cleaned_data["format"] or self.instance.format)

    def clean_secret(self) -> str:
        secret: str = self.cleaned_data["secret"]
        if secret:
            _spoken(lambda: subscription_rules.check_secret(secret))
        return secret

    def clean_signing(self) -> str:
        """Of one that is there already it is settled; a secret that was given says itself how it signs."""
        if not self.instance._state.adding:
            return str(self.instance.signing)
        secret, chosen = self.data.get("secret", ""), str(self.cleaned_data["signing"])
        return "" if secret and chosen == Signing.V1 else chosen

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        if self.errors:
            return
        try:
            subscription_rules.check(self.instance, changed=self.changed_data)
        except ValidationError as error:
            self.add_error(None, error)

    def options(self) -> subscriptions.Options:
        """What the form says, as the services take it."""
        given = {name: self.cleaned_data[name] for name in OPTIONS if name in self.cleaned_data}
        return cast(subscriptions.Options, given | {"headers": json.loads(given["headers"] or "{}")})


def _tell_default(field: forms.Field, default: str) -> None:
    """In the empty field, and in words below it."""
    field.widget.attrs["placeholder"] = default
    field.help_text = f"{field.help_text} Empty: the hub's, {default}.".strip()


def _spoken(check: Callable[[], T]) -> T:
    """A rule's ValueError, as a form says it."""
    try:
        return check()
    except ValueError as error:
        raise ValidationError(str(error)) from None
