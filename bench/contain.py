"""What healthy lanes feel of thirty in a hundred that hang: an endpoint that takes each request and never answers.

Each figure is taken three times: with none hanging, with circuits that are kept from opening (how it is before they do,
made to last), and with circuits as they are.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from django.db import connection

from bench import fill
from bench.drain import recorded_per_s
from bench.extent import Extent
from bench.figures import Figure, percentile, ratios
from bench.latency import waits_ms
from bench.message import lane_type
from bench.stage import Sink, ask, cluster, hub, sink
from deliveries.models import Subscription

LANES, SICK = 100, 30
HEALTHY = LANES - SICK
P99_TO_NONE, RATE_TO_NONE = 1.5, 0.9
TIMEOUT_S = 5  # of the usual 15, so that a round sees circuits open and their probes fail
RATE = LANES  # events a second: one for each lane
WARM_UP_S = (
    2 * TIMEOUT_S + 2
)  # by then a lane has had ten timeouts, so its circuit is open or its window full
BACKLOG = 80_000  # lasts three timeouts and more, so that circuits open, cool down and probe while it drains
AHEAD = 50  # deliveries of each sick lane in a backlog: several times what it can have in flight
NEVER_OPENS = 10_000  # attempts to judge by, more than any of these lanes settles

Case = Mapping[str, object]
NONE: Case = {}
UNCONTAINED: Case = {"timeout_s": TIMEOUT_S, "circuit_min_volume": NEVER_OPENS}
CONTAINED: Case = {"timeout_s": TIMEOUT_S}
CASES = (NONE, UNCONTAINED, CONTAINED)


def run(extent: Extent) -> Iterator[Figure]:
    seconds, count = extent.size(20, quick=5), extent.size(BACKLOG, quick=BACKLOG // 4)
    with sink() as subscriber:
        waits = _each(extent, "contain, latency", lambda case: _p99_ms(subscriber, case, seconds))
        rates = _each(extent, "contain, throughput", lambda case: _rate(subscriber, case, count))
    p99 = f"202 to first byte, 99th percentile of {HEALTHY} healthy lanes at 1 event/s each"
    yield from _figures(p99, waits, "ms", at_most=P99_TO_NONE)
    yield from _figures(
        f"recorded from a backlog at {HEALTHY} healthy lanes", rates, "/s", at_least=RATE_TO_NONE
    )


def _each(extent: Extent, what: str, measure: Callable[[Case], float]) -> tuple[list[float], ...]:
    """The values of each case; every round begins with another one, so that what the one before left favours none."""
    values: list[list[float]] = [[] for _ in CASES]
    for round_ in extent.each_round(what):
        for step in range(len(CASES)):
            place = (round_ + step) % len(CASES)
            values[place].append(measure(CASES[place]))
    return tuple(values)


def _figures(what: str, values: tuple[list[float], ...], unit: str, **goal: float) -> Iterator[Figure]:
    none, uncontained, contained = values
    goal = goal if connection.vendor == "postgresql" else {}
    hanging = {f"{SICK} more hang, circuits kept closed": uncontained, f"{SICK} more hang": contained}
    for beside, found in {"none hangs": none, **hanging}.items():
        yield Figure(bench="contain", what=f"{what}, {beside}", values=tuple(found), unit=unit)
    quality = "99th percentile" if unit == "ms" else "throughput"
    for beside, found in hanging.items():
        what = f"{quality} of the healthy, {beside} ÷ none hangs"
        yield Figure(bench="contain", what=what, values=ratios(found, none), unit="×", **goal)


def _p99_ms(subscriber: Sink, case: Case, seconds: int) -> float:
    world = _world(subscriber, case)
    heard = HEALTHY if case else LANES
    with hub() as (port, process):
        order = {"port": port, "path": f"/in/{fill.SOURCE}", "secret": world.source_secret}
        order |= {"rate": RATE, "lanes": LANES}
        ask("bench.load", order | {"prefix": "warm", "seconds": WARM_UP_S})
        subscriber.wait(heard * WARM_UP_S, of=process)
        subscriber.reset()
        log = ask("bench.load", order | {"prefix": "evt", "seconds": seconds})
        subscriber.wait(heard * seconds, of=process)
    accepted = {event: at for event, at in log["accepted"].items() if _lane_of(event) < heard}
    waits = waits_ms(subscriber, accepted)
    return percentile([ms for event, ms in waits.items() if _lane_of(event) < HEALTHY], 0.99)


def _rate(subscriber: Sink, case: Case, count: int) -> float:
    world = _world(subscriber, case)
    healthy, sick = world.subscriptions[:HEALTHY], world.subscriptions[HEALTHY:]
    if case:
        fill.backlog(replace(world, subscriptions=sick), deliveries=SICK * AHEAD)
    fill.backlog(replace(world, subscriptions=healthy), deliveries=count)
    subscriber.reset()
    with cluster() as sender:
        return recorded_per_s(subscriber, healthy, count, sender=sender)


def _world(subscriber: Sink, case: Case) -> fill.World:
    """The last of its lanes hang, unless none is to."""
    world = fill.world(lanes=LANES, url=subscriber.url())
    _want_their_own(world.subscriptions)
    if case:
        sick = world.subscriptions[HEALTHY:]
        hanging = Subscription.objects.filter(pk__in=[lane.pk for lane in sick])
        hanging.update(url=subscriber.url("hang"), **case)
    subscriber.reset()
    return world


def _want_their_own(lanes: Sequence[Subscription]) -> None:
    for number, lane in enumerate(lanes):
        lane.event_types = [lane_type(number)]
    Subscription.objects.bulk_update(lanes, ["event_types"])


def _lane_of(event: str) -> int:
    return int(event.rpartition("-")[2]) % LANES
