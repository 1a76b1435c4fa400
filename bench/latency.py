"""How long an event takes from its receipt's 202 to the first byte at the subscriber, at 50 events a second."""

from collections.abc import Iterator, Mapping
from uuid import UUID

from django.db import connection

from bench import fill
from bench.extent import Extent
from bench.figures import Figure, percentile
from bench.stage import BenchFailed, Sink, ask, hub, sink
from deliveries.models import Delivery

RATE = 50
MEDIAN_MS, P99_MS = 30, 150
WARM_UP_S = 2


def run(extent: Extent) -> Iterator[Figure]:
    seconds = extent.size(20, quick=5)
    medians, tails = [], []
    with sink() as subscriber:
        world = fill.world(lanes=1, url=subscriber.url())
        with hub() as (port, process):
            order = {"port": port, "path": f"/in/{fill.SOURCE}", "secret": world.source_secret, "rate": RATE}
            ask("bench.load", order | {"prefix": "warm", "seconds": WARM_UP_S})
            subscriber.wait(RATE * WARM_UP_S, of=process)
            for number, _ in enumerate(extent.each_round("latency")):
                subscriber.reset()
                log = ask("bench.load", order | {"prefix": f"evt{number}", "seconds": seconds})
                subscriber.wait(RATE * seconds, of=process)
                waits = list(waits_ms(subscriber, log["accepted"]).values())
                medians.append(percentile(waits, 0.5))
                tails.append(percentile(waits, 0.99))
    yield _figure("median", medians, MEDIAN_MS)
    yield _figure("99th percentile", tails, P99_MS)


def _figure(which: str, values: list[float], goal: float) -> Figure:
    at_most = goal if connection.vendor == "postgresql" else None
    what = f"from the 202 to the first byte at the subscriber, {RATE} events/s, {which}"
    return Figure(bench="latency", what=what, values=tuple(values), unit="ms", at_most=at_most)


def waits_ms(subscriber: Sink, accepted: Mapping[str, float]) -> dict[str, float]:
    """By event. One clock serves both ends, since both are on this machine; a delivery may well overtake the 202."""
    came = {UUID(delivery.removeprefix("dlv_")): at for at, delivery in subscriber.arrivals()}
    events = dict(Delivery.objects.filter(id__in=came).values_list("id", "external_id"))
    if sorted(events.values()) != sorted(accepted):
        raise BenchFailed(f"{len(accepted):,} events were accepted and {len(events):,} of them came.")
    return {events[delivery]: (at - accepted[events[delivery]]) * 1000 for delivery, at in came.items()}
