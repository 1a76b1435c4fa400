"""Kills the hub's processes in turn under load, and counts what was lost (nothing may be) and what came twice.

Long, so not among the usual benches: `python -m bench soak_kill --on postgresql`. What was in a dispatcher's hand when
it died is sent again, with the same webhook-id: at most one window of each lane.
"""

import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.conf import settings

from bench import fill
from bench.extent import Extent
from bench.figures import Figure
from bench.processes import PROC, Seen, family
from bench.stage import BenchFailed, Process, Question, Sink, asking, hub, sink, until
from deliveries.models import Delivery, DeliveryState
from webhooks.models import Event, EventState

RATE = 200
LANES = 2
DELAY_MS = 10  # the subscriber takes its time, so that something is always in flight
KILL_EVERY_S = 20.0
STARTED_WITHIN_S = 90.0  # a supervisor waits longer with each death
ENDED_WITHIN_S = 180.0
NEAR_S = 1.0  # what a kill may explain came this close to it

VICTIMS = ("web server", "web worker", "dispatcher", "sentinel", "cluster")


@dataclass(frozen=True, kw_only=True, slots=True)
class Kill:
    victim: str
    at: float


def run(extent: Extent) -> Iterator[Figure]:
    if not PROC.exists():
        raise BenchFailed("Whom to kill is read from /proc, which this system does not have.")
    seconds = extent.size(300, quick=110)
    with sink(delay_ms=DELAY_MS) as subscriber:
        world = fill.world(lanes=LANES, url=subscriber.url())
        with hub() as (port, process):
            order = {"port": port, "path": f"/in/{fill.SOURCE}", "secret": world.source_secret}
            with asking("bench.load", order | {"prefix": "evt", "rate": RATE, "seconds": seconds}) as load:
                kills = list(_kill_in_turn(process, load))
                log = load.answer()
            until(_all_is_settled, "all is settled", seconds=ENDED_WITHIN_S, every_s=0.5)
        yield from _verdict(subscriber, log["accepted"], kills)


def _kill_in_turn(hub: Process, load: Question) -> Iterator[Kill]:
    """Until the load ends, the next victim as soon as there is one again."""
    turn, next_at = 0, time.monotonic() + KILL_EVERY_S / 2
    while not load.is_answered():
        time.sleep(0.1)
        if time.monotonic() < next_at:
            continue
        if time.monotonic() > next_at + STARTED_WITHIN_S:
            raise BenchFailed(f"No {VICTIMS[turn % len(VICTIMS)]} came back in {STARTED_WITHIN_S:g} s.")
        victim = _find(VICTIMS[turn % len(VICTIMS)], family(hub.pid))
        if victim is not None:
            kill = Kill(victim=VICTIMS[turn % len(VICTIMS)], at=time.monotonic())
            os.kill(victim, signal.SIGKILL)
            print(f"… killed the {kill.victim} ({victim})", file=sys.stderr, flush=True)
            yield kill
            turn, next_at = turn + 1, time.monotonic() + KILL_EVERY_S


def _find(victim: str, hub: Sequence[Seen]) -> int | None:
    """The supervisor's children are the web server and the cluster; their own are the rest."""
    supervisor = hub[0].pid
    tops = {seen.part: seen.pid for seen in hub if seen.parent == supervisor}
    within = [seen for seen in hub if seen.parent == tops.get("web server" if "web" in victim else "cluster")]
    match victim:
        case "web server" | "cluster":
            return tops.get(victim)
        case "dispatcher":
            return next((seen.pid for seen in hub if seen.part == "dispatcher"), None)
        case "sentinel":
            parents = {seen.parent for seen in hub}
            return next((seen.pid for seen in within if seen.pid in parents), None)
        case _:
            return next((seen.pid for seen in within), None)


def _all_is_settled() -> bool:
    waits = Event.objects.filter(state=EventState.RECEIVED).exists()
    return not waits and not Delivery.objects.filter(state=DeliveryState.PENDING).exists()


def _verdict(subscriber: Sink, accepted: dict[str, float], kills: Sequence[Kill]) -> Iterator[Figure]:
    """Raises BenchFailed when an accepted event was lost, or came twice for no reason."""
    arrivals = subscriber.arrivals()
    first: dict[str, float] = {}
    twice: Counter[Kill | None] = Counter()
    for at, delivery in arrivals:
        if delivery in first:
            twice[_reason(first[delivery], kills)] += 1
        first.setdefault(delivery, at)
    lost = _lost(accepted, set(first))
    most = settings.HUB_WINDOW * LANES
    for kill in kills:
        print(f"… the {kill.victim}: {twice[kill]} came twice, at most {most} were in hand", file=sys.stderr)
    if lost or twice[None] or max(twice.values(), default=0) > most:
        raise BenchFailed(
            f"{len(accepted):,} events were accepted and {lost:,} deliveries of them lost; "
            f"{sum(twice.values()):,} came twice, {twice[None]:,} of these without a kill to blame."
        )
    yield _figure(f"{len(accepted):,} accepted events, {len(kills)} kills: deliveries lost", lost, at_most=0)
    yield _figure("deliveries sent twice by one kill, at most", max(twice.values(), default=0), at_most=most)
    yield _figure("deliveries sent twice, in all", sum(twice.values()))


def _reason(first_at: float, kills: Sequence[Kill]) -> Kill | None:
    return next((kill for kill in kills if abs(first_at - kill.at) <= NEAR_S), None)


def _lost(accepted: dict[str, float], heard: set[str]) -> int:
    """Pairs of accepted event and lane for which there is no delivery that is delivered and was heard."""
    rows = Delivery.objects.filter(state=DeliveryState.DELIVERED).values_list("id", "external_id")
    told = Counter(event for delivery, event in rows if f"dlv_{delivery.hex}" in heard)
    return sum(LANES - told[event] for event in accepted)


def _figure(what: str, value: float, *, at_most: float | None = None) -> Figure:
    return Figure(bench="soak_kill", what=what, values=(float(value),), unit="", at_most=at_most)
