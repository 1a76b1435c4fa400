"""The rules and dashboards in ops/ hold against a real Prometheus that watches a hub at work."""

import json
import math
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from deliveries.models import Delivery, DeliveryState, Replay, Subscription
from deliveries.services import depths, folding
from deliveries.services.replay import replay_delivery
from tests import make
from tests.endpoints import Endpoint, answers, takes_turns
from tests.prometheus import PATIENCE_S, RULES, Prometheus, promtool, running
from tests.running import dispatchers, until
from webhooks.ids import public_id
from webhooks.models import Event, EventState, Source
from webhooks.services import rollups

DASHBOARDS = Path(__file__).resolve().parent.parent / "ops" / "grafana"


def test_the_rules_are_sound() -> None:
    told = promtool("check", "rules", str(RULES / "alerts.yml"))
    assert (told.returncode, "SUCCESS" in told.stdout) == (0, True), told.stderr


def test_each_alert_is_heard_where_it_should_be_and_silent_where_not() -> None:
    told = promtool("test", "rules", str(RULES / "alerts_test.yml"))
    assert told.returncode == 0, told.stdout + told.stderr


def test_every_alert_has_a_test_of_its_own() -> None:
    rules, tests = ((RULES / name).read_text() for name in ("alerts.yml", "alerts_test.yml"))
    alerts = {line.split()[-1] for line in rules.splitlines() if "- alert:" in line}
    tested = {line.split()[-1] for line in tests.splitlines() if "- alertname:" in line}
    assert alerts == tested
    assert len(alerts) > 10


def test_the_example_configuration_is_sound() -> None:
    told = promtool("check", "config", str(RULES / "prometheus.yml"))
    assert told.returncode == 0, told.stdout + told.stderr


def queries(board: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Of its variables and of its panels, each with who asks it."""
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["name"], variable["definition"].removeprefix("query_result(").removesuffix(")")
    for panel in board["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]


def boards() -> dict[str, dict[str, Any]]:
    return {path.name: json.loads(path.read_text()) for path in sorted(DASHBOARDS.glob("*.json"))}


@pytest.fixture
def at_work(settings: Any) -> Iterator[None]:
    settings.HUB_EGRESS_ALLOW = [ip_network("127.0.0.0/8")]
    settings.HUB_RETRY_DELAYS_S = (0.02,)
    rollups.stop()
    yield
    rollups.stop()


class Hub:
    """A little of everything that there is to see."""

    def __init__(self, good: Endpoint, moody: Endpoint) -> None:
        make.source("shop")
        Source.objects.filter(slug="shop").update(expected_every_s=600)
        self.lane = make.subscription(moody.url, event_types=["user.*"], circuit_min_volume=1_000)
        make.subscription(good.url, event_types=["user.*"], filter="length(`1`)")
        weak = {"circuit_min_volume": 1, "circuit_cooldown_s": 60, "circuit_cooldown_cap_s": 60}
        self.parked = make.subscription("http://127.0.0.1:9/", event_types=["user.*"], **weak)
        Replay.objects.create(ordered_by="ada", total=10, delivered=3)

    def live(self, client: Any, name: str) -> None:
        for number in range(4):
            client.post("/in/shop", json.dumps({"id": f"{name}{number}"}), content_type="application/json")
        client.put("/in/shop", b"")
        Event.objects.filter(state=EventState.RECEIVED, event_type="").update(event_type="order.placed")
        for _ in range(4):
            make.event(type="user.created")
        until(self._is_settled, within_s=PATIENCE_S)
        delivery = Delivery.objects.filter(subscription=self.lane, state=DeliveryState.DELIVERED).first()
        assert replay_delivery(delivery_id=delivery.pk, actor="ada").is_done
        until(self._is_settled, within_s=PATIENCE_S)
        rollups.flush()
        folding.fold()
        depths.sample(make.now())

    def _is_settled(self) -> bool:
        owed = Delivery.objects.filter(state=DeliveryState.PENDING).exclude(subscription=self.parked)
        return not owed.exists() and not Event.objects.filter(state=EventState.RECEIVED).exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("at_work")
def test_no_query_of_a_dashboard_is_empty_on_a_hub_at_work(
    live_server: Any, client: Any, tmp_path: Path
) -> None:
    target = live_server.url.removeprefix("http://")
    with (
        Endpoint(answers(204)) as good,
        Endpoint(takes_turns(answers(503), answers(503), answers(503), answers(200))) as moody,
        running(tmp_path, [target]) as prometheus,
        dispatchers(),
    ):
        hub = Hub(good, moody)
        hub.live(client, "a")
        prometheus.until("sum(weir_deliveries_total)", 4)
        hub.live(client, "b")
        prometheus.until('sum(weir_deliveries_total{outcome="delivered_first"})', 4)
        prometheus.until("sum(weir_replay_attempts_total)", 2)
        empty = [
            (name, who, expression)
            for name, board in boards().items()
            for who, expression in queries(board)
            if not any(is_shown(prometheus, expression, lane) for lane in (hub.lane, hub.parked))
        ]
        assert empty == []
        ill = [
            rule["name"]
            for group in prometheus.ask("rules")["groups"]
            for rule in group["rules"]
            if rule["health"] == "err"
        ]
        assert ill == []


def is_shown(prometheus: Prometheus, expression: str, lane: Subscription) -> bool:
    """Whether anything of it is a number."""
    asked = expression
    for variable, value in {
        "$__rate_interval": "1m",
        "$__interval": "1m",
        "$subscription": public_id("subscription", lane.pk),
    }.items():
        asked = asked.replace(variable, value)
    return any(math.isfinite(float(each["value"][1])) for each in prometheus.query(asked))
