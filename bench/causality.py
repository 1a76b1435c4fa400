"""What causality costs: events that say what caused them, against events that do not, in turn within one run.

Processor time of the processes at work is measured, not the time that passed: it is what an event costs, however busy
the machine is otherwise. Each caused event is of a cascade of its own, which is the dearest that a cascade can be.

The goal is for what `receive` and `deliver` measure: the door, and a backlog that is routed. What finding an event's
place in its cascade adds to routing is shown beside them.
"""

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any
from uuid import UUID

from django.utils import timezone

from bench import fill
from bench.extent import Extent
from bench.figures import Figure, ratios
from bench.message import BODY_SIZE, CONTENT_TYPE, body, lane_type
from bench.processes import PROC, family
from bench.stage import STARTING_S, BenchFailed, Process, Sink, cluster, sink, until
from deliveries.models import Cascade, Delivery, DeliveryState, Seat, Subscription
from deliveries.services import holds
from webhooks import wake
from webhooks.deciders.standard import Signer
from webhooks.ids import public_id
from webhooks.models import Event, EventBody, EventState, Source

MOST = 1.05  # the goal: at most so much of what an event without a cause takes
LANES = 100
RECORDED_WITHIN_S = 300.0
LOOK_S = 0.2
SPAN = "00f067aa0ba902b7"
OTHERS = "congo=t61rcWkgMzE"  # another vendor's entry, to be passed on

Cause = tuple[UUID, UUID]  # a delivery, and its event's trace


def run(extent: Extent) -> Iterator[Figure]:
    yield from _received(extent)
    yield from _delivered(extent)


def _received(extent: Extent) -> Iterator[Figure]:
    """At the door, called as the web server calls it."""
    count = extent.size(2_000, quick=500)
    world = fill.world(lanes=1, url="http://127.0.0.1:9/")
    fill.backlog(world, deliveries=count)
    causes = _causes(count)
    door = _Door(world.source_secret)
    door.knock([None] * 500)
    plain, caused = [], []
    for _ in extent.each_round("causality, received"):
        for _ in range(3):  # short turns, so that both see the same machine
            plain.append(door.knock([None] * count))
            caused.append(door.knock(causes))
    if Event.objects.filter(cause_id__isnull=False).count() != count * len(caused):
        raise BenchFailed("Not every event that named its cause was stored with it.")
    yield from _figures("received", plain, caused)


class _Door:
    """The hub's own web application in this process, without a server before it."""

    def __init__(self, secret: str) -> None:
        from hub.wsgi import application  # noqa: PLC0415 (it freezes what is in memory by then)

        self._application: Any = application
        self._signer = Signer.of([secret])
        self._number = 0

    def knock(self, causes: Sequence[Cause | None]) -> float:
        """Microseconds of an event's receipt."""
        requests = [self._request(cause) for cause in causes]
        answers: list[str] = []
        with _lines_unseen():
            began = time.process_time()
            for request in requests:
                self._application(request, lambda status, *_: answers.append(status))
            took = time.process_time() - began
        if answers != ["202 Accepted"] * len(requests):
            raise BenchFailed(f"{len(requests):,} events were sent, and answered by {sorted(set(answers))}.")
        return 1e6 * took / len(requests)

    def _request(self, cause: Cause | None) -> dict[str, Any]:
        self._number += 1
        name, now = f"evt-{os.getpid()}-{self._number:08d}", int(time.time())
        content = body(name)
        traced = (
            {"HTTP_TRACEPARENT": f"00-{cause[1].hex}-{SPAN}-01", "HTTP_TRACESTATE": _state(cause)}
            if cause
            else {}
        )
        return {
            "REQUEST_METHOD": "POST", "PATH_INFO": f"/in/{fill.SOURCE}", "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "8000", "HTTP_HOST": "127.0.0.1:8000", "CONTENT_TYPE": CONTENT_TYPE,
            "CONTENT_LENGTH": str(len(content)), "wsgi.input": BytesIO(content), "wsgi.url_scheme": "http",
            "HTTP_USER_AGENT": "Shop-Webhooks/1.0", "HTTP_WEBHOOK_ID": name, "HTTP_WEBHOOK_TIMESTAMP": str(now),
            "HTTP_WEBHOOK_SIGNATURE": self._signer.sign(name, now, content), **traced,
        }  # fmt: skip


@contextmanager
def _lines_unseen() -> Iterator[None]:
    """The log is written all the same, as it is part of the cost, but to nowhere."""
    sys.stderr.flush()
    with open(os.devnull, "wb") as nowhere:
        kept = os.dup(2)
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _state(cause: Cause) -> str:
    return f"weir={public_id('delivery', cause[0])},{OTHERS}"


def _delivered(extent: Extent) -> Iterator[Figure]:
    """By `manage.py cluster`; what caused an event is a delivery of the turn before."""
    count = extent.size(5_000, quick=1_500)
    with sink() as subscriber:
        world = fill.world(lanes=LANES, url=subscriber.url())
        for number, each in enumerate(world.subscriptions):
            each.event_types = [lane_type(number)]
        Subscription.objects.bulk_update(world.subscriptions, ["event_types"])
        plain, caused = _Turns(), _Turns()
        with cluster() as process:
            until(Seat.objects.exclude(pid=None).exists, "it dispatches", seconds=STARTING_S, process=process)
            _Turns().take(process, subscriber, world, [None] * 500)
            for _ in extent.each_round("causality, delivered"):
                for _ in range(2):
                    plain.take(process, subscriber, world, [None] * count)
                    caused.take(process, subscriber, world, _causes(count))
        if Cascade.objects.count() != count * len(caused.routed):
            raise BenchFailed(
                f"{count * len(caused.routed):,} cascades were expected, not {Cascade.objects.count():,}."
            )
    yield from _figures("routed", plain.routed, caused.routed, goal=None)
    yield from _figures("sent and recorded once it is routed", plain.sent, caused.sent)


@dataclass
class _Turns:
    """Microseconds of an event, in each turn: to its delivery's row, and from there to the row of its attempt."""

    routed: list[float] = field(default_factory=list)
    sent: list[float] = field(default_factory=list)

    def take(
        self, process: Process, subscriber: Sink, world: fill.World, causes: Sequence[Cause | None]
    ) -> None:
        """Every lane is paused until all is routed, so that the two can be told apart."""
        subscriber.reset()
        lanes = [each.pk for each in world.subscriptions]
        total = Delivery.objects.count() + len(causes)
        for lane in lanes:
            holds.pause(subscription_id=lane, actor="bench")
        before = _used_s(process)
        _arrive(world.source, causes)
        arrived = Event.objects.filter(state=EventState.RECEIVED)
        until(lambda: not arrived.exists(), "all is routed", seconds=RECORDED_WITHIN_S, process=process)
        between = _used_s(process)
        for lane in lanes:
            holds.resume(subscription_id=lane, actor="bench")
        done = Delivery.objects.filter(state=DeliveryState.DELIVERED)
        until(
            lambda: done.count() == total, "all is recorded",
            seconds=RECORDED_WITHIN_S, process=process, every_s=LOOK_S,
        )  # fmt: skip
        self.routed.append(1e6 * (between - before) / len(causes))
        self.sent.append(1e6 * (_used_s(process) - between) / len(causes))


def _arrive(source: Source, causes: Sequence[Cause | None]) -> None:
    now, kind = timezone.now(), f"{time.monotonic_ns():x}"
    events = [
        Event(
            source=source, external_id=f"evt-{kind}-{number}", event_type=lane_type(number % LANES), size=BODY_SIZE,
            received_at=now, cause_id=cause[0] if cause else None,
        )
        for number, cause in enumerate(causes)
    ]  # fmt: skip
    EventBody.objects.bulk_create(
        (
            EventBody(
                event=event,
                body=body(event.external_id),
                content_type=CONTENT_TYPE,
                headers=fill.HEADERS,
                tracestate=OTHERS if event.cause_id else "",
            )
            for event in events
        ),
        batch_size=fill.BATCH,
    )
    Event.objects.bulk_create(events, batch_size=fill.BATCH)
    wake.ring(wake.EVENTS)


def _causes(count: int) -> list[Cause]:
    latest = Delivery.objects.order_by("-pk").values_list("pk", "event__trace_id")
    return list(latest[:count])


def _used_s(process: Process) -> float:
    """Processor time of the cluster and all that it started, and of those of them that have ended."""
    ticks = 0
    for seen in family(process.pid):
        stat = (PROC / str(seen.pid) / "stat").read_text(encoding="utf-8", errors="replace")
        ticks += sum(int(each) for each in stat.rpartition(")")[2].split()[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def _figures(
    what: str, plain: Sequence[float], caused: Sequence[float], goal: float | None = MOST
) -> Iterator[Figure]:
    for kind, values in (("without a cause", plain), ("with one", caused)):
        told = f"processor time of an event {kind}, {what}"
        yield Figure(bench="causality", what=told, values=tuple(values), unit="µs")
    told = f"with a cause ÷ without, {what}"
    yield Figure(bench="causality", what=told, values=ratios(caused, plain), unit="×", at_most=goal)
