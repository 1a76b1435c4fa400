"""How long it takes to start a replay of 200,000 deliveries, over the month that `pages` made. It leaves no trace."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime

from django.db import connection, transaction

from bench.figures import Figure
from bench.stage import BenchFailed
from deliveries.deciders.delivery_query import DeliveryQuery, Status
from deliveries.deciders.replay_choice import Choice
from deliveries.models import Delivery, DeliveryState
from deliveries.selectors.replay_estimate import count, estimate
from deliveries.services import replays
from webhooks.ids import first_id_at
from webhooks.models import Event

ITEMS = 200_000
AT_MOST_S = 1.0
BODIES = """INSERT INTO webhooks_eventbody (event_id, body, content_type, headers)
SELECT id, {body}, 'application/json', '[]' FROM webhooks_event e
WHERE id >= %s AND NOT EXISTS (SELECT 1 FROM webhooks_eventbody b WHERE b.event_id = e.id)"""


def run(rounds: int) -> Iterator[Figure]:
    newest = Delivery.objects.filter(state=DeliveryState.DELIVERED).order_by("-pk")
    since = newest.values_list("created_at", flat=True)[ITEMS - 100 : ITEMS].first()
    if since is None:
        return  # a quick month has fewer
    previews, starts = [], []
    for _ in range(rounds):
        with transaction.atomic():
            _give_bodies(since)
            preview_s, start_s = _started(since)
            transaction.set_rollback(True)
        previews.append(preview_s)
        starts.append(start_s)
    yield Figure(
        bench="pages", what=f"the preview of a replay of {ITEMS:,}", values=tuple(previews), unit="s"
    )
    what = f"freezing the {ITEMS:,} items of a replay, its summary included"
    yield Figure(bench="pages", what=what, values=tuple(starts), unit="s", at_most=AT_MOST_S)


def _give_bodies(since: datetime) -> None:
    """Only the newest of a seeded month have any, and without one nothing can be sent again."""
    body = "convert_to('1', 'UTF8')" if connection.vendor == "postgresql" else "CAST('1' AS blob)"
    key = first_id_at(since)
    with connection.cursor() as cursor:
        cursor.execute(BODIES.format(body=body), [Event._meta.pk.get_db_prep_value(key, connection)])
        cursor.execute("ANALYZE webhooks_eventbody")


def _started(since: datetime) -> tuple[float, float]:
    now = datetime.now(UTC)
    asked = Choice(query=DeliveryQuery(statuses=(Status.DELIVERED,), since="all", start=since))
    choice = asked.frozen(now)
    began_at = time.perf_counter()
    estimate(choice, now)
    preview_s = time.perf_counter() - began_at
    order = replays.Order(choice=choice, seen=min(count(choice, now), ITEMS), reason="to be measured")
    began_at = time.perf_counter()
    verdict = replays.start(order=order, asked=asked, actor="bench", now=now)
    if not verdict.is_done:
        raise BenchFailed(verdict.sentence)
    return preview_s, time.perf_counter() - began_at
