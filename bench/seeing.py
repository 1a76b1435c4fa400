"""What it costs to see: lines, totals, rollups, samples and alerts, against the same work with none of them.

Off means: no line below a warning, no receipt added up, and a cluster that keeps no tallies, folds and samples nothing
and evaluates no alert. Traces are off on both sides, as they are by default.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager

from django.db import connection

from bench import fill, receive
from bench.drain import recorded_per_s
from bench.extent import Extent
from bench.figures import Figure, ratios
from bench.stage import Process, Sink, cluster, running, sink

LANES = 100
KEPT = 0.95
BLIND = {"HUB_LOG_LEVEL": "warning", "HUB_ADD_UP_S": "0"}


def run(extent: Extent) -> Iterator[Figure]:
    receipts, deliveries = extent.size(10_000, quick=3_000), extent.size(30_000, quick=10_000)
    taken: dict[bool, list[float]] = {True: [], False: []}
    sent: dict[bool, list[float]] = {True: [], False: []}
    with sink() as subscriber:
        for round_ in extent.each_round("seeing"):
            # In turn first, so that what the one leaves behind favours neither.
            for sees in (True, False) if round_ % 2 == 0 else (False, True):
                taken[sees].append(receive.ours(receipts, **({} if sees else BLIND)))
                sent[sees].append(_sent(subscriber, deliveries, sees=sees))
    yield from _figures("accepted by the hub's web server", taken)
    yield from _figures(f"recorded by the cluster, {LANES} lanes", sent)


def _figures(what: str, values: dict[bool, list[float]]) -> Iterator[Figure]:
    yield Figure(bench="seeing", what=f"{what}, all seen", values=tuple(values[True]), unit="/s")
    yield Figure(bench="seeing", what=f"{what}, nothing seen", values=tuple(values[False]), unit="/s")
    goal = KEPT if connection.vendor == "postgresql" else None
    kept = ratios(values[True], values[False])
    yield Figure(bench="seeing", what=f"{what}, seen ÷ unseen", values=kept, unit="×", at_least=goal)


def _sent(subscriber: Sink, count: int, *, sees: bool) -> float:
    world = fill.world(lanes=LANES, url=subscriber.url())
    fill.backlog(world, deliveries=count)
    subscriber.reset()
    with cluster() if sees else _unseeing() as sender:
        return recorded_per_s(subscriber, world.subscriptions, count, sender=sender)


def _unseeing() -> AbstractContextManager[Process]:
    return running(["-m", "bench.unseeing"], **BLIND)
