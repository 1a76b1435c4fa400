"""Alerts on the console: open ones first, then closed ones; acknowledged, and muted with a reason and a time."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final
from uuid import UUID

from django.contrib import admin, messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.urls import URLPattern, reverse

from deliveries.models import Alert, AlertMessage, AlertRule, Breach, Mute
from deliveries.selectors import alert_pages
from deliveries.services import alert_acts
from deliveries.services.alert_acts import AlertVerdict
from webhooks.history_admin import History, reason_in, who
from webhooks.ids import parse_uuid

ACKNOWLEDGE: Final = "deliveries.acknowledge_alert"
MUTE: Final = "deliveries.mute_alert"
FILTERS: Final = {"rule", "before"}
MUTES: Final[dict[str, str]] = {
    "3600": "for an hour",
    "14400": "for 4 hours",
    "43200": "for 12 hours",
    "86400": "for a day",
    "604800": "for a week",
}
PAGES_OF: Final = {
    "sub": "admin:deliveries_subscription_change",
    "sbr": "admin:webhooks_subscriber_change",
    "src": "admin:webhooks_source_change",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class AlertRow:
    alert: Alert
    rule: str
    rule_address: str
    about: str
    about_address: str
    mute: Mute | None


@admin.register(Alert)
class AlertAdmin(History):
    ids: ClassVar = {"alert": "pk"}
    list_template = "admin/deliveries/alert/list.html"
    page_template = "admin/deliveries/alert/page.html"
    mute_template = "admin/deliveries/alert/mute.html"

    def get_urls(self) -> list[URLPattern]:
        return [
            self.door("unmute/", self.unmute_view, "unmute"),
            self.door("<path:object_id>/acknowledge/", self.acknowledge_view, "acknowledge"),
            self.door("<path:object_id>/close/", self.close_view, "close"),
            self.door("<path:object_id>/mute/", self.mute_view, "mute"),
            *super().get_urls(),
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        self.must_look(request)
        now, rules = datetime.now(UTC), alert_pages.rules_by_slug()
        asked, before = request.GET.get("rule", ""), _id_in(request.GET.get("before", ""))
        rule = asked if asked in rules else ""
        still = alert_pages.open_alerts(rule=rule) if before is None else []
        over, mutes = alert_pages.closed_alerts(before, rule), alert_pages.mutes_now(now)
        shown = rows([*still, *over.alerts], rules, mutes)
        context = {
            "title": "Alerts",
            "open": shown[: len(still)],
            "closed": shown[len(still) :],
            "older": over.older,
            "is_first": before is None,
            "rule": rules.get(rule),
            "notices": _not_understood(request, rules),
            "has_channel": alert_pages.has_channel(),
            "now": now,
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
        self.must_look(request)
        alert, now = self._one(object_id), datetime.now(UTC)
        rules = alert_pages.rules_by_slug()
        context = {
            "title": alert.summary,
            "row": rows([alert], rules, alert_pages.mutes_now(now))[0],
            "rule": rules.get(alert.rule),
            "messages_to": alert_pages.messages_of(alert=alert.pk),
            "done": self.done_to(request, alert.pk),
            "now": now,
            **may_act(request),
        }
        return self.render(request, self.page_template, context)

    # -- what people do --------------------------------------------------------------------------------

    def acknowledge_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._act(request, object_id, alert_acts.acknowledge, "Acknowledged.")

    def close_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """By hand, with a reason; whoever takes alerts on may end them."""
        return self._act(request, object_id, alert_acts.close, "Closed.")

    def _act(
        self, request: HttpRequest, object_id: str, service: Callable[..., AlertVerdict], done: str
    ) -> HttpResponse:
        self.must(request, ACKNOWLEDGE)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        alert = self._one(object_id)
        verdict = service(alert_id=alert.pk, reason=reason_in(request), now=datetime.now(UTC), **who(request))
        if verdict.is_done:
            self.log_change(request, alert, done)
        level = messages.SUCCESS if verdict.is_done else messages.WARNING
        self.message_user(request, verdict.sentence, level)
        back = reverse("admin:deliveries_alert_changelist")
        return redirect(page_of(alert) if request.POST.get("of") == "page" else back)

    def mute_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Asks for how long and why, then does it."""
        self.must(request, MUTE)
        alert = self._one(object_id)
        if request.method == "POST":
            try:
                mute = alert_acts.mute_alert(alert_id=alert.pk, **asked_mute(request), **who(request))
            except alert_acts.Refused as refusal:
                self.message_user(request, str(refusal), messages.ERROR)
            else:
                self.log_change(request, alert, f"Muted until {mute.until:%Y-%m-%d %H:%M} UTC.")
                self.message_user(request, muted_words(mute), messages.SUCCESS)
                return redirect(page_of(alert))
        row = rows([alert], alert_pages.rules_by_slug(), [])[0]
        about = row.about or "the whole hub"
        return self.render(
            request, self.mute_template, mute_context(request, row.rule, about, page_of(alert))
        )

    def unmute_view(self, request: HttpRequest) -> HttpResponse:
        self.must(request, MUTE)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        mute_id = _id_in(request.POST.get("mute", ""))
        if mute_id is None:
            raise Http404("There is no such mute.")
        verdict = alert_acts.unmute(mute_id=mute_id, now=datetime.now(UTC), **who(request))
        self.message_user(
            request, verdict.sentence, messages.SUCCESS if verdict.is_done else messages.WARNING
        )
        rules = reverse("admin:deliveries_alertrule_changelist")
        back = reverse("admin:deliveries_alert_changelist")
        return redirect(rules if request.POST.get("of") == "rules" else back)

    def _one(self, object_id: str) -> Alert:
        alert = Alert.objects.filter(pk=self.named(object_id)).first()
        if alert is None:
            raise Http404("There is no such alert.")
        return alert


@admin.register(AlertMessage)
class AlertMessageAdmin(History):
    list_display = ("title", "channel", "kind", "state", "attempts", "due_at", "last_error", "sent_at")
    list_filter = ("state",)
    list_select_related = ("channel",)

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).defer("channel__sealed_url")


@admin.register(Breach)
class BreachAdmin(History):
    list_display = ("rule", "scope", "since")


@admin.register(Mute)
class MuteAdmin(History):
    list_display = ("rule", "scope", "is_of_every_scope", "until", "muted_by", "reason")


def rows(alerts: Sequence[Alert], rules: Mapping[str, AlertRule], mutes: Iterable[Mute]) -> list[AlertRow]:
    """However many rows, one statement for each kind of thing that they are about."""
    names, running = alert_pages.names_of(alert.scope for alert in alerts), list(mutes)
    return [_row(alert, rules.get(alert.rule), names, running) for alert in alerts]


def _row(alert: Alert, rule: AlertRule | None, names: Mapping[str, str], mutes: Sequence[Mute]) -> AlertRow:
    prefix, _, digits = alert.scope.partition("_")
    is_known = alert.scope in names
    return AlertRow(
        alert=alert,
        rule=rule.name if rule else alert.rule,
        rule_address=reverse("admin:deliveries_alertrule_change", args=[rule.pk]) if rule else "",
        about=names.get(alert.scope, alert.scope),
        about_address=reverse(PAGES_OF[prefix], args=[UUID(digits)]) if is_known else "",
        mute=None if alert.closed_at else alert_pages.mute_of(alert, mutes),
    )


def page_of(alert: Alert) -> str:
    return reverse("admin:deliveries_alert_change", args=[alert.pk])


def mute_context(request: HttpRequest, rule: str, about: str, back: str) -> dict[str, Any]:
    return {
        "title": f"Mute {rule}: {about}?",
        "rule": rule,
        "about": about,
        "mutes": MUTES.items(),
        "asked": request.POST,
        "back": back,
    }


def asked_mute(request: HttpRequest) -> dict[str, Any]:
    """For how long, and why. Raises Refused."""
    chosen, now = request.POST.get("for", ""), datetime.now(UTC)
    if chosen not in MUTES:
        raise alert_acts.Refused("Choose for how long.")
    return {"until": now + timedelta(seconds=int(chosen)), "reason": reason_in(request), "now": now}


def muted_words(mute: Mute) -> str:
    return f"Muted until {mute.until:%Y-%m-%d %H:%M} UTC: it shows here as ever, and nobody is told."


def may_act(request: HttpRequest) -> dict[str, bool]:
    may = request.user.has_perm
    return {
        "may_acknowledge": may(ACKNOWLEDGE),
        "may_mute": may(MUTE),
        "may_see_rules": may("deliveries.view_alertrule"),
        "may_see_channels": may("deliveries.view_alertchannel"),
        "may_add_channel": may("deliveries.add_alertchannel"),
    }


def _not_understood(request: HttpRequest, rules: Mapping[str, AlertRule]) -> list[str]:
    """What of the address was ignored, in sentences."""
    said = [
        f"There is no filter “{name[:40]}”; it was ignored." for name in request.GET if name not in FILTERS
    ]
    if (slug := request.GET.get("rule", "")) and slug not in rules:
        said.append(f"There is no rule “{slug[:40]}”; alerts of every rule are shown.")
    if (text := request.GET.get("before", "")) and _id_in(text) is None:
        said.append(f"“{text[:40]}” is no place in the list; it begins at the newest.")
    return said[:10]


def _id_in(text: str) -> UUID | None:
    try:
        return parse_uuid(text)
    except ValueError:
        return None
