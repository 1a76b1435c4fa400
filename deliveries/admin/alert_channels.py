"""Channels on the console: listed with how they do, made and changed by services, tried with a test.

Of an address the service and the last four characters are shown, and nothing else.
"""

from datetime import UTC, datetime
from typing import Any, ClassVar, Final

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.urls import URLPattern, reverse

from deliveries import messenger
from deliveries.models import AlertChannel, AlertRule, MessageState, Severity
from deliveries.selectors import alert_pages
from deliveries.services import alert_channels
from webhooks.history_admin import Listing, ModelForm, who

from .alerts import may_act

CHANGE: Final = "deliveries.change_alertchannel"
OPTIONS: Final = ("name", "is_enabled", "severities", "rules")


class NotRepeated(forms.PasswordInput):
    """Shows what is being typed, since an address is long; and what was sent is never written back into the page."""

    input_type = "text"


class AlertChannelForm(ModelForm):
    """An address goes in and is not shown again."""

    url = forms.CharField(
        required=False,
        max_length=alert_channels.LONGEST,
        label="Address",
        widget=NotRepeated(attrs={"size": 80, "autocomplete": "off", "spellcheck": "false"}),
        help_text="As apprise writes it: mailtos://user:password@mail.example.com?to=ops@example.com,"
        " slack://…, pagerduty://…, json://…. It is stored encrypted. Empty keeps the present one.",
    )
    severities = forms.MultipleChoiceField(
        required=False,
        choices=Severity.choices,
        widget=forms.CheckboxSelectMultiple,
        help_text="None: of every severity.",
    )
    rules = forms.MultipleChoiceField(
        required=False, widget=forms.CheckboxSelectMultiple, help_text="None: of every rule."
    )

    class Meta:
        model = AlertChannel
        fields = OPTIONS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if isinstance(rules := self.fields.get("rules"), forms.MultipleChoiceField):
            rules.choices = list(AlertRule.objects.order_by("name", "pk").values_list("slug", "name"))

    def clean_url(self) -> str:
        url: str = self.cleaned_data["url"].strip()
        if not url and self.instance._state.adding:
            raise ValidationError("Give its address, such as mailtos://user:password@mail.example.com.")
        try:
            if url:
                messenger.check_address(url)
        except ValueError as error:
            raise ValidationError(str(error)) from None
        return url


@admin.register(AlertChannel)
class AlertChannelAdmin(Listing):
    form = AlertChannelForm
    fields = ("name", "url", "severities", "rules", "is_enabled")
    actions = None
    ids: ClassVar = {"alertchannel": "pk"}
    texts: ClassVar = ("name",)
    list_template = "admin/deliveries/alertchannel/list.html"
    change_form_template = "admin/deliveries/alertchannel/change_form.html"

    def get_urls(self) -> list[URLPattern]:
        return [self.door("<path:object_id>/test/", self.test_view, "test"), *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        self.must_look(request)
        waiting = alert_pages.waiting_by_channel()
        names = dict(AlertRule.objects.values_list("slug", "name"))
        context = {
            "title": "Channels",
            "rows": [
                (each, _wants(each, names), _last_words(each), waiting.get(each.pk, 0))
                for each in alert_pages.channels_with_last()
            ],
            "may_add": self.has_add_permission(request),
            "now": datetime.now(UTC),
            **may_act(request),
        }
        return self.render(request, self.list_template, context)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The form, and below it what the channel was told."""
        key = self.named(object_id)
        name = AlertChannel.objects.filter(pk=key).values_list("name", flat=True).first()
        title = {"title": name, "subtitle": None} if name else {}
        shown = {"told": alert_pages.messages_of(channel=key), "now": datetime.now(UTC)}
        may = {"may_test": request.user.has_perm(CHANGE)}
        return super().change_view(
            request, str(key), form_url, {**(extra_context or {}), **title, **shown, **may}
        )

    def get_fields(self, request: HttpRequest, obj: AlertChannel | None = None) -> list[Any]:
        return [name for name in self.fields or () if name != "url" or request.user.has_perm(CHANGE)]

    def test_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        self.must(request, CHANGE)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        channel = AlertChannel.objects.defer("sealed_url").filter(pk=self.named(object_id)).first()
        if channel is None:
            raise Http404("There is no such channel.")
        error = alert_channels.send_test(channel_id=channel.pk, **who(request))
        self.log_change(request, channel, error or "Sent a test.")
        if error:
            self.message_user(request, f"The test was not taken. {error}", messages.ERROR)
        else:
            self.message_user(request, "The test was sent, and taken.", messages.SUCCESS)
        return redirect(reverse("admin:deliveries_alertchannel_change", args=[channel.pk]))

    def save_model(self, request: HttpRequest, obj: AlertChannel, form: Any, change: bool) -> None:
        values = {name: form.cleaned_data[name] for name in (*OPTIONS, "url")}
        if change:
            alert_channels.update_channel(channel_id=obj.pk, **values, **who(request))
        else:
            obj.pk = alert_channels.create_channel(**values, **who(request)).pk


def _wants(channel: AlertChannel, names: dict[str, str]) -> str:
    severities = ", ".join(channel.severities) if channel.severities else "every severity"
    if not channel.rules:
        return f"{severities}, every rule"
    return f"{severities}; {', '.join(names.get(slug, slug) for slug in channel.rules)}"


def _last_words(channel: AlertChannel) -> str:
    state = getattr(channel, "last_state", None)
    return str(MessageState(state).label) if state else ""
