"""How long one event takes to reach a thousand subscriptions, from its receipt's 202 to the last delivery's row."""

import time
from collections.abc import Iterator

from django.db import connection

from bench import fill
from bench.extent import Extent
from bench.figures import Figure
from bench.stage import ask, hub, sink, until
from deliveries.models import Delivery, DeliveryState

SUBSCRIPTIONS = 1000
GOAL_S = 3
EVENTS = 5  # a round is quickly over, so there are more of them than asked for
# Longer than a dispatcher keeps an idle lane: each event finds a thousand sleeping ones.
REST_S = 4.0
RECORDED_WITHIN_S = 30.0


def run(extent: Extent) -> Iterator[Figure]:
    whole, sent = [], []
    with sink() as subscriber:
        world = fill.world(lanes=SUBSCRIPTIONS, url=subscriber.url())
        with hub() as (port, process):
            order = {"port": port, "path": f"/in/{fill.SOURCE}", "secret": world.source_secret, "count": 1}
            for number in range(extent.size(EVENTS, quick=2)):
                time.sleep(REST_S)
                subscriber.reset()
                [accepted_at] = ask("bench.load", order | {"prefix": f"evt{number}"})["accepted"].values()
                subscriber.wait(SUBSCRIPTIONS, of=process)
                recorded_at = until(_all_is_recorded, "all is recorded", seconds=RECORDED_WITHIN_S)
                whole.append(recorded_at - accepted_at)
                sent.append(max(at for at, _ in subscriber.arrivals()) - accepted_at)
    yield _figure("until the last subscriber has heard", sent)
    yield _figure("until every delivery is recorded", whole, GOAL_S)


def _all_is_recorded() -> bool:
    return not Delivery.objects.filter(state=DeliveryState.PENDING).exists()


def _figure(until_when: str, values: list[float], goal: float | None = None) -> Figure:
    at_most = goal if connection.vendor == "postgresql" else None
    what = f"one event to {SUBSCRIPTIONS:,} subscriptions, {until_when}"
    return Figure(bench="fanout", what=what, values=tuple(values), unit="s", at_most=at_most)
