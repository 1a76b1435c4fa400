"""A service that OpenTelemetry traces by itself is told by Weir and tells Weir: the tree is right without its help."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
import requests
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.instrumentation.wsgi import OpenTelemetryMiddleware
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from deliveries.deciders.cascade_tree import tell
from deliveries.models import Cascade, Delivery
from deliveries.selectors.cascades import read_cascade
from tests import make
from tests.callers import with_key
from tests.running import dispatchers, until
from webhooks.models import Event

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def provider() -> Iterator[TracerProvider]:
    made = TracerProvider()
    requests_by_themselves = RequestsInstrumentor()
    requests_by_themselves.instrument(tracer_provider=made)
    yield made
    requests_by_themselves.uninstrument()


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def served(app: Any) -> Iterator[str]:
    """On a port of its own, in a thread of its own; gives its address."""
    server = make_server("127.0.0.1", 0, app, handler_class=_Quiet)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/hook"
    server.shutdown()
    thread.join(10)
    server.server_close()


def service(provider: TracerProvider, publish: Callable[[], None]) -> Any:
    """Hears of an order, works in a span of its own and another below that, and publishes. It knows no Weir header."""
    tracer = provider.get_tracer("billing")

    def hear(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        with tracer.start_as_current_span("invoice"), tracer.start_as_current_span("number"):
            publish()
        start_response("204 No Content", [])
        return []

    return OpenTelemetryMiddleware(hear, tracer_provider=provider)


def test_what_an_instrumented_service_publishes_hangs_below_what_it_was_told(
    live_server: Any, settings: Any, provider: TracerProvider
) -> None:
    spans = InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    settings.HUB_EGRESS_ALLOW = [ip_network("127.0.0.0/8")]
    orders, invoices = make.source("orders"), make.source("invoices")
    caller = with_key()

    def publish() -> None:
        said: Any = {"source": "invoices", "event_type": "invoice.issued", "data": {"order": 1}}
        answer = requests.post(
            f"{live_server.url}/api/v1/events",
            json=said,
            headers={"authorization": caller.authorization},
            timeout=10,
        )
        assert answer.status_code == 201

    with served(service(provider, publish)) as url:
        billing = make.subscription(url, name="Billing", source=orders)
        books = make.subscription("http://127.0.0.1:9/", name="Books", source=invoices)
        order = make.event(type="order.placed", source=orders)
        with dispatchers():
            until(lambda: Event.objects.filter(event_type="invoice.issued", state="routed").exists())
            until(lambda: Delivery.objects.filter(subscription=billing, state="delivered").exists())
    cascade = Cascade.objects.select_related("root__source").get()
    found = read_cascade(cascade)
    told = tell(found.root, found.hops, found.legs)
    assert [(row.depth, row.hop.event_type, row.leg and row.leg.subscription) for row in told.rows] == [
        (0, "order.placed", "Billing"),
        (1, "invoice.issued", "Books"),
    ]
    invoice = Event.objects.get(event_type="invoice.issued")
    first = Delivery.objects.get(event=order)
    assert (invoice.cause_id, invoice.trace_id, invoice.depth) == (first.pk, order.trace_id, 1)
    assert cascade.root_id == order.pk and Delivery.objects.get(event=invoice).subscription_id == books.pk
    # The service's own spans are in the trace that Weir gave it: its tracing system shows both as one.
    assert {span.context.trace_id for span in spans.get_finished_spans()} == {order.trace_id.int}
