"""What Weir tells subscribers of themselves is described as it is sent: every type, each field, nothing besides."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import jsonschema
import pytest

from deliveries.deciders.outcome import Outcome
from deliveries.deciders.own_types import OWN_TYPES
from deliveries.models import Lane, Rollup
from deliveries.models.alert import Severity
from deliveries.services import endurance, holds
from hub.openapi.document import webhooks
from tests import make, replaying
from tests.alerting import look, no_rules, rule  # noqa: F401 (a fixture)
from tests.desks import Table
from webhooks.deciders.own import OWN_SOURCE
from webhooks.models import Event, EventType

pytestmark = pytest.mark.django_db(transaction=True)

FORMATS = jsonschema.FormatChecker()


@FORMATS.checks("date-time", raises=ValueError)
def _is_moment(text: object) -> bool:
    return not isinstance(text, str) or datetime.fromisoformat(text).tzinfo is not None


def media(name: str) -> dict[str, Any]:
    return dict(webhooks()[name]["post"]["requestBody"]["content"]["application/json"])


def check(name: str, body: Any) -> None:
    jsonschema.Draft202012Validator(media(name)["schema"], format_checker=FORMATS).validate(body)


def sent() -> list[Any]:
    """The bodies of Weir's own events, which go out as they are."""
    events = Event.objects.filter(source_id=OWN_SOURCE).order_by("pk").select_related("content")
    return [json.loads(bytes(each.content.body)) for each in events]


def circuit_opens_and_closes() -> None:
    failing = make.subscription(event_types=["order.*"], circuit_cooldown_s=0.5, window=10)
    make.deliveries(failing, 30)
    table = Table()
    table.turn()
    table.answer(table.begin(), Outcome.SERVER_ERROR)
    for _ in range(30):
        table.pass_s(5)
        table.turn()
        table.answer(table.begin(), Outcome.OK)


def fails_for_long() -> None:
    failing = make.subscription(event_types=["order.*"], disable_after_s=3_600)
    make.delivery(failing)
    Lane.objects.filter(pk=failing.pk).update(failing_since=make.now() - timedelta(minutes=55))
    endurance.contain_failing(now=make.now())


def is_disabled() -> None:
    holds.disable(
        subscription_id=make.subscription(event_types=["order.*"]).pk, actor="ada", reason="it moved"
    )


def dies() -> None:
    replaying.dead(make.subscription(event_types=["order.*"]))


def replay_is_over() -> None:
    replaying.dead(make.subscription(event_types=["order.*"]), 3)
    replaying.started()
    table = Table()
    for _ in range(5):
        table.pass_s(5)
        table.turn()
        table.answer(table.begin(), Outcome.OK)


def alert_opens_and_closes(**over: Any) -> None:
    rule(**over or {"over": "each_subscription"})
    failing = make.subscription(event_types=["order.*"])
    make.slices(failing, ago=timedelta(0), attempts=40, delivered_first=30, retried=10)
    look()
    Rollup.objects.update(delivered_first=40, retried=0)
    look(), look()


def alert_about_a_subscriber() -> None:
    alert_opens_and_closes(over="subscriber", subscriber=make.subscriber())


FACTS: tuple[tuple[Callable[[], None], set[str]], ...] = (
    (circuit_opens_and_closes, {"weir.subscription.failing", "weir.subscription.recovered"}),
    (fails_for_long, {"weir.subscription.failing"}),
    (is_disabled, {"weir.subscription.disabled"}),
    (dies, {"weir.delivery.dead"}),
    (replay_is_over, {"weir.delivery.dead", "weir.replay.finished"}),
    (alert_opens_and_closes, {"weir.alert.opened", "weir.alert.closed"}),
    (alert_about_a_subscriber, {"weir.alert.opened", "weir.alert.closed"}),
)


@pytest.mark.parametrize(("happen", "kinds"), FACTS, ids=lambda each: getattr(each, "__name__", ""))
def test_what_is_sent_is_as_described(happen: Callable[[], None], kinds: set[str]) -> None:
    make.subscription(name="ear", event_types=["weir.*"])
    happen()
    told = sent()
    assert {body["event_type"] for body in told} == kinds
    for body in told:
        check(body["event_type"], body)
        assert list(body) == ["event_id", "event_type", "timestamp", "data"]
        assert set(body["data"]) <= set(OWN_TYPES[body["event_type"]].fields)


def test_every_type_is_among_these() -> None:
    assert set().union(*(kinds for _, kinds in FACTS)) == set(OWN_TYPES)


@pytest.mark.parametrize("name", OWN_TYPES)
def test_its_example_fits_its_description(name: str) -> None:
    example = media(name)["example"]
    check(name, example)
    assert example["event_id"].startswith(f"{name}/")
    assert set(example["data"]) == set(OWN_TYPES[name].fields)


def test_they_stand_beside_the_types_of_the_catalogue() -> None:
    EventType.objects.create(name="order.placed")
    assert set(webhooks()) == {"order.placed", *OWN_TYPES}


def test_an_alert_is_as_loud_as_described() -> None:
    assert OWN_TYPES["weir.alert.opened"].fields["severity"]["enum"] == Severity.values
