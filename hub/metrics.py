"""Shows Prometheus this process's counters and the hub's sampled depths. It never scans a big table."""

import os
from collections.abc import Iterator

import prometheus_client
from django.db import Error
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector, CollectorRegistry

from deliveries.services.depths import Depths, snapshot


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    page = prometheus_client.generate_latest(_registry())
    return HttpResponse(page, content_type=prometheus_client.CONTENT_TYPE_LATEST)


def _registry() -> CollectorRegistry:
    """Made anew for each scrape, so that no two scrapes share state."""
    registry = CollectorRegistry()
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    else:
        registry.register(prometheus_client.REGISTRY)
    registry.register(HubCollector())
    return registry


class HubCollector(Collector):
    """The hub's own gauges. With the database away, the scrape still answers and says so."""

    def collect(self) -> Iterator[Metric]:
        try:
            depths = snapshot()
        except Error:
            yield _gauge("weir_database_up", "Whether the database answers.", 0)
            return
        yield _gauge("weir_database_up", "Whether the database answers.", 1)
        yield from _gauges(depths)


def _gauges(depths: Depths) -> Iterator[Metric]:
    yield _gauge("weir_queue_due", "Deliveries due now, as last sampled.", depths.due)
    yield _gauge("weir_oldest_due_seconds", "Age of the oldest due delivery.", depths.oldest_due_s or 0)
    yield _gauge("weir_dead_letters_open", "Dead letters that wait for a person.", depths.dead_letters)
    yield _gauge("weir_dispatchers", "Dispatchers with a live lease.", depths.dispatchers)
    lanes = GaugeMetricFamily("weir_lanes", "Lanes by the state of their circuit.", labels=["circuit"])
    for circuit, count in sorted(depths.lanes_by_circuit.items()):
        lanes.add_metric([circuit], count)
    yield lanes


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(name, meaning, value=value)
