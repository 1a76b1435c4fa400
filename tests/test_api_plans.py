"""On PostgreSQL no list of the API reads a big table from end to end, first page or deep, whatever narrows it."""

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bench.lists import LISTS, addresses
from tests.callers import Caller, with_key
from tests.test_replay_plans import nodes
from webhooks.models import Refusal, Source

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]

BIG = {
    "deliveries_delivery", "deliveries_deadletter", "deliveries_attempt", "deliveries_rollup",
    "deliveries_typerollup", "deliveries_typefailure", "webhooks_event",
    "webhooks_refusal",
}  # fmt: skip


def scanned(sql: str) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (FORMAT JSON) " + sql)
        plan = cursor.fetchone()[0][0]["Plan"]
    return {node["Relation Name"] for node in nodes(plan) if node["Node Type"] == "Seq Scan"} & BIG


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
