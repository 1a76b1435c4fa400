"""On PostgreSQL neither a preview nor a start, an admission or a look at progress reads a big table from end to end."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection

from deliveries.deciders.delivery_query import DeliveryQuery, Status
from deliveries.deciders.replay_choice import Choice
from deliveries.dispatcher import waiting_items
from deliveries.models import Delivery, Replay, ReplayItem
from deliveries.selectors.patience import patience
from deliveries.selectors.replay_set import statement
from webhooks.models import Event, EventBody

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]

BIG = {"deliveries_delivery", "webhooks_event", "webhooks_eventbody", "deliveries_replayitem"}


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


def read_whole(sql: str, values: Any) -> set[str]:
    """The big tables that would be read from end to end."""
    with patience(), connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", values)
        plan = cursor.fetchone()[0][0]["Plan"]
    scanned = {node["Relation Name"] for node in nodes(plan) if node["Node Type"] == "Seq Scan"}
    return scanned & BIG


def test_no_big_table_is_read_from_end_to_end() -> None:
    call_command("seed", deliveries=30_000, subscriptions=50, verbosity=0)
    now = datetime.now(UTC)
    dead = Delivery.objects.filter(state="dead")
    EventBody.objects.bulk_create(
        [
            EventBody(event_id=event, body=b"{}", content_type="application/json", headers=[])
            for event in Event.objects.values_list("pk", flat=True)
        ],
        ignore_conflicts=True,
    )
    replay = Replay.objects.create(ordered_by="ada", total=20_000)
    rows = Delivery.objects.values_list("event_id", "subscription_id", "pk")[:20_000]
    ReplayItem.objects.bulk_create(
        ReplayItem(replay=replay, event_id=event, subscription_id=to, delivery_id=key, state="delivered")
        for event, to, key in rows
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE deliveries_replayitem; ANALYZE webhooks_eventbody")
    lane = dead.values_list("subscription_id", flat=True)[0]
    for query in (
        DeliveryQuery(statuses=(Status.DEAD,)),
        DeliveryQuery(statuses=(Status.DEAD,), subscriptions=(lane,), since="all"),
        DeliveryQuery(statuses=(Status.DEAD,), types=("order.*",), since="7d"),
    ):
        found = statement(Choice(query=query).frozen(now), now)
        assert found is not None
        assert read_whole(f"{found.sql} SELECT count(*) FROM chosen", found.values) == set()
    given = {"replays": [replay.pk.hex], "lanes": [lane.hex], "read": [0]}
    assert read_whole(waiting_items._lateral(10), given) == set()
    for items in (
        ReplayItem.objects.filter(delivery_id__in=[lane], state="admitted"),
        ReplayItem.objects.filter(
            delivery_id=lane, settled_at__isnull=False, state__in=["delivered", "failed"]
        ),
        ReplayItem.objects.filter(replay=replay, state="failed").order_by("-settled_at")[:12],
        ReplayItem.objects.filter(replay=replay, settled_at__isnull=False, settled_at__gte=now),
    ):
        assert read_whole(*items.query.sql_with_params()) == set()
