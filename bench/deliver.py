"""Recorded deliveries per second from a routed backlog, against a task per delivery and against a bare loop."""

from collections.abc import Iterator

from django.db import connection

from bench import fill, naive
from bench.extent import Extent
from bench.figures import Figure, ratios
from bench.naive_settings import WORKERS
from bench.stage import BenchFailed, Process, Sink, ask, cluster, running, sink, until
from deliveries.models import Attempt, Delivery, DeliveryState

TO_NAIVE, TO_BARE = 12, 0.3
# A dispatcher for each core, as the tasks' workers have both.
SEATS = 2 if connection.vendor == "postgresql" else 1
LANES = (100, 1000)
BEST_CONNECTIONS = 32  # fewer leave the loop waiting, more cost it memory and time
RECORDED_WITHIN_S = 30.0  # after the last request; then something is stuck


def run(extent: Extent) -> Iterator[Figure]:
    for lanes in LANES if connection.vendor == "postgresql" else LANES[:1]:
        yield from _figures(lanes, extent)


def _figures(lanes: int, extent: Extent) -> Iterator[Figure]:
    count, naive_count = extent.size(30_000, quick=10_000), extent.size(3_000, quick=1_000)
    ours, bare, best, tasks = [], [], [], []
    with sink() as subscriber:
        for _ in extent.each_round(f"deliver, {lanes:,} lanes"):
            ours.append(_hub(subscriber, lanes, count))
            same = subscriber.peak()
            bare.append(_bare(subscriber, lanes, count, connections=same))
            best.append(_bare(subscriber, lanes, count, connections=BEST_CONNECTIONS))
            tasks.append(_naive(subscriber, lanes, naive_count))
    yield _rate(f"recorded by `manage.py cluster`, HUB_SEATS={SEATS}, {lanes:,} lanes", ours)
    yield _rate(f"recorded by a django-q2 task per delivery, {WORKERS} workers, {lanes:,} lanes", tasks)
    yield _rate(f"sent by a bare aiohttp loop, no database, {same:,} connections as Weir has", bare)
    yield _rate(
        f"sent by a bare aiohttp loop, no database, at its best: {BEST_CONNECTIONS} connections", best
    )
    yield _ratio(f"Weir ÷ task per delivery, {lanes:,} lanes", ratios(ours, tasks), TO_NAIVE)
    yield _ratio(f"Weir ÷ bare loop, {same:,} connections, {lanes:,} lanes", ratios(ours, bare), TO_BARE)
    yield _ratio(f"Weir ÷ bare loop at its best, {lanes:,} lanes", ratios(ours, best))


def _rate(what: str, values: list[float]) -> Figure:
    return Figure(bench="deliver", what=what, values=tuple(values), unit="/s")


def _ratio(what: str, values: tuple[float, ...], goal: float | None = None) -> Figure:
    # The goals are PostgreSQL's; SQLite's figures are there to be known.
    at_least = goal if connection.vendor == "postgresql" else None
    return Figure(bench="deliver", what=what, values=values, unit="×", at_least=at_least)


def _hub(subscriber: Sink, lanes: int, count: int) -> float:
    fill.backlog(fill.world(lanes=lanes, url=subscriber.url()), deliveries=count)
    subscriber.reset()
    with cluster(seats=SEATS) as sender:
        return _recorded_per_s(subscriber, count, sender)


def _naive(subscriber: Sink, lanes: int, count: int) -> float:
    naive.enqueue(fill.backlog(fill.world(lanes=lanes, url=subscriber.url()), deliveries=count))
    subscriber.reset()
    with running(["manage.py", "qcluster"], DJANGO_SETTINGS_MODULE="bench.naive_settings") as sender:
        return _recorded_per_s(subscriber, count, sender)


def _bare(subscriber: Sink, lanes: int, count: int, *, connections: int) -> float:
    subscriber.reset()
    order = {"url": subscriber.url(), "lanes": lanes, "count": count, "concurrency": connections}
    seconds = float(ask("bench.bare", order)["seconds"])
    _check_each_came_once(subscriber, count)
    return count / seconds


def _recorded_per_s(subscriber: Sink, count: int, sender: Process) -> float:
    """From the first byte of the first request to the row of the last: starting up is not on the clock."""
    subscriber.wait(count, of=sender)
    recorded_at = until(_all_is_recorded, "all is recorded", seconds=RECORDED_WITHIN_S)
    _check_each_came_once(subscriber, count)
    if Attempt.objects.count() != count:
        raise BenchFailed(f"{Attempt.objects.count():,} attempts were recorded for {count:,} deliveries.")
    return count / (recorded_at - min(at for at, _ in subscriber.arrivals()))


def _all_is_recorded() -> bool:
    return not Delivery.objects.filter(state=DeliveryState.PENDING).exists()


def _check_each_came_once(subscriber: Sink, count: int) -> None:
    arrivals = [delivery for _, delivery in subscriber.arrivals()]
    if len(arrivals) != count or len(set(arrivals)) != count:
        raise BenchFailed(
            f"Of {count:,} deliveries {len(set(arrivals)):,} came, in {len(arrivals):,} requests."
        )
