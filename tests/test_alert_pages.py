"""Alerts on the console: who sees, who acknowledges, who mutes, who edits rules and channels; each act recorded."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from deliveries.models import Alert, AlertChannel, AlertMessage, AlertRule, Mute
from tests import make, roles
from tests.alerting import channel, no_rules, rule  # noqa: F401 (a fixture)
from tests.callers import browser
from tests.endpoints import Endpoint, answers
from webhooks.ids import public_id
from webhooks.models import AuditEntry

pytestmark = pytest.mark.django_db

LIST, RULES = "/admin/deliveries/alert/", "/admin/deliveries/alertrule/"
CHANNELS = "/admin/deliveries/alertchannel/"
ALERTS = "0007_let_roles_tend_alerts"
TOKEN = "tok-5ecret-9f1c"


@pytest.fixture
def chief() -> Client:
    return browser(is_superuser=True)


def someone(role: str) -> Client:
    roles.give(roles.FIVE, ALERTS)
    client = Client()
    client.force_login(roles.member(role))
    return client


def opened(**options: Any) -> Alert:
    values = {"rule": "success", "summary": "It fails.", "told_at": make.now()}
    return Alert.objects.create(**values | options)


def act(alert: Alert, verb: str) -> str:
    return reverse(f"admin:deliveries_alert_{verb}", args=[alert.pk])


def text(answer: Any) -> str:
    return str(answer.content.decode())


def recorded() -> list[tuple[str, str, str, str]]:
    rows = AuditEntry.objects.order_by("pk")
    return list(rows.values_list("actor", "verb", "object_kind", "reason"))


# -- looked at -----------------------------------------------------------------------------------------


def test_open_ones_stand_first_then_closed_ones_the_latest_first(chief: Client) -> None:
    to = make.subscription(name="ERP core")
    rule("success", name="Success under 95 %")
    opened(summary="The first, closed.", closed_at=make.now())
    opened(summary="The second, closed.", closed_at=make.now())
    opened(summary="Still open.", scope=public_id("subscription", to.pk))
    page = text(chief.get(LIST))
    places = [page.index(words) for words in ("Still open.", "The second, closed.", "The first, closed.")]
    assert places == sorted(places)
    assert "ERP core" in page and "Success under 95 %" in page and "nobody yet" in page


def test_an_empty_page_says_what_would_stand_there(chief: Client) -> None:
    page = text(chief.get(LIST))
    assert "No alert is open." in page and "None was closed yet." in page
    assert "No channel is set" in page and f'href="{CHANNELS}add/"' in page
    channel()
    assert "No channel is set" not in text(chief.get(LIST))


def test_closed_ones_go_by_page_and_the_list_by_rule(chief: Client) -> None:
    rule("other")
    for number in range(51):
        opened(summary=f"closed {number:02}.", closed_at=make.now())
    opened(rule="other", summary="Another rule's.")
    first = chief.get(LIST)
    assert "closed 01." in text(first) and "closed 00." not in text(first)
    older = chief.get(f"{LIST}?before={first.context['older'].hex}")
    assert "closed 00." in text(older) and "closed 01." not in text(older)
    assert "Another rule" not in text(older)
    of_one = text(chief.get(f"{LIST}?rule=other"))
    assert (
        "Another rule" in of_one and "closed" not in of_one.split('id="closed"')[1].split("None was")[0][10:]
    )


def test_an_alert_tells_whom_it_was_told_and_what_people_did(chief: Client) -> None:
    alert, to = opened(), channel("Night watch")
    AlertMessage.objects.create(
        alert=alert, channel=to, kind="opened", severity="warning", title="Success (Weir)", text="It fails.",
        due_at=make.now(), attempts=2, last_error="The receiver answered 503.",
    )  # fmt: skip
    chief.post(act(alert, "acknowledge"), {"of": "page"})
    page = text(chief.get(reverse("admin:deliveries_alert_change", args=[alert.pk])))
    assert "Night watch" in page and "The receiver answered 503." in page
    assert "acknowledge" in page and "Acknowledged" not in page.split("<h1")[1].split("</h1>")[0]


def test_names_that_people_give_are_shown_and_not_run(chief: Client) -> None:
    rule("success", name="<script>alert(1)</script>")
    alert = opened(summary="<script>alert(2)</script>")
    channel("<script>alert(3)</script>")
    for address in (LIST, RULES, CHANNELS, reverse("admin:deliveries_alert_change", args=[alert.pk])):
        assert "<script>alert(" not in text(chief.get(address))


def test_the_side_bar_counts_the_open_ones(chief: Client) -> None:
    opened(summary="One.", scope="a")
    opened(summary="Two.", scope="b")
    opened(summary="Over.", closed_at=make.now())
    entries = [each for section in chief.get(LIST).context["sections"] for each in section.entries]
    assert [(each.count, each.is_here) for each in entries if each.name == "Alerts"] == [("2", True)]


# -- what roles may --------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", roles.NAMES)
def test_every_role_sees_alerts_rules_and_channels(role: str) -> None:
    client, made, to = someone(role), rule(), channel(url=f"json://127.0.0.1:9/{TOKEN}")
    alert = opened()
    addresses = [
        LIST, RULES, CHANNELS, f"{LIST}{alert.pk}/change/", f"{RULES}{made.pk}/change/", f"{CHANNELS}{to.pk}/change/",
    ]  # fmt: skip
    answers_ = [client.get(address) for address in addresses]
    assert [answer.status_code for answer in answers_] == [200] * 6
    assert not [answer for answer in answers_ if TOKEN in text(answer)]
    assert "…9f1c" in text(answers_[-1])


@pytest.mark.parametrize("role", roles.NAMES)
def test_operators_acknowledge(role: str) -> None:
    alert, client = opened(), someone(role)
    answer = client.post(act(alert, "acknowledge"))
    alert.refresh_from_db()
    if role in roles.NAMES[2:]:
        assert (answer.status_code, alert.acknowledged_by) == (302, role.lower())
        assert recorded() == [(role.lower(), "acknowledge", "alert", "")]
    else:
        assert (answer.status_code, alert.acknowledged_by, recorded()) == (403, "", [])
        assert "Acknowledge</button>" not in text(client.get(LIST))


@pytest.mark.parametrize("role", roles.NAMES)
def test_leads_mute(role: str) -> None:
    alert, client = opened(), someone(role)
    answer = client.post(act(alert, "mute"), {"for": "3600", "reason": "We move."})
    if role in roles.NAMES[3:]:
        assert answer.status_code == 302
        mute = Mute.objects.get()
        assert (mute.rule, mute.scope, mute.muted_by) == ("success", "", role.lower())
        assert timedelta(minutes=59) < mute.until - make.now() <= timedelta(hours=1)
        assert recorded() == [(role.lower(), "mute", "alert", "We move.")]
    else:
        assert (answer.status_code, Mute.objects.count(), recorded()) == (403, 0, [])


@pytest.mark.parametrize("role", roles.NAMES)
def test_admins_edit_rules_and_channels(role: str) -> None:
    made, to, client = rule(), channel(), someone(role)
    before = AuditEntry.objects.count()
    of_rule = client.post(f"{RULES}{made.pk}/change/", form_of(made) | {"threshold": "90"})
    of_channel = client.post(f"{CHANNELS}{to.pk}/change/", {"name": "Night", "is_enabled": "on"})
    tested = client.post(f"{CHANNELS}{to.pk}/test/") if role != "Admin" else None
    made.refresh_from_db()
    to.refresh_from_db()
    if role == "Admin":
        assert (of_rule.status_code, of_channel.status_code) == (302, 302)
        assert (made.threshold, to.name) == (90.0, "Night")
    else:
        assert tested is not None
        assert [each.status_code for each in (of_rule, of_channel, tested)] == [403] * 3
        assert (made.threshold, to.name, AuditEntry.objects.count()) == (95.0, "Ops", before)


def test_taken_back_no_role_tends_alerts() -> None:
    someone("Admin")
    roles.take_back(ALERTS)
    kept = Group.objects.filter(
        permissions__codename__in=["acknowledge_alert", "mute_alert", "view_alertrule"]
    )
    assert not kept.exists()


# -- acts ------------------------------------------------------------------------------------------------


def test_of_two_people_one_acknowledges_and_the_other_is_told_who(chief: Client) -> None:
    alert = opened()
    chief.post(act(alert, "acknowledge"))
    other = browser(is_superuser=True, name="bob")
    answer = other.post(act(alert, "acknowledge"), follow=True)
    assert "It was acknowledged already, by ada." in text(answer)
    alert.refresh_from_db()
    assert alert.acknowledged_by == "ada" and len(recorded()) == 1


def test_what_is_closed_is_acknowledged_by_nobody(chief: Client) -> None:
    alert = opened(closed_at=make.now())
    assert "It is closed already." in text(chief.post(act(alert, "acknowledge"), follow=True))
    assert recorded() == []


def test_a_person_closes_what_nothing_else_will_end(chief: Client) -> None:
    rule("success", name="Success")
    alert, to = opened(), channel()
    AlertMessage.objects.create(
        alert=alert, channel=to, kind="opened", severity="warning", title="x", text="x", due_at=make.now()
    )
    assert "Say why" in text(chief.post(act(alert, "close"), {"reason": " "}, follow=True))
    answer = chief.post(act(alert, "close"), {"reason": "It was shut down.", "of": "page"}, follow=True)
    assert "Closed; if it is so still, the next look opens another." in text(answer)
    alert.refresh_from_db()
    assert alert.closed_at and alert.ending == "Closed by ada: It was shut down."
    assert AlertMessage.objects.get(kind="closed").title == "Over: Success (Weir)"
    assert recorded()[-1] == ("ada", "close", "alert", "It was shut down.")
    assert "It is closed already." in text(chief.post(act(alert, "close"), {"reason": "x"}, follow=True))
    assert [verb for _, verb, kind, _ in recorded() if kind == "alert"] == ["close"]


def test_what_of_an_address_is_not_understood_is_told(chief: Client) -> None:
    page = text(chief.get(f"{LIST}?rule=none&colour=red&before=x"))
    assert "There is no rule “none”; alerts of every rule are shown." in page
    assert "There is no filter “colour”; it was ignored." in page
    assert "“x” is no place in the list; it begins at the newest." in page


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"for": "3600", "reason": " "}, "Say why: a reason is needed."),
        ({"for": "7", "reason": "x"}, "Choose for how long."),
        ({}, "Choose for how long."),
    ],
)
def test_a_mute_wants_a_time_and_a_reason(chief: Client, asked: dict[str, str], sentence: str) -> None:
    answer = chief.post(act(opened(), "mute"), asked)
    assert answer.status_code == 200 and sentence in text(answer)
    assert not Mute.objects.exists() and recorded() == []


def test_a_mute_shows_and_can_be_ended(chief: Client) -> None:
    alert = opened()
    rule("success")
    chief.post(act(alert, "mute"), {"for": "86400", "reason": "We move."})
    assert "Muted by ada until" in text(chief.get(f"{LIST}{alert.pk}/change/"))
    assert "Unmute" in text(chief.get(LIST))
    answer = chief.post("/admin/deliveries/alert/unmute/", {"mute": Mute.objects.get().pk.hex}, follow=True)
    assert "Muted no longer." in text(answer) and "Unmute" not in text(answer)
    assert [verb for _, verb, _, _ in recorded()][-1] == "unmute"


def test_a_whole_rule_is_muted_from_the_rules(chief: Client) -> None:
    made = rule("success")
    address = reverse("admin:deliveries_alertrule_mute", args=[made.pk])
    assert "whatever it is about" in text(chief.get(address))
    answer = chief.post(address, {"for": "3600", "reason": "We move."}, follow=True)
    assert "by ada" in text(answer) and Mute.objects.get().is_of_every_scope


def test_acts_are_posted(chief: Client) -> None:
    alert, to = opened(), channel()
    addresses = (
        act(alert, "acknowledge"), act(alert, "close"), f"{LIST}unmute/", f"{CHANNELS}{to.pk}/test/",
    )  # fmt: skip
    assert [chief.get(address).status_code for address in addresses] == [405] * 4
    assert recorded() == []


# -- rules and channels ----------------------------------------------------------------------------------


def form_of(made: AlertRule) -> dict[str, str]:
    return {
        "name": made.name, "is_enabled": "on", "severity": made.severity, "measure": made.measure, "detail": "",
        "over": made.over, "threshold": str(made.threshold), "window_s": str(made.window_s or ""),
        "least_volume": str(made.least_volume), "hold_s": "0", "remind_s": "",
    }  # fmt: skip


def test_a_rule_is_made_and_a_wrong_one_is_refused_at_its_field(chief: Client) -> None:
    asked = {
        "slug": "errors", "name": "Errors", "is_enabled": "on", "severity": "critical", "measure": "error_rate",
        "detail": "5xx", "over": "hub", "threshold": "5", "window_s": "900", "least_volume": "", "hold_s": "",
    }  # fmt: skip
    wrong = chief.post(f"{RULES}add/", asked | {"detail": "2xx", "window_s": ""})
    form = wrong.context["adminform"].form
    assert set(form.errors) == {"detail", "window_s"} and not AlertRule.objects.exists()
    assert chief.post(f"{RULES}add/", asked).status_code == 302
    made = AlertRule.objects.get()
    assert (made.slug, made.detail, made.threshold, made.window_s, made.hold_s) == (
        "errors",
        "5xx",
        5.0,
        900,
        0,
    )
    assert recorded() == [("ada", "create", "alertrule", "")]
    page = text(chief.get(RULES))
    assert "Error rate (5xx) of the whole hub at least 5 % over 15 minutes." in page


def test_a_rule_keeps_its_slug(chief: Client) -> None:
    made = rule()
    chief.post(f"{RULES}{made.pk}/change/", form_of(made) | {"slug": "other", "name": "Other"})
    made.refresh_from_db()
    assert (made.slug, made.name) == ("success", "Other")


def test_a_channel_is_made_tried_and_never_shows_its_address(chief: Client) -> None:
    rule("loud")
    with Endpoint(answers(200)) as endpoint:
        address = f"json://127.0.0.1:{endpoint.port}/{TOKEN}"
        asked = {
            "name": "Ops",
            "url": address,
            "severities": ["critical"],
            "rules": ["loud"],
            "is_enabled": "on",
        }
        assert chief.post(f"{CHANNELS}add/", asked).status_code == 302
        made = AlertChannel.objects.get()
        page = f"{CHANNELS}{made.pk}/change/"
        shown = [text(chief.get(page)), text(chief.get(CHANNELS))]
        answer = chief.post(f"{CHANNELS}{made.pk}/test/", follow=True)
        endpoint.wait_for(1)
    assert not [each for each in (*shown, text(answer)) if TOKEN in each]
    assert "critical; Loud" in shown[1] and "…9f1c" in shown[1]
    assert "The test was sent, and taken." in text(answer)
    assert [verb for _, verb, kind, _ in recorded() if kind == "alertchannel"] == ["create", "test"]


def test_a_wrong_address_is_refused_and_not_written_back(chief: Client) -> None:
    answer = chief.post(f"{CHANNELS}add/", {"name": "Ops", "url": f"slack://{TOKEN}", "is_enabled": "on"})
    assert answer.status_code == 200 and "Apprise does not know this address" in text(answer)
    assert TOKEN not in text(answer) and not AlertChannel.objects.exists()


def test_a_test_that_fails_is_told(chief: Client, free_port: int) -> None:
    made = channel(url=f"json://127.0.0.1:{free_port}/{TOKEN}")
    answer = chief.post(f"{CHANNELS}{made.pk}/test/", follow=True)
    assert "The test was not taken. It could not be reached, or refused it." in text(answer)


# -- the overview ------------------------------------------------------------------------------------------


def test_the_overview_says_what_is_open_the_worst_first(chief: Client) -> None:
    opened(summary="Success is low.", scope="a")
    page = text(chief.get("/admin/"))
    assert "An alert is open." in page and 'class="banner warn with-links"' in page
    opened(summary="Nobody dispatches.", severity="critical", scope="b")
    page = text(chief.get("/admin/"))
    assert "2 alerts are open.</strong> Nobody dispatches. Success is low." in page
    assert f'href="{LIST}"' in page
    Alert.objects.update(closed_at=make.now())
    assert "alert is open" not in text(chief.get("/admin/"))
