"""The door /metrics: reads everything in a fixed number of questions, and writes it as text or as OpenMetrics."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime

import prometheus_client
from django.conf import settings
from django.db import Error
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector, CollectorRegistry

from deliveries.selectors import standing, totals
from deliveries.services.folding import folded_until
from webhooks.selectors import receipts

from . import counters, gauges


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return HttpResponse(encode(_registry()), content_type=content_type)


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
    """The hub's own series. With the database away, the scrape still answers and says so."""

    def describe(self) -> Iterator[Metric]:
        """Nothing, so that registering does not read all of it for the names."""
        yield from ()

    def collect(self) -> Iterator[Metric]:
        try:
            counts, stands = _read()
        except Error:
            yield gauges.database_up(False)
            return
        most = settings.HUB_METRICS_MAX_SERIES
        most_lanes = most if settings.HUB_METRICS_PER_SUBSCRIPTION else 0
        yield gauges.database_up(True)
        yield from gauges.families(stands, most=most, most_lanes=most_lanes)
        yield from counters.families(counts, most=most, most_lanes=most_lanes)


def _read() -> tuple[counters.Counts, gauges.Standing]:
    slugs = receipts.slugs()
    spreads, retries = totals.distributions()
    counts = counters.Counts(
        settled=totals.settled(),
        failures=totals.failures(),
        circuits=totals.circuits(),
        events=totals.events(),
        receipts=receipts.receipts(),
        spreads=spreads,
        retries=retries,
        slugs=slugs,
    )
    now = datetime.now(UTC)
    return counts, gauges.Standing(
        now=now,
        lanes=standing.lanes(),
        names=standing.names(),
        seats=standing.seats(),
        replays=standing.replays(),
        expected=receipts.expected(),
        slugs=slugs,
        unrouted_since=standing.oldest_unrouted_at(),
        folded_until=folded_until(now=now),
        database_bytes=standing.database_bytes(),
    )
