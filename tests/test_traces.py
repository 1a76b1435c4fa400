"""Where OTEL_… asks for it, what happens to an event is one trace, joined to the sender's and the receiver's."""

import os
import subprocess
import sys
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from deliveries.models import Attempt, Delivery, DeliveryState
from hub.otlp import Exporter
from hub.tracing import is_asked_for
from tests import make
from tests.collector import Collector
from tests.endpoints import Endpoint, answers, takes_turns
from tests.running import dispatchers, until
from webhooks import spans
from webhooks.ids import public_id
from webhooks.models import Event, EventState
from webhooks.services.keys import create_api_key

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with Collector() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.address)
        exporter = Exporter()
        spans.use(exporter.emit, exporter.flush)
        yield collector
        spans.use(None)
        exporter.close()


def is_settled() -> bool:
    waiting = Event.objects.filter(state=EventState.RECEIVED)
    return not waiting.exists() and not Delivery.objects.filter(state=DeliveryState.PENDING).exists()


def attributes(span: Any) -> dict[str, object]:
    return {each.key: each.value.string_value or each.value.int_value for each in span.attributes}


@pytest.mark.django_db(transaction=True)
class TestSpans:
    @pytest.fixture(autouse=True)
    def loopback(self, settings) -> None:
        settings.HUB_EGRESS_ALLOW = [ip_network("127.0.0.0/8")]
        settings.HUB_RETRY_DELAYS_S = (0.02,)

    def send(self, **headers: str) -> None:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        Client().post("/in/shop", make.BODY, content_type="application/json", headers=given)

    def test_receive_route_and_attempts_are_one_trace_joined_on_both_sides(
        self, collector: Collector
    ) -> None:
        make.source("shop")
        with Endpoint(takes_turns(answers(503), answers(204))) as endpoint:
            lane = make.subscription(endpoint.url)
            self.send(traceparent=f"00-{TRACE}-{SPAN}-01")
            with dispatchers():
                until(is_settled)
        spans.flush()
        event, delivery = Event.objects.get(), Delivery.objects.get()
        [receive], [route], attempts = (collector.named(name) for name in ("receive", "route", "attempt"))
        assert collector.services == {"weir"}
        assert {span.trace_id.hex() for span in collector.spans} == {event.trace_id.hex}
        assert [(link.trace_id.hex(), link.span_id.hex()) for link in receive.links] == [(TRACE, SPAN)]
        assert (receive.parent_span_id, route.parent_span_id) == (b"", receive.span_id)
        assert [span.parent_span_id for span in attempts] == [route.span_id] * 2
        # What the receiver was told is where its own spans will hang.
        told = [request.headers["traceparent"] for request in endpoint.requests]
        assert told == [f"00-{event.trace_id.hex}-{span.span_id.hex()}-01" for span in attempts]
        failed, good = attempts
        assert (failed.status.code, good.status.code) == (2, 0)
        assert attributes(good) == {
            "weir.event_id": public_id("event", event.pk),
            "weir.delivery_id": public_id("delivery", delivery.pk),
            "weir.subscription_id": public_id("subscription", lane.pk),
            "weir.attempt_id": public_id("attempt", Attempt.objects.get(number=2).pk),
            "weir.attempt": 2,
            "weir.outcome": "ok",
            "http.request.method": "POST",
            "http.response.status_code": 204,
            "server.address": "127.0.0.1",
        }
        assert receive.start_time_unix_nano <= route.start_time_unix_nano <= failed.start_time_unix_nano
        for span in collector.spans:
            assert span.start_time_unix_nano <= span.end_time_unix_nano

    def test_an_event_that_a_delivery_caused_goes_on_with_its_trace(self, collector: Collector) -> None:
        make.source("shop")
        cause = make.delivery(make.subscription(), state=DeliveryState.DELIVERED)
        trace = cause.event.trace_id.hex
        self.send(traceparent=f"00-{trace}-{SPAN}-01", tracestate=f"weir={public_id('delivery', cause.pk)}")
        with dispatchers():
            until(lambda: Event.objects.filter(state=EventState.ROUTED, depth=1).exists())
        spans.flush()
        [receive], [route] = collector.named("receive"), collector.named("route")
        assert (receive.trace_id.hex(), receive.parent_span_id.hex(), list(receive.links)) == (
            trace,
            SPAN,
            [],
        )
        assert (route.trace_id.hex(), route.parent_span_id) == (trace, receive.span_id)

    def test_what_is_published_over_the_api_is_joined_to_its_sender_too(self, collector: Collector) -> None:
        make.source("shop")
        _, key = create_api_key(role="operator")
        answer = Client().post(
            "/api/v1/events",
            {"source": "shop", "event_type": "user.created", "data": {}},
            content_type="application/json",
            headers={"authorization": f"Bearer {key}", "traceparent": f"00-{TRACE}-{SPAN}-01"},
        )
        assert answer.status_code == 201
        spans.flush()
        [receive] = collector.named("receive")
        assert [(link.trace_id.hex(), link.span_id.hex()) for link in receive.links] == [(TRACE, SPAN)]

    def test_a_malformed_traceparent_joins_nothing(self, collector: Collector) -> None:
        make.source("shop")
        self.send(traceparent=f"00-{'0' * 32}-{SPAN}-01")
        spans.flush()
        [receive] = collector.named("receive")
        assert (list(receive.links), receive.trace_id.hex()) == ([], Event.objects.get().trace_id.hex)

    def test_a_sampler_is_heeded(self, collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
        exporter = Exporter()
        spans.use(exporter.emit, exporter.flush)
        make.source("shop")
        self.send()
        spans.flush()
        assert collector.spans == []


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_TRACES_EXPORTER": "none"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_SDK_DISABLED": "true"}, False),
    ],
)
def test_spans_are_made_where_the_environment_asks_for_them(
    environment: dict[str, str], expected: bool
) -> None:
    assert is_asked_for(environment) is expected


def started(folder: Path, before: str = "pass", **environment: str) -> "subprocess.CompletedProcess[str]":
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    code = f"import sys; {before}; import django; django.setup(); print('opentelemetry' in sys.modules)"
    given = kept | {"DJANGO_SETTINGS_MODULE": "hub.settings", "HUB_VAR": str(folder)} | environment
    return subprocess.run([sys.executable, "-c", code], env=given, capture_output=True, text=True)


def test_where_nobody_asks_opentelemetry_is_not_even_loaded(tmp_path: Path) -> None:
    assert started(tmp_path).stdout == "False\n"
    assert started(tmp_path, OTEL_TRACES_EXPORTER="otlp").stdout == "True\n"


def test_who_asks_without_having_installed_it_is_told_how(tmp_path: Path) -> None:
    told = started(tmp_path, "sys.modules['opentelemetry'] = None", OTEL_TRACES_EXPORTER="otlp")
    assert told.stderr.splitlines()[-1] == (
        "django.core.exceptions.ImproperlyConfigured: OTEL_… asks for traces, but OpenTelemetry is not installed: "
        "pip install -r requirements-otel.txt."
    )
