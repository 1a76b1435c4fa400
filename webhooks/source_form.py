"""The form of a source: checked as the services check, each flaw at its field. It saves nothing.

A secret goes in and is not shown again.
"""

from typing import Any, ClassVar, cast

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.http import QueryDict
from django.utils import timezone

from webhooks.deciders.business_keys import check_business_keys
from webhooks.deciders.identify import check_place
from webhooks.deciders.options import check_options
from webhooks.deciders.pinning import LONGEST, check_pinnable, checked_certificate, refuse_private_key
from webhooks.deciders.schemes import SCHEMES, choices
from webhooks.deciders.verify import check_secret
from webhooks.history_admin import ModelForm
from webhooks.models import SecretPurpose, Source, SourceSecret

# With a flaw, they may be somebody's private key that belongs nowhere here.
_NEVER_SAID_BACK = frozenset({"secret", "certificate_to_pin"})


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

    certificate_to_pin = forms.CharField(
        required=False,
        max_length=LONGEST,
        widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false"}),
        label="Certificate to pin",
        help_text=(
            "X.509 in PEM, without its private key; for schemes that sign by a certificate (AWS SNS, PayPal). Nothing "
            "else is believed, and none is fetched, until it is unpinned on the source's page. Empty: as it is now."
        ),
    )

    class Meta:
        model = Source
        fields = (
            "name",
            "slug",
            "is_enabled",
            "subscriber",
            "scheme",
            "expected_every_s",
            "id_from",
            "type_from",
            "options",
            "business_keys",
        )
        # The console takes help for markup, so no angle brackets.
        help_texts: ClassVar = {
            "slug": "Its events come in at /in/ and this.",
            "id_from": "header: with a name, or JMESPath; empty: the scheme's own way.",
            "type_from": "header: with a name, or JMESPath; empty: the scheme's own way.",
            "options": "A JSON object of what the scheme leaves to be filled in; those there are stand below.",
        }
        widgets: ClassVar = {
            "options": forms.Textarea(attrs={"rows": 4}),
            "id_from": forms.TextInput(attrs={"size": 60}),
            "type_from": forms.TextInput(attrs={"size": 60}),
            "expected_every_s": forms.NumberInput(attrs={"min": 1}),
        }

    def clean_id_from(self) -> str:
        return self._checked_place("id_from")

    def clean_type_from(self) -> str:
        return self._checked_place("type_from")

    def clean_options(self) -> dict[str, Any]:
        return self.cleaned_data["options"] or {}

    def clean_business_keys(self) -> dict[str, str]:
        keys: dict[str, str] = self.cleaned_data["business_keys"] or {}
        try:
            check_business_keys(keys)
        except ValueError as error:
            raise ValidationError(str(error)) from None
        return keys

    def clean_certificate_to_pin(self) -> str:
        """Whatever else is wrong with the form; the rest is checked once the scheme is known."""
        certificate: str = self.cleaned_data["certificate_to_pin"]
        try:
            refuse_private_key(certificate)
        except ValueError as error:
            raise ValidationError(str(error)) from None
        return certificate

    def clean(self) -> None:
        self._check_scheme()
        said_back = cast(QueryDict, self.data).copy()
        for name in _NEVER_SAID_BACK & set(self.errors):
            said_back[self.add_prefix(name)] = ""
        self.data = said_back

    def _check_scheme(self) -> None:
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
        try:
            if certificate := self.cleaned_data.get("certificate_to_pin"):
                checked_certificate(row, certificate, timezone.now())
            elif self.instance.pinned_certificate:
                check_pinnable(row)
        except ValueError as error:
            self.add_error("certificate_to_pin", str(error))

    def _checked_place(self, field: str) -> str:
        place: str = self.cleaned_data[field]
        try:
            if place:
                check_place(place)
        except ValueError as error:
            raise ValidationError(str(error)) from None
        return place

    def _has_secret(self) -> bool:
        signing = SourceSecret.objects.filter(source_id=self.instance.pk, purpose=SecretPurpose.SIGNING)
        return signing.filter(Q(expires_at=None) | Q(expires_at__gt=timezone.now())).exists()
