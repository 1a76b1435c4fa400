"""Rules are looked at every half minute: an alert opens once, people are reminded, it closes once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, connections
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from deliveries.models import Alert, AlertMessage, AlertRule, Breach, Rollup
from deliveries.services import alert_acts, alert_messages, alert_rules, alerting
from deliveries.services.alerting import Looked
from tests import make
from tests.alerting import channel, look, messages, no_rules, rule  # noqa: F401 (a fixture)
from webhooks.ids import public_id
from webhooks.models import AuditEntry, Source

pytestmark = pytest.mark.django_db

NOW = timedelta(0)


def fails(to: Any, *, attempts: int = 40, delivered: int = 30) -> None:
    make.slices(to, ago=NOW, attempts=attempts, delivered_first=delivered, retried=attempts - delivered)


def recovers(to: Any) -> None:
    """All that was tried in this window arrived after all."""
    Rollup.objects.update(delivered_first=F("attempts"), retried=0)


def test_it_opens_once_and_closes_once() -> None:
    rule()
    to = make.subscription()
    fails(to)
    assert [look(), look(), look()] == [Looked(opened=1), Looked(), Looked()]
    alert = Alert.objects.get()
    assert (alert.rule, alert.scope, alert.severity) == ("success", "", "warning")
    assert (
        alert.summary == "Attempt success rate of the whole hub: 75 %, under 95 % (15 minutes, 40 attempts)."
    )
    recovers(to)
    assert [look(125, since=alert.opened_at), look()] == [Looked(closed=1), Looked()]
    alert.refresh_from_db()
    assert alert.ending == "Over after 2 min 5 s: Attempt success rate of the whole hub, now 100 %."
    assert alert.closed_at == alert.opened_at + timedelta(seconds=125)


def test_what_comes_again_opens_another() -> None:
    rule()
    to = make.subscription()
    fails(to)
    look()
    recovers(to)
    look()
    fails(to, delivered=0)
    assert look() == Looked(opened=1)
    assert [bool(alert.closed_at) for alert in Alert.objects.order_by("pk")] == [True, False]


def test_too_few_attempts_open_nothing() -> None:
    rule()
    fails(make.subscription(), attempts=19, delivered=0)
    assert look() == Looked()
    assert not Alert.objects.exists() and not Breach.objects.exists()


def test_a_breach_waits_in_the_table_so_that_a_restart_changes_nothing() -> None:
    rule(hold_s=60)
    fails(make.subscription())
    began = make.now()
    assert look(0, since=began) == Looked()
    assert list(Breach.objects.values_list("rule", "scope", "since")) == [("success", "", began)]
    assert look(59, since=began) == Looked()
    assert look(60, since=began) == Looked(opened=1)
    assert Alert.objects.get().opened_at == began + timedelta(seconds=60)
    assert not Breach.objects.exists()


def test_a_breach_that_ends_in_time_is_forgotten() -> None:
    rule(hold_s=60)
    to = make.subscription()
    fails(to)
    look()
    recovers(to)
    assert look(30) == Looked()
    assert not Breach.objects.exists() and not Alert.objects.exists()


def test_a_look_that_is_cut_short_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rule()
    channel()
    fails(make.subscription())

    def killed(*_: object, **__: object) -> int:
        raise RuntimeError

    with monkeypatch.context() as cut:
        cut.setattr(alert_messages, "write", killed)
        with pytest.raises(RuntimeError):
            look()
    assert not Alert.objects.exists() and not AlertMessage.objects.exists()
    assert look() == Looked(opened=1, messages=1)


@pytest.mark.django_db(transaction=True)
def test_eight_looks_at_once_open_one_alert_and_tell_of_it_once() -> None:
    rule()
    channel()
    fails(make.subscription())
    now = make.now()

    def one_look(_: int) -> Looked:
        try:
            return alerting.look(now=now)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        looked = list(pool.map(one_look, range(8)))
    assert sum(each.opened for each in looked) == 1
    assert Alert.objects.count() == AlertMessage.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_eight_looks_at_once_remind_once_and_close_once() -> None:
    rule(remind_s=60)
    channel()
    to = make.subscription()
    fails(to)
    began = make.now()
    look(0, since=began)

    def looks_at_once(after: float) -> list[Looked]:
        def one_look(_: int) -> Looked:
            try:
                return look(after, since=began)
            finally:
                connections.close_all()

        with ThreadPoolExecutor(8) as pool:
            return list(pool.map(one_look, range(8)))

    assert sum(each.told for each in looks_at_once(60)) == 1
    recovers(to)
    assert sum(each.closed for each in looks_at_once(90)) == 1
    assert [kind for kind, _ in messages()] == ["opened", "reminded", "closed"]


# -- telling ---------------------------------------------------------------------------------------------


def test_channels_are_told_of_opening_reminders_and_the_end() -> None:
    rule(name="Success under 95 %", remind_s=600)
    channel()
    to = make.subscription()
    fails(to)
    began = make.now()
    for after in (0, 30, 599, 600, 630):
        look(after, since=began)
    recovers(to)
    look(660, since=began)
    assert messages() == [
        ("opened", "Success under 95 % (Weir)"),
        ("reminded", "Still so: Success under 95 % (Weir)"),
        ("closed", "Over: Success under 95 % (Weir)"),
    ]
    texts = AlertMessage.objects.order_by("pk").values_list("text", flat=True)
    assert list(texts)[::2] == [
        "Attempt success rate of the whole hub: 75 %, under 95 % (15 minutes, 40 attempts).",
        "Over after 11 min: Attempt success rate of the whole hub, now 100 %.",
    ]


def test_a_message_leads_to_the_alert_and_names_the_environment(settings: Any) -> None:
    settings.HUB_PUBLIC_URL, settings.HUB_ENVIRONMENT = "https://hub.example.com", "staging"
    rule()
    channel()
    fails(make.subscription())
    look()
    message = AlertMessage.objects.get()
    assert message.title == "Success (Weir, staging)"
    assert message.text.splitlines()[1] == (
        f"https://hub.example.com/admin/deliveries/alert/{message.alert_id}/change/"
    )


def test_a_channel_is_told_what_it_asked_for() -> None:
    rule("quiet", severity="info")
    rule("loud", severity="critical")
    channel("All")
    channel("Loud", severities=["critical"])
    channel("Quiet", rules=["quiet"])
    channel("Off", is_enabled=False)
    fails(make.subscription())
    assert look() == Looked(opened=2, messages=4)
    told = AlertMessage.objects.order_by("channel__name", "alert__rule").values_list(
        "channel__name", "alert__rule"
    )
    assert list(told) == [("All", "loud"), ("All", "quiet"), ("Loud", "loud"), ("Quiet", "quiet")]


def test_the_end_is_told_to_whoever_was_told_of_the_opening_and_to_nobody_else() -> None:
    rule()
    channel("Early")
    to = make.subscription()
    fails(to)
    look()
    channel("Late")
    recovers(to)
    look()
    closed = AlertMessage.objects.filter(kind="closed").values_list("channel__name", flat=True)
    assert list(closed) == ["Early"]


def test_very_many_at_once_are_told_in_one_message() -> None:
    rule(over="each_subscription", name="Success")
    channel()
    for number in range(12):
        fails(make.subscription(name=f"lane {number:02}"))
    assert look() == Looked(opened=12, messages=1)
    message = AlertMessage.objects.get()
    assert message.title == "Success: 12 at once (Weir)"
    assert "It is so of 12 at once: lane 00, lane 01," in message.text and "and 2 more." in message.text
    Rollup.objects.update(delivered_first=F("attempts"), retried=0)
    assert look() == Looked(closed=12, messages=1)


def test_an_acknowledged_alert_reminds_nobody_and_its_end_is_told() -> None:
    rule(remind_s=60)
    channel()
    to = make.subscription()
    fails(to)
    began = make.now()
    look(0, since=began)
    alert_acts.acknowledge(alert_id=Alert.objects.get().pk, actor="ada", now=began)
    assert look(3_600, since=began) == Looked()
    fails(to, attempts=1)
    recovers(to)
    look(60, since=began)
    assert [kind for kind, _ in messages()] == ["opened", "closed"]


def test_what_is_muted_opens_and_is_told_once_the_mute_is_over() -> None:
    watched = rule()
    channel()
    fails(make.subscription())
    began = make.now()
    alert_acts.mute_rule(
        rule_id=watched.pk, until=began + timedelta(seconds=60), reason="We move.", actor="ada", now=began
    )
    assert look(0, since=began) == Looked(opened=1)
    assert Alert.objects.get().told_at is None
    assert look(59, since=began) == Looked()
    assert look(60, since=began) == Looked(told=1, messages=1)
    assert Alert.objects.get().told_at == began + timedelta(seconds=60)


def test_a_mute_of_one_thing_leaves_the_others_alone() -> None:
    rule(over="each_subscription", remind_s=60)
    channel()
    one, other = make.subscription(name="one"), make.subscription(name="other")
    fails(one)
    fails(other)
    began = make.now()
    look(0, since=began)
    alert = Alert.objects.get(scope=public_id("subscription", one.pk))
    mute = alert_acts.mute_alert(
        alert_id=alert.pk, until=began + timedelta(hours=1), reason="Known.", actor="ada", now=began
    )
    assert look(60, since=began) == Looked(told=1, messages=1)
    assert messages()[-1] == ("reminded", "Still so: Success: other (Weir)")
    alert_acts.unmute(mute_id=mute.pk, actor="ada", now=began + timedelta(seconds=61))
    assert look(62, since=began) == Looked(told=1, messages=1)
    verbs = AuditEntry.objects.filter(verb__in=["mute", "unmute"]).order_by("pk")
    assert [(entry.verb, entry.actor, entry.reason) for entry in verbs] == [
        ("mute", "ada", "Known."),
        ("unmute", "ada", ""),
    ]


# -- rules that change -----------------------------------------------------------------------------------


def test_a_disabled_rule_closes_what_it_opened() -> None:
    watched = rule()
    channel()
    fails(make.subscription())
    look()
    alert_rules.update_rule(rule_id=watched.pk, is_enabled=False, actor="ada")
    assert look() == Looked(closed=1, messages=1)
    assert Alert.objects.get().ending == "Over: the rule “Success” is disabled."


def test_a_rule_that_this_version_does_not_know_stops_no_other() -> None:
    rule()
    AlertRule.objects.create(slug="later", name="Later", measure="weather")
    fails(make.subscription())
    assert look() == Looked(opened=1)


def test_a_rule_that_turns_to_something_else_closes_what_it_opened() -> None:
    watched = rule()
    channel()
    fails(make.subscription())
    look()
    alert_rules.update_rule(rule_id=watched.pk, over="each_subscription", actor="ada")
    alert = Alert.objects.get()
    assert (alert.closed_at is not None, alert.ending) == (
        True,
        "Over: the rule was changed to be about something else.",
    )
    assert [kind for kind, _ in messages()] == ["opened", "closed"]


def test_a_new_threshold_holds_for_what_is_open() -> None:
    watched = rule()
    fails(make.subscription())
    look()
    alert_rules.update_rule(rule_id=watched.pk, threshold=70.0, actor="ada")
    assert look() == Looked(closed=1)


# -- cost ------------------------------------------------------------------------------------------------


def questions() -> list[str]:
    with CaptureQueriesContext(connection) as asked:
        look()
    return [each["sql"] for each in asked]


KINDS: dict[str, dict[str, Any]] = {
    "success_rate": {"over": "each_subscription", "threshold": 1.0, "window_s": 300, "least_volume": 0},
    "error_rate": {"over": "each_subscription", "detail": "503", "threshold": 99.0, "window_s": 3_600},
    "latency": {"over": "each_subscription", "detail": "99", "threshold": 30_000.0, "window_s": 86_400},
    "oldest_due": {"over": "each_subscription", "threshold": 1e6},
    "queue_depth": {"over": "hub", "threshold": 1e6},
    "dead_letters": {"over": "each_subscription", "threshold": 1e6, "window_s": 900},
    "circuit_open": {"over": "each_subscription", "hold_s": 86_400},
    "source_silent": {"over": "each_source", "hold_s": 86_400},
    "dispatcher_missing": {"over": "hub", "hold_s": 86_400},
}


def rules_of_every_kind(numbers: range) -> None:
    for number in numbers:
        for measure, more in KINDS.items():
            rule(f"{measure.replace('_', '-')}-{number}", measure=measure, **more)


def test_nine_rules_ask_as_often_as_three_hundred_over_a_hundred_lanes() -> None:
    make.seat()
    fails(make.subscription(), attempts=1, delivered=1)
    rules_of_every_kind(range(1))
    look()
    few = len(questions())
    for number in range(100):
        fails(make.subscription(name=f"lane {number}"), attempts=1, delivered=1)
        make.source(f"source-{number}")
    rules_of_every_kind(range(1, 34))
    assert AlertRule.objects.count() == 306
    assert len(questions()) == few == 12


def test_a_look_reads_slices_and_samples_and_no_big_table() -> None:
    make.delivery(make.subscription(), state="dead", attempts=1)
    rules_of_every_kind(range(1))
    make.source("shop")
    Source.objects.update(expected_every_s=60)
    read = " ".join(questions())
    assert "deliveries_rollup" in read and "deliveries_depthsample" in read
    for table in ("delivery", "attempt", "deadletter", "circuitchange", "tally", "exchange"):
        assert f'"deliveries_{table}"' not in read
    # The latest event of each source, of which the index has the end at hand.
    assert read.count('FROM "webhooks_event"') == read.count("LIMIT 1) AS") == 1
