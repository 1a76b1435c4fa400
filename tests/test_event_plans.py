"""On PostgreSQL no filter of the events page reads a table from end to end."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection

from deliveries.deciders.event_query import EventQuery, EventStatus, Tab
from deliveries.selectors.event_pages import events_sql
from deliveries.selectors.patience import patience
from tests.test_delivery_plans import nodes
from webhooks.ids import first_id_at

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]


def reads(query: EventQuery, now: datetime) -> set[tuple[str, str]]:
    with patience(), connection.cursor() as cursor:
        sql, values = events_sql(query, now, 50)
        cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", values)
        plan = cursor.fetchone()[0][0]["Plan"]
    return {
        (node["Node Type"], str(node.get("Index Name") or node.get("Relation Name")))
        for node in nodes(plan)
        if "Scan" in node["Node Type"] and (node.get("Relation Name") or node.get("Index Name"))
    }


def test_each_filter_is_read_by_an_index() -> None:
    call_command("seed", deliveries=20_000, subscriptions=50, verbosity=0)
    now = datetime.now(UTC)
    deep = first_id_at(now - timedelta(days=25))
    asked: list[tuple[dict[str, Any], set[str]]] = [
        ({}, {"webhooks_event_pkey"}),
        ({"since": "24h"}, {"webhooks_event_pkey"}),
        ({"before": deep}, {"webhooks_event_pkey"}),
        ({"sources": ("sensors",)}, {"event_source_idx"}),
        ({"types": ("reading.taken",)}, {"event_type_idx"}),
        ({"types": ("deal.*",), "before": deep}, {"event_type_idx"}),
        ({"statuses": (EventStatus.UNMATCHED,)}, {"event_aside_idx"}),
        ({"statuses": (EventStatus.RECEIVED,)}, {"event_unrouted_idx"}),
        ({"statuses": (EventStatus.CANCELLED,), "since": "all"}, {"event_let_go_idx"}),
        ({"statuses": (EventStatus.DISCARDED, EventStatus.QUARANTINED)}, {"event_let_go_idx", "event_aside_idx"}),
        ({"statuses": (EventStatus.DISCARDED,), "types": ("deal.*",)}, {"event_let_go_idx"}),
        ({"tab": Tab.DUPLICATES}, {"webhooks_event_pkey", "event_key_repeated_idx"}),
        ({"tab": Tab.CONFLICTS}, {"webhooks_event_pkey", "event_key_conflict_idx"}),
        ({"tab": Tab.DUPLICATES, "types": ("deal.*",)},
         {"webhooks_event_pkey", "event_key_repeated_idx", "event_type_idx"}),
        ({"search": "order_00000007", "since": "all"}, {"webhooks_event_pkey"}),
    ]  # fmt: skip
    for filters, indexes in asked:
        found = reads(EventQuery(**filters), now)
        assert {name for _, name in found} <= indexes and not any(kind == "Seq Scan" for kind, _ in found), (
            filters, found,
        )  # fmt: skip
