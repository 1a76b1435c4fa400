"""How long a scrape of /metrics takes: a million deliveries wait, and a thousand subscriptions have series."""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime

from bench import fill
from bench.asking import ask
from bench.extent import Extent
from bench.figures import Figure
from bench.stage import BenchFailed
from deliveries.models import CircuitTotal, FailureTotal, SpreadTotal, Total
from deliveries.models.total import Spread
from deliveries.services.depths import sample
from webhooks.models import ReceiptTotal

LANES, DELIVERIES, QUICK = 1_000, 1_000_000, 50_000
TIMES = 10  # in one round
GOAL_MS = 200
KINDS = (("server_error", 503), ("timeout", 0), ("refused", 0))  # how each subscription failed


def run(extent: Extent) -> Iterator[Figure]:
    count = extent.size(DELIVERIES, quick=QUICK)
    world = fill.world(lanes=LANES, url="http://127.0.0.1:9/")
    fill.multiply(world, deliveries=count)
    sample(datetime.now(UTC))
    _count(world)
    times: list[float] = []
    lines = _scrape()[1].count(b"\n")  # once unmeasured: modules are read, and connections made
    for _ in extent.each_round("scrape"):
        times += [_scrape()[0] for _ in range(TIMES)]
    print(f"… {lines:,} lines", file=sys.stderr, flush=True)
    what = f"a scrape with {LANES:,} subscriptions and {count:,} deliveries"
    yield Figure(bench="scrape", what=what, values=tuple(times), unit="ms", at_most=GOAL_MS)


def _count(world: fill.World) -> None:
    """As if each subscription had succeeded, failed in some ways, and had its circuit open once."""
    ids = [each.pk for each in world.subscriptions]
    Total.objects.bulk_create(
        Total(subscription_id=each, attempts=1_000, delivered_first=990, timed=1_000, latency_ms=50_000)
        for each in ids
    )
    FailureTotal.objects.bulk_create(
        FailureTotal(subscription_id=each, outcome=outcome, status=status, failures=3)
        for outcome, status in KINDS
        for each in ids
    )
    CircuitTotal.objects.bulk_create(
        CircuitTotal(subscription_id=each, after=after, number=1)
        for after in ("open", "half_open", "closed")
        for each in ids
    )
    SpreadTotal.objects.bulk_create(
        SpreadTotal(kind=kind, bucket=bucket, number=1_000, sum_ms=1_000)
        for kind in Spread
        for bucket in range(1, 13)
    )
    ReceiptTotal.objects.create(
        source_id=world.source.pk, verdict="accepted", count=1_000, last_at=datetime.now(UTC)
    )


def _scrape() -> tuple[float, bytes]:
    """Milliseconds until all of it is made, and what it says."""
    took_ms, page = ask("/metrics")
    if b"weir_database_up 1.0" not in page:
        raise BenchFailed("/metrics says that the database is away.")
    return took_ms, page
