"""A subscriber that listens hears of alerts about itself and its subscriptions, and of no others."""

import json
from datetime import timedelta
from typing import Any

import pytest

from deliveries.models import Alert, Rollup, Subscription
from deliveries.services import alert_acts
from tests import make
from tests.alerting import look, no_rules, rule  # noqa: F401 (a fixture)
from webhooks.deciders.own import OWN_SOURCE
from webhooks.deciders.times import zulu
from webhooks.ids import public_id
from webhooks.models import Event

pytestmark = pytest.mark.django_db


def failing(name: str, owner: Any) -> Subscription:
    made = make.subscription(name=name, subscriber=owner)
    make.slices(made, ago=timedelta(0), attempts=40, delivered_first=30, retried=10)
    return made


def ear(owner: Any, *patterns: str) -> None:
    make.subscription(name="ear", subscriber=owner, event_types=list(patterns or ("weir.alert.*",)))


def told() -> list[tuple[str, Any, Any]]:
    events = Event.objects.filter(source_id=OWN_SOURCE).order_by("pk").select_related("content")
    return [(e.event_type, e.target_id, json.loads(bytes(e.content.body))["data"]) for e in events]


def test_an_alert_about_a_subscription_is_told_to_its_subscriber_once_and_so_is_its_end() -> None:
    rule(over="each_subscription")
    billing, other = make.subscriber("billing"), make.subscriber("other")
    ear(billing)
    hook, _ = failing("orders", billing), failing("theirs", other)
    look(), look()
    alert = Alert.objects.get(scope=public_id("subscription", hook.pk))
    said = {
        "subscription": public_id("subscription", hook.pk),
        "name": "orders",
        "alert": public_id("alert", alert.pk),
        "rule": "success",
        "severity": "warning",
        "text": alert.summary,
        "opened_at": zulu(alert.opened_at),
        "closed_at": None,
    }
    assert told() == [("weir.alert.opened", billing.pk, said)]
    assert Event.objects.get(source_id=OWN_SOURCE).external_id == f"weir.alert.opened/{alert.pk.hex}"
    Rollup.objects.update(delivered_first=40, retried=0)
    look(), look()
    alert.refresh_from_db()
    assert alert.closed_at is not None
    ended = said | {"text": alert.ending, "closed_at": zulu(alert.closed_at)}
    assert told()[1:] == [("weir.alert.closed", billing.pk, ended)]


def test_an_alert_about_a_subscriber_is_told_to_it() -> None:
    billing = make.subscriber("billing")
    rule(over="subscriber", subscriber=billing)
    ear(billing)
    failing("orders", billing)
    look()
    [(kind, target, data)] = told()
    assert (kind, target, data["rule"]) == ("weir.alert.opened", billing.pk, "success")
    assert "subscription" not in data


def test_an_alert_about_the_hub_is_nobody_elses_business() -> None:
    rule()
    billing = make.subscriber("billing")
    ear(billing)
    failing("orders", billing)
    look()
    assert Alert.objects.count() == 1 and told() == []


def test_whoever_does_not_ask_for_it_is_told_nothing() -> None:
    rule(over="each_subscription")
    billing = make.subscriber("billing")
    ear(billing, "*", "weir.delivery.dead")
    failing("orders", billing)
    look()
    assert Alert.objects.count() == 1 and told() == []


def test_an_end_by_hand_is_told_too() -> None:
    rule(over="each_subscription")
    billing = make.subscriber("billing")
    ear(billing, "weir.alert.closed")
    failing("orders", billing)
    look()
    alert = Alert.objects.get()
    alert_acts.close(alert_id=alert.pk, reason="Its lane is gone.", actor="ada", now=make.now())
    assert [(kind, data["text"]) for kind, _, data in told()] == [
        ("weir.alert.closed", "Closed by ada: Its lane is gone.")
    ]
