"""Accepted receipts per second (verified, deduplicated, stored), against a plain view with one ORM insert.

The goal is set against that view in a project as `startproject` makes it. Bare of all middleware, and under the hub's,
it is there to be known.
"""

from collections.abc import Iterator, Mapping

from django.db import connection

from bench import fill
from bench.extent import Extent
from bench.figures import Figure, ratios
from bench.plain import Receipt
from bench.stage import STARTING_S, BenchFailed, ask, free_port, is_listening, running, until
from hub.management.commands.up import web_server
from webhooks.deciders.standard import new_secret
from webhooks.models import Event, EventBody, EventKey

TO_PLAIN = 0.8
WARM_UP = 300
PLAIN = "bench.plain:application"


def run(extent: Extent) -> Iterator[Figure]:
    count = extent.size(10_000, quick=3_000)
    hub, plain, usual, dressed = [], [], [], []
    with connection.schema_editor() as schema:
        schema.create_model(Receipt)
    for _ in extent.each_round("receive"):
        hub.append(ours(count))
        plain.append(_plain(count))
        usual.append(_plain(count, BENCH_MIDDLEWARE="startproject"))
        dressed.append(_plain(count, BENCH_MIDDLEWARE="hub"))
    yield _figure("accepted by the hub's web server", hub)
    yield _figure("accepted by a plain view with one ORM insert, no middleware", plain)
    yield _figure("accepted by the same view under the middleware of startproject", usual)
    yield _figure("accepted by the same view under the hub's middleware", dressed)
    yield _ratio("Weir ÷ plain view, no middleware", ratios(hub, plain))
    yield _ratio("Weir ÷ plain view, as startproject makes a project", ratios(hub, usual), TO_PLAIN)
    yield _ratio("Weir ÷ plain view, the hub's middleware", ratios(hub, dressed))


def _figure(what: str, values: list[float]) -> Figure:
    return Figure(bench="receive", what=what, values=tuple(values), unit="/s")


def _ratio(what: str, values: tuple[float, ...], goal: float | None = None) -> Figure:
    at_least = goal if connection.vendor == "postgresql" else None
    return Figure(bench="receive", what=what, values=values, unit="×", at_least=at_least)


def ours(count: int, **environment: str) -> float:
    """Accepted receipts per second of a hub in which there is nothing yet."""
    world = fill.world(lanes=0, url="")
    rate = _accepted_per_s(count, secret=world.source_secret, **environment)
    for model in (Event, EventBody, EventKey):
        _check(model.__name__, model.objects.count(), count)
    return rate


def _plain(count: int, **environment: str) -> float:
    Receipt.objects.all().delete()
    environment |= {"DJANGO_SETTINGS_MODULE": "bench.plain_settings"}
    rate = _accepted_per_s(count, secret=new_secret(), application=PLAIN, **environment)
    _check("Receipt", Receipt.objects.count(), count)
    return rate


def _check(what: str, found: int, count: int) -> None:
    if found != count + WARM_UP:
        raise BenchFailed(f"{count + WARM_UP:,} events were sent, but {found:,} rows of {what} are stored.")


def _accepted_per_s(count: int, *, secret: str, application: str = "", **environment: str) -> float:
    """Through the web server as `manage.py up` starts it, here without a cluster beside it."""
    port = free_port()
    program = web_server("127.0.0.1", port)
    command = [*program.command[1:-1], application or program.command[-1]]
    with running(command, **program.environment, **environment) as server:
        until(lambda: is_listening(port), "it listens", seconds=STARTING_S, process=server)
        order = {"port": port, "path": f"/in/{fill.SOURCE}", "secret": secret}
        ask("bench.load", order | {"prefix": "warm", "count": WARM_UP})
        log = ask("bench.load", order | {"prefix": "evt", "count": count})
    _check_answers(log["answers"], count)
    return count / float(log["seconds"])


def _check_answers(answers: Mapping[str, int], count: int) -> None:
    if answers != {"202": count}:
        raise BenchFailed(f"{count:,} events were sent once each, and answered by {answers}.")
