"""One lane with a million parked deliveries: what its neighbours feel of it, and how long its circuit takes to move."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db import connection

from bench import fill
from bench.drain import recorded_per_s
from bench.extent import Extent
from bench.figures import Figure, ratios
from bench.stage import STARTING_S, BenchFailed, Process, Sink, cluster, sink, until
from deliveries.models import Attempt, Circuit, CircuitChange, Lane, Subscription
from deliveries.services import circuits

PARKED = 1_000_000
HEALTHY = 100
RATE_TO_NONE, MOVED_MS = 0.9, 100
TIMEOUT_S = 5
COOLDOWN_S = 1  # the first cool-down of the lane whose circuit is moved to and fro
TIMES = 5  # that it is moved each way
MOVES_WITHIN_S = 30.0
LOOK_S = 0.001

Moves = dict[str, list[float]]
Order = Callable[..., circuits.OrderVerdict]


def run(extent: Extent) -> Iterator[Figure]:
    parked, count = extent.size(PARKED, quick=100_000), extent.size(20_000, quick=6_000)
    alone, beside, moves = [], [], {}
    with sink() as subscriber:
        for _ in extent.each_round("parked"):
            alone.append(_rate(subscriber, count, parked=0))
            beside.append(_rate(subscriber, count, parked=parked))
        moves = _moves(subscriber, parked, extent.size(TIMES, quick=2))
    yield _figure(f"recorded at {HEALTHY} healthy lanes", alone, "/s")
    yield _figure(f"the same beside a lane with {parked:,} parked", beside, "/s")
    yield _figure(f"beside {parked:,} parked ÷ without", ratios(beside, alone), "×", at_least=RATE_TO_NONE)
    for move, values in moves.items():
        yield _figure(f"{move} of a lane with {parked:,} due", values, "ms", at_most=MOVED_MS)


def _figure(what: str, values: tuple[float, ...] | list[float], unit: str, **goal: float) -> Figure:
    goal = goal if connection.vendor == "postgresql" else {}
    return Figure(bench="parked", what=what, values=tuple(values), unit=unit, **goal)


def _rate(subscriber: Sink, count: int, *, parked: int) -> float:
    """The parked lane's endpoint hangs, so each probe costs what a probe can cost."""
    world = fill.world(lanes=HEALTHY + 1, url=subscriber.url())
    *healthy, sick = world.subscriptions
    if parked:
        _park(world, sick, parked, url=subscriber.url("hang"), timeout_s=TIMEOUT_S)
    fill.backlog(replace(world, subscriptions=healthy), deliveries=count)
    if parked:
        _open(sick)
    subscriber.reset()
    with cluster() as sender:
        return recorded_per_s(subscriber, healthy, count, sender=sender)


def _park(world: fill.World, lane: Subscription, count: int, **options: object) -> None:
    Subscription.objects.filter(pk=lane.pk).update(**options)
    fill.multiply(replace(world, subscriptions=[lane]), deliveries=count)


def _open(lane: Subscription) -> None:
    """As its owner would have left it a moment ago."""
    until_when = datetime.now(UTC) + timedelta(seconds=TIMEOUT_S)
    Lane.objects.filter(pk=lane.pk).update(
        circuit=Circuit.OPEN, cooldowns=1, cooldown_until=until_when, next_due_at=until_when
    )


def _moves(subscriber: Sink, parked: int, times: int) -> Moves:
    """What each move took, in ms, from the order's commit, or from the end of the attempt that tipped it."""
    world = fill.world(lanes=1, url=subscriber.url())
    [lane] = world.subscriptions
    _park(world, lane, parked, url=subscriber.url("moody"), circuit_cooldown_s=COOLDOWN_S)
    moves: Moves = {}
    with cluster() as sender:
        until(Attempt.objects.exists, "something is sent", seconds=STARTING_S, process=sender)
        watch = Watch(lane.pk, sender)
        for _ in range(times):
            _note(moves, "opening the circuit by order", watch.ordered(circuits.trip, Circuit.OPEN))
            subscriber.fail()
            _note(moves, "closing the circuit by order", watch.ordered(circuits.reset, Circuit.CLOSED))
            _note(moves, "opening the circuit by a failed attempt", watch.tipped(Circuit.OPEN))
            subscriber.heal()
            _note(moves, "closing the circuit by a success", watch.tipped(Circuit.CLOSED))
    return moves


def _note(moves: Moves, move: str, ms: float) -> None:
    moves.setdefault(move, []).append(ms)


class Watch:
    """Looks at the changes of one lane's circuit, each once, in their order."""

    def __init__(self, lane: UUID, sender: Process) -> None:
        self._lane = lane
        self._sender = sender
        self._seen = UUID(int=0)

    def ordered(self, give: Order, wanted: Circuit) -> float:
        if not (verdict := give(subscription_id=self._lane, actor="bench")).is_ordered:
            raise BenchFailed(verdict.sentence)
        ordered_at = time.time()
        return (self._next(wanted)[0] - ordered_at) * 1000

    def tipped(self, wanted: Circuit) -> float:
        at, attempt_id = self._next(wanted)
        if attempt_id is None:
            raise BenchFailed(
                f"The circuit is {wanted.label.lower()}, and no attempt is named as the reason."
            )
        attempt = Attempt.objects.get(pk=attempt_id)
        return (at - attempt.started_at.timestamp()) * 1000 - attempt.duration_ms

    def _next(self, wanted: Circuit) -> tuple[float, UUID | None]:
        """When, on the wall's clock, its change into what is wanted could be read, and the attempt behind it."""
        changes = CircuitChange.objects.filter(subscription_id=self._lane, after=wanted).order_by("id")
        unseen = changes.filter(id__gt=self._seen)
        what = f"the circuit is {wanted.label.lower()}"
        until(unseen.exists, what, seconds=MOVES_WITHIN_S, process=self._sender, every_s=LOOK_S)
        at = time.time()
        change = unseen[0]
        self._seen = change.id
        return at, change.attempt_id
