"""Events published per second over the API, one by one and in batches, through the real web server; and receipts."""

from collections.abc import Iterator
from typing import Any

from django.db import connection

from bench import fill
from bench.extent import Extent
from bench.figures import Figure, ratios
from bench.stage import STARTING_S, BenchFailed, ask, free_port, is_listening, running, until
from hub.management.commands.up import web_server
from webhooks.models import Event
from webhooks.services.keys import create_api_key

BATCH = 500
CONNECTIONS = 8
TO_RECEIPT = 1.0
TO_SINGLE = 10.0
WARM_UP = 200
HOME = "/api/v1/events"


def run(extent: Extent) -> Iterator[Figure]:
    count = extent.size(5_000, quick=1_500)
    batches = extent.size(60, quick=16)
    single, batched, received = [], [], []
    for _ in extent.each_round("publish"):
        single.append(_published_per_s(count, batch=0))
        batched.append(_published_per_s(batches, batch=BATCH))
        received.append(_received_per_s(count))
    yield _figure("published one by one", single)
    yield _figure(f"published {BATCH} at once", batched)
    yield _figure("accepted at /in/ one by one", received)
    yield _ratio("one by one ÷ accepted at /in/ one by one", ratios(single, received), TO_RECEIPT)
    yield _ratio(f"{BATCH} at once ÷ one by one", ratios(batched, single), TO_SINGLE)


def _figure(what: str, values: list[float]) -> Figure:
    return Figure(bench="publish", what=what, values=tuple(values), unit="/s")


def _ratio(what: str, values: tuple[float, ...], goal: float) -> Figure:
    at_least = goal if connection.vendor == "postgresql" else None
    return Figure(bench="publish", what=what, values=values, unit="×", at_least=at_least)


def _published_per_s(requests: int, *, batch: int) -> float:
    fill.world(lanes=0, url="")
    _, key = create_api_key(role="publisher")
    path = f"{HOME}/batch" if batch else HOME
    return _per_s(requests, max(1, batch), {"path": path, "key": key, "batch": batch}, "201")


def _received_per_s(requests: int) -> float:
    world = fill.world(lanes=0, url="")
    return _per_s(requests, 1, {"path": f"/in/{fill.SOURCE}", "secret": world.source_secret}, "202")


def _per_s(requests: int, events_each: int, order: dict[str, Any], expected: str) -> float:
    """Through the web server as `manage.py up` starts it, here without a cluster beside it."""
    port, warm_up = free_port(), max(4, WARM_UP // events_each)
    program = web_server("127.0.0.1", port)
    with running(program.command[1:], **program.environment) as server:
        until(lambda: is_listening(port), "it listens", seconds=STARTING_S, process=server)
        order = {"port": port, "connections": CONNECTIONS, **order}
        ask("bench.load", {"prefix": "warm", "count": warm_up, **order})
        log = ask("bench.load", {"prefix": "evt", "count": requests, **order})
    if log["answers"] != {expected: requests}:
        raise BenchFailed(f"{requests:,} requests were sent once each, and answered by {log['answers']}.")
    stored, sent = Event.objects.count(), (requests + warm_up) * events_each
    if stored != sent:
        raise BenchFailed(f"{sent:,} events were sent, but {stored:,} are stored.")
    return requests * events_each / float(log["seconds"])
