"""On PostgreSQL no list of the API reads a big table from end to end, first page or deep, whatever narrows it."""

from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bench.lists import LISTS, addresses
from deliveries.models import Cascade
from tests import make
from tests.callers import Caller, with_key
from tests.test_replay_plans import nodes
from webhooks.models import Refusal, Source

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]

BIG = {
    "deliveries_delivery", "deliveries_deadletter", "deliveries_attempt", "deliveries_rollup",
    "deliveries_typerollup", "deliveries_typefailure", "webhooks_event",
    "webhooks_refusal", "deliveries_cascade", "deliveries_issue", "deliveries_alert",
}  # fmt: skip


def planned(sql: str) -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (FORMAT JSON) " + sql)
        return list(nodes(cursor.fetchone()[0][0]["Plan"]))


def scanned(sql: str) -> set[str]:
    return {node["Relation Name"] for node in planned(sql) if node["Node Type"] == "Seq Scan"} & BIG


def asked(caller: Caller, address: str) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        answer = caller.get(address)
    assert answer.status_code == 200, answer.content
    return [each["sql"] for each in captured if each["sql"].startswith("SELECT")]


def test_every_list_is_read_by_an_index() -> None:
    call_command("seed", deliveries=20_000, subscriptions=60, verbosity=0)
    source = Source.objects.order_by("pk")[0]
    Refusal.objects.bulk_create(
        Refusal(source=source, reason="token-mismatch", headers=[], body=b"x") for _ in range(3_000)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE webhooks_refusal")
        # Of so few rows a table is read sooner than an index; here it is asked whether there is one.
        cursor.execute("SET enable_seqscan = off")
    caller, visited = with_key(), 0
    try:
        for each, address in (*addresses(), *addresses(deep=25)):
            sql = asked(caller, address)
            assert {table for one in sql for table in scanned(one)} == set(), (each.what, address)
            visited += 1
    finally:
        with connection.cursor() as cursor:
            cursor.execute("RESET enable_seqscan")
    assert visited > 1.5 * len(LISTS)


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("", "deliveries_cascade_root_id"),
        ("quarantined=false", "deliveries_cascade_root_id"),
        ("quarantined=true", "cascade_quarantined_idx"),
    ],
)
@pytest.mark.parametrize("place", ["", "older", "newer"])
def test_cascades_are_read_in_the_order_of_an_index(query: str, index: str, place: str) -> None:
    roots = [make.event() for _ in range(300)]
    Cascade.objects.bulk_create(
        Cascade(trace_id=each.trace_id, root=each, quarantined=number % 2,
                quarantined_at=make.now() if number % 2 else None)
        for number, each in enumerate(roots)
    )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE deliveries_cascade")
    cursor_of = f"cursor={place}.{roots[150].pk.hex}&" if place else ""
    sql = next(
        each
        for each in asked(with_key(), f"/api/v1/cascades?{cursor_of}{query}&limit=5")
        if 'FROM "deliveries_cascade"' in each
    )
    plan = planned(sql)
    assert [node["Node Type"] for node in plan] == ["Limit", "Index Scan"]
    assert plan[1]["Index Name"].startswith(index)
