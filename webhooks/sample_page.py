"""Trying a source's settings on a request that somebody pastes, or that came before. It keeps and counts no request."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpRequest

from webhooks.deciders.arrival import Arrival
from webhooks.history_admin import may_see_payloads, who
from webhooks.models import Event, Refusal, Source
from webhooks.services import audit
from webhooks.services.rehearse import COLUMNS, OPTIONS, check_overrides, rehearse

LABELS = {
    "id_from": "Id",
    "type_from": "Type",
    "operation_from": "Operation id",
    "entity_from": "Entity",
    "version_from": "Version",
    "time_from": "Time",
}
MOST_BODY, MOST_HEADERS = 262_144, 65_536  # characters that a form sends


class SampleForm(forms.Form):
    method = forms.CharField(max_length=10, initial="POST", widget=forms.HiddenInput)
    query = forms.CharField(required=False, max_length=2_000, label="Query string", strip=False)
    headers = forms.CharField(
        required=False,
        max_length=MOST_HEADERS,
        widget=forms.Textarea(attrs={"rows": 7, "spellcheck": "false"}),
        help_text="One on each line, as name: value.",
    )
    body = forms.CharField(
        required=False,
        strip=False,
        max_length=MOST_BODY,
        widget=forms.Textarea(attrs={"rows": 12, "spellcheck": "false"}),
    )
    is_genuine = forms.BooleanField(
        required=False,
        label="Leave the signature out",
        help_text="For a request whose credentials are masked by now, or that was never signed.",
    )

    def __init__(self, source: Source, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""
        self.source = source
        present = {name: getattr(source, name) for name in COLUMNS} | source.options
        for name, label in LABELS.items():
            self.fields[name] = forms.CharField(
                required=False, max_length=500, label=label, initial=str(present.get(name, ""))
            )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        for name, flaw in check_overrides(self.source, self.overrides(cleaned)).items():
            self.add_error(name, flaw)
        return cleaned

    def overrides(self, cleaned: Mapping[str, Any]) -> dict[str, str]:
        return {name: cleaned.get(name, "").strip() for name in (*COLUMNS, *OPTIONS)}

    @property
    def places(self) -> list[Any]:
        return [self[name] for name in LABELS]

    def arrival(self, now: datetime) -> Arrival:
        # A form's line ends are two characters each, whatever was pasted; most senders write one.
        body = self.cleaned_data["body"].replace("\r\n", "\n")
        return Arrival(
            method=self.cleaned_data["method"].upper(),
            headers=_headers(self.cleaned_data["headers"]),
            body=body.encode("utf-8", "surrogatepass"),
            query=self.cleaned_data["query"].strip().lstrip("?"),
            remote_address="",
            received_at=now,
        )


def sample_context(source: Source, form: SampleForm, now: datetime) -> dict[str, Any]:
    told = rehearse(
        source=source,
        arrival=form.arrival(now),
        now=now,
        overrides=form.overrides(form.cleaned_data),
        is_genuine=form.cleaned_data["is_genuine"],
    )
    return {"told": told}


def filled(source: Source, request: HttpRequest) -> dict[str, Any]:
    """With the latest event or refusal of the source, if that is asked for and may be seen: an opening, recorded."""
    wish = request.GET.get("of", "")
    latest = _LATEST[wish](source) if wish in _LATEST and may_see_payloads(request) else None
    if latest is None:
        return {}
    pk, initial = latest
    audit.record_opening(wish, pk, **who(request))
    return initial


def _of_event(source: Source) -> tuple[UUID, dict[str, Any]] | None:
    event = Event.objects.filter(source=source).select_related("content").order_by("-pk").first()
    if event is None or not hasattr(event, "content"):
        return None
    return event.pk, {
        "headers": _lines(event.content.headers),
        "body": bytes(event.content.body).decode("utf-8", "replace")[:MOST_BODY],
        "is_genuine": True,
    }


def _of_refusal(source: Source) -> tuple[UUID, dict[str, Any]] | None:
    refusal = Refusal.objects.filter(source=source).defer("credentials").order_by("-pk").first()
    if refusal is None:
        return None
    return refusal.pk, {
        "method": refusal.method if refusal.method != "API" else "POST",
        "query": refusal.query,
        "headers": _lines(refusal.headers),
        "body": bytes(refusal.body).decode("utf-8", "replace")[:MOST_BODY],
    }


_LATEST = {"event": _of_event, "refusal": _of_refusal}  # by the kind of thing that it is


def _lines(headers: Any) -> str:
    return "\n".join(f"{name}: {value}" for name, value in headers)


def _headers(text: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in text.splitlines() if ":" in line)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}
