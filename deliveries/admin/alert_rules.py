"""Alert rules on the console: listed as sentences, made and changed by services, muted as a whole."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, Final

from django.contrib import admin, messages
from django.contrib.admin.widgets import RelatedFieldWidgetWrapper
from django.core.exceptions import ValidationError
from django.forms import ModelChoiceField
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, reverse

from deliveries.deciders.alert_words import rule_sentence
from deliveries.models import AlertRule, Mute
from deliveries.selectors import alert_pages
from deliveries.services import alert_acts, alert_rules
from deliveries.services.alert_rule_checks import check
from deliveries.services.alerting import said
from webhooks.history_admin import Listing, ModelForm, who

from .alerts import MUTE, asked_mute, may_act, mute_context, muted_words

OPTIONS: Final = (
    "name", "is_enabled", "severity", "measure", "detail", "over", "subscription", "subscriber", "source",
    "threshold", "clear_threshold", "window_s", "least_volume", "hold_s", "remind_s",
)  # fmt: skip
GROUPS: Final[Any] = [
    (
        "What is watched",
        {"fields": ["name", "slug", "measure", "detail", "over", "subscription", "subscriber", "source"]},
    ),
    ("When it is an alert", {"fields": ["threshold", "window_s", "least_volume", "hold_s", "clear_threshold"]}),
    ("Who hears of it", {"fields": ["severity", "remind_s", "is_enabled"]}),
]  # fmt: skip


class AlertRuleForm(ModelForm):
    class Meta:
        model = AlertRule
        fields = ("slug", *OPTIONS)

    def clean_least_volume(self) -> int:
        return self.cleaned_data["least_volume"] or 0

    def clean_hold_s(self) -> int:
        return self.cleaned_data["hold_s"] or 0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("least_volume", "hold_s"):
            if name in self.fields:
                self.fields[name].required = False

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        if self.errors:
            return
        try:
            check(self.instance)
        except ValidationError as error:
            self.add_error(None, error)


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleRow:
    rule: AlertRule
    sentence: str
    open: int
    mute: Mute | None


@admin.register(AlertRule)
class AlertRuleAdmin(Listing):
    form = AlertRuleForm
    actions = None
    ids: ClassVar = {"alertrule": "pk"}
    texts: ClassVar = ("slug", "name")
    fieldsets = GROUPS
    list_template = "admin/deliveries/alertrule/list.html"
    mute_template = "admin/deliveries/alert/mute.html"

    def get_urls(self) -> list[URLPattern]:
        return [self.door("<path:object_id>/mute/", self.mute_view, "mute"), *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        self.must_look(request)
        now = datetime.now(UTC)
        rules = AlertRule.objects.select_related("subscription", "subscriber", "source")
        rules = rules.defer("subscription__headers").order_by("name", "pk")
        counts, mutes = alert_pages.open_by_rule(), alert_pages.mutes_now(now)
        whole = {mute.rule: mute for mute in reversed(mutes) if mute.is_of_every_scope}
        context = {
            "title": "Alert rules",
            "rows": [
                RuleRow(
                    rule=rule,
                    sentence=sentence_of(rule),
                    open=counts.get(rule.slug, 0),
                    mute=whole.get(rule.slug),
                )
                for rule in rules
            ],
            "may_add": self.has_add_permission(request),
            "now": now,
            **may_act(request),
        }
        return self.render(request, self.list_template, context)

    def mute_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Asks for how long and why, then does it: of this rule, whatever it is about."""
        self.must(request, MUTE)
        rule = AlertRule.objects.filter(pk=self.named(object_id)).first()
        if rule is None:
            raise Http404("There is no such rule.")
        back = reverse("admin:deliveries_alertrule_changelist")
        if request.method == "POST":
            try:
                mute = alert_acts.mute_rule(rule_id=rule.pk, **asked_mute(request), **who(request))
            except alert_acts.Refused as refusal:
                self.message_user(request, str(refusal), messages.ERROR)
            else:
                self.log_change(request, rule, f"Muted until {mute.until:%Y-%m-%d %H:%M} UTC.")
                self.message_user(request, muted_words(mute), messages.SUCCESS)
                return redirect(back)
        return self.render(
            request, self.mute_template, mute_context(request, rule.name, "whatever it is about", back)
        )

    # -- the form --------------------------------------------------------------------------------------

    def get_readonly_fields(self, request: HttpRequest, obj: AlertRule | None = None) -> tuple[str, ...]:
        """Alerts name their rule by its slug."""
        return ("slug",) if obj else ()

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Of what it is about only a choice: neither made nor changed from here, and nothing sealed is unsealed."""
        if db_field.name == "subscription":
            kwargs["queryset"] = db_field.related_model.objects.defer("headers").order_by("name", "pk")
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if isinstance(field, ModelChoiceField) and isinstance(field.widget, RelatedFieldWidgetWrapper):
            field.widget, field.empty_label = field.widget.widget, "–"
        return field

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        rule = AlertRule.objects.filter(pk=self.named(object_id)).first()
        title = {"title": rule.name, "subtitle": None} if rule else {}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **title})

    def save_model(self, request: HttpRequest, obj: AlertRule, form: Any, change: bool) -> None:
        values = {name: form.cleaned_data[name] for name in OPTIONS}
        if change:
            alert_rules.update_rule(rule_id=obj.pk, **values, **who(request))
        else:
            obj.pk = alert_rules.create_rule(slug=form.cleaned_data["slug"], **values, **who(request)).pk


def sentence_of(rule: AlertRule) -> str:
    """What it says, with what it is about by name."""
    about = rule.subscription or rule.subscriber or rule.source
    names = {"each_subscription": "each subscription", "each_source": "each source"}
    return rule_sentence(said(rule, str(about) if about else names.get(rule.over, "")))
