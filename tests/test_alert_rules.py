"""What a rule may say: one sentence for each wrong field, and a record of every change. The first rules are there."""

from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.core.exceptions import ValidationError

from deliveries.admin.alert_rules import sentence_of
from deliveries.models import AlertRule
from deliveries.services import alert_rules
from deliveries.services.alert_rule_checks import check
from tests import make
from tests.alerting import no_rules, rule  # noqa: F401 (a fixture)
from webhooks.models import AuditEntry

pytestmark = pytest.mark.django_db

first_rules = import_module("deliveries.migrations.0017_watch_from_the_first_run")


def refused(slug: str = "success", **options: Any) -> dict[str, list[str]]:
    with pytest.raises(ValidationError) as refusal:
        rule(slug, **options)
    assert not AlertRule.objects.filter(slug=slug).exists()
    return refusal.value.message_dict


@pytest.mark.parametrize(
    ("options", "field", "sentence"),
    [
        ({"name": " "}, "name", "Give the rule a name."),
        ({"measure": "weather", "threshold": 1.0}, "measure", "Choose what is measured."),
        ({"severity": "deafening"}, "severity", "Choose one of critical, warning, info."),
        ({"over": "source"}, "over",
         "Attempt success rate is measured over one of: hub, each subscription, subscription, subscriber."),
        ({"over": "subscription"}, "subscription", "Say which subscription."),
        ({"over": "subscriber"}, "subscriber", "Say which subscriber."),
        ({"threshold": None}, "threshold", "Say from which figure on it is bad."),
        ({"threshold": 101.0}, "threshold", "Choose more than 0 and at most 100 %."),
        ({"threshold": float("nan")}, "threshold", "Choose more than 0 and at most 100 %."),
        ({"clear_threshold": 94.0}, "clear_threshold",
         "It is over at a better figure than it began at: choose at least 95."),
        ({"clear_threshold": 101.0}, "clear_threshold", "Choose 0 or more, and of a rate at most 100 %."),
        ({"window_s": None}, "window_s", "Choose one of 5 minutes, 15 minutes, 30 minutes, 1 hour, 6 hours, 24 hours."),
        ({"detail": "5xx"}, "detail", "Leave this empty: Attempt success rate asks for none."),
        ({"hold_s": -1}, "hold_s", "Choose 0 seconds to 31 days."),
        ({"remind_s": 59}, "remind_s", "Choose 60 seconds to 31 days, or leave it empty for never."),
        ({"measure": "error_rate", "threshold": 5.0, "window_s": 900, "detail": "2xx"}, "detail",
         "Name a status such as 503, a class such as 5xx, or an outcome such as timeout."),
        ({"measure": "latency", "threshold": 5.0, "window_s": 900, "detail": "100"}, "detail",
         "Choose a percentile between 1 and 99.9, such as 95."),
        ({"measure": "oldest_due", "threshold": 300.0, "window_s": 900}, "window_s",
         "Leave this empty: it is measured as of now."),
        ({"measure": "oldest_due", "threshold": 300.0, "least_volume": 5}, "least_volume",
         "Leave this at 0: there is nothing to have too few of."),
        ({"measure": "oldest_due", "threshold": 300.0, "clear_threshold": 301.0}, "clear_threshold",
         "It is over at a better figure than it began at: choose at most 300."),
        ({"measure": "circuit_open", "over": "each_subscription", "threshold": 1.0}, "threshold",
         "Leave this empty: it is so or it is not; say for how long instead."),
        ({"measure": "circuit_open", "over": "each_subscription", "clear_threshold": 1.0}, "clear_threshold",
         "Leave this empty: it is over when it is so no longer."),
        ({"measure": "dispatcher_missing", "over": "each_subscription"}, "over",
         "No dispatcher at work is measured over one of: hub."),
    ],
)  # fmt: skip
def test_a_wrong_field_is_told_in_one_sentence(options: dict[str, Any], field: str, sentence: str) -> None:
    assert refused(**options) == {field: [sentence]}


def test_a_slug_is_one_and_is_nobody_else_s() -> None:
    assert "lower-case letters" in refused("Not One")["slug"][0]
    rule("mine")
    with pytest.raises(ValidationError) as refusal:
        rule("mine")
    assert refusal.value.message_dict == {"slug": ["There is a rule with this slug already."]}


def test_a_rule_about_one_thing_names_no_other() -> None:
    to = make.subscription()
    assert refused(subscription=to) == {
        "subscription": ["Leave this empty: the rule is not about one subscription."]
    }


def test_what_people_change_is_recorded_and_what_they_leave_is_not() -> None:
    made = rule()
    alert_rules.update_rule(rule_id=made.pk, threshold=90.0, actor="ada")
    alert_rules.update_rule(rule_id=made.pk, threshold=90.0, actor="ada")
    entries = AuditEntry.objects.filter(object_kind="alertrule").order_by("pk")
    assert [(entry.verb, entry.before, entry.after) for entry in entries][1:] == [
        ("update", {"threshold": 95.0}, {"threshold": 90.0})
    ]
    assert entries[0].verb == "create"


def test_a_wrong_change_changes_nothing() -> None:
    made = rule()
    with pytest.raises(ValidationError):
        alert_rules.update_rule(rule_id=made.pk, threshold=0.0, name="Other", actor="ada")
    made.refresh_from_db()
    assert (made.threshold, made.name) == (95.0, "Success")


# -- the first rules ---------------------------------------------------------------------------------------


def test_a_hub_watches_from_its_first_run() -> None:
    AlertRule.objects.all().delete()
    first_rules.give(apps, None)
    first_rules.give(apps, None)
    assert {each.slug: sentence_of(each) for each in AlertRule.objects.all()} == {
        "success-rate": (
            "Attempt success rate of the whole hub under 95 % over 15 minutes, of at least 20 attempts; "
            "it ends at 97 %."
        ),
        "oldest-due": "Age of the oldest due delivery of the whole hub at least 5 min; it ends under 2 min.",
        "dead-letter": "New dead letters of the whole hub at least 1 over 15 minutes.",
        "circuit-open": "Circuit not closed: each subscription, for 10 min.",
        "no-dispatcher": "No dispatcher at work, for 1 min.",
    }


def test_the_first_rules_pass_the_checks_of_every_other() -> None:
    first_rules.give(apps, None)
    given = list(AlertRule.objects.all())
    assert len(given) == 5
    for each in given:
        check(each)


def test_taken_back_they_are_gone_and_a_rule_of_one_s_own_is_not() -> None:
    first_rules.give(apps, None)
    rule("mine")
    first_rules.take_back(apps, None)
    assert list(AlertRule.objects.values_list("slug", flat=True)) == ["mine"]
