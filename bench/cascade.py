"""How long a cascade's page takes: what is read of it, and what is drawn, at a thousand events and at five thousand."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID

from django.template import Context, Template

from bench import fill
from bench.extent import Extent
from bench.figures import Figure
from deliveries.deciders.cascade_tree import tell
from deliveries.models import Cascade, Delivery, DeliveryState
from deliveries.selectors.cascades import read_cascade
from webhooks.ids import uuid7
from webhooks.models import Event, EventState

SIZES = (1_000, 5_000)
FAN = 8  # events that one delivery causes, so that a thousand lie some four hops deep
READ_MS, DRAWN_MS = 100, 300  # the goals, for a thousand
TIMES = 5  # in one round
PAGE = Template('{% load cascades %}{% cascade_tree told.tree "A cascade" %}')


def run(extent: Extent) -> Iterator[Figure]:
    world = fill.world(lanes=FAN, url="http://127.0.0.1:9/")
    for size in SIZES:
        cascade = _grown(size, world)
        read: list[float] = []
        drawn: list[float] = []
        for _ in extent.each_round(f"a cascade of {size:,}"):
            for _ in range(TIMES):
                began = time.perf_counter()
                found = read_cascade(cascade)
                middle = time.perf_counter()
                told = tell(found.root, found.hops, found.legs)
                PAGE.render(Context({"told": told}))
                read.append(1_000 * (middle - began))
                drawn.append(1_000 * (time.perf_counter() - middle))
        goal = size == SIZES[0]
        what = f"a cascade of {size:,} events and as many deliveries"
        yield Figure(
            bench="cascade",
            what=f"{what}, read",
            values=tuple(read),
            unit="ms",
            at_most=READ_MS if goal else None,
        )
        yield Figure(
            bench="cascade",
            what=f"{what}, drawn",
            values=tuple(drawn),
            unit="ms",
            at_most=DRAWN_MS if goal else None,
        )


def _grown(size: int, world: fill.World) -> Cascade:
    """One delivery an event; each of them caused so many more, level by level."""
    at, trace, source = datetime.now(UTC), uuid7(), world.source
    lanes = world.subscriptions
    events: list[Event] = []
    deliveries: list[Delivery] = []
    for number in range(size):
        cause = deliveries[(number - 1) // FAN] if number else None
        event = Event(
            source=source, external_id=f"{trace.hex} {number}", event_type=f"step.{number % 5}", size=2,
            state=EventState.ROUTED, routed_at=at, received_at=at, trace_id=trace, cause_id=cause.pk if cause else None,
            depth=_depth(number),
        )  # fmt: skip
        events.append(event)
        deliveries.append(
            Delivery(
                event=event, subscription=lanes[number % len(lanes)], source=source, event_type=event.event_type,
                external_id=event.external_id, state=DeliveryState.DELIVERED, attempts=1, settled_at=at,
                last_outcome="ok", last_status=200, last_attempt_at=at, last_latency_ms=20, due_at=None,
            )
        )  # fmt: skip
    Event.objects.bulk_create(events, batch_size=1_000)
    Delivery.objects.bulk_create(deliveries, batch_size=1_000)
    Cascade.objects.create(trace_id=trace, root=events[0], events=size, depth=events[-1].depth)
    return Cascade.objects.select_related("root__source").get(pk=UUID(int=trace.int))


def _depth(number: int) -> int:
    depth = 0
    while number:
        number, depth = (number - 1) // FAN, depth + 1
    return depth
