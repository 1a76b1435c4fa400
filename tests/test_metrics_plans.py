"""On PostgreSQL no question of a scrape reads a big table from end to end."""

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from deliveries.services import depths, folding
from tests import make
from tests.scraping import scrape
from tests.test_delivery_plans import nodes
from webhooks.models import Source

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]

BIG = {
    "deliveries_attempt", "deliveries_deadletter", "deliveries_delivery", "deliveries_deliverybody",
    "deliveries_exchange", "deliveries_replayitem", "deliveries_rollup", "deliveries_rollupfailure",
    "deliveries_typerollup", "deliveries_typefailure",
    "webhooks_event", "webhooks_eventbody", "webhooks_eventkey", "webhooks_receiptrollup", "webhooks_refusal",
}  # fmt: skip


def test_big_tables_are_read_by_their_indexes() -> None:
    call_command("seed", deliveries=20_000, subscriptions=50, verbosity=0)
    Source.objects.update(expected_every_s=600)
    depths.sample(make.now())
    folding.fold()
    with CaptureQueriesContext(connection) as captured:
        scrape()
    scanned = set()
    with connection.cursor() as cursor:
        for asked in captured:
            cursor.execute(f"EXPLAIN (FORMAT JSON) {asked['sql'].replace('%', '%%')}", ())
            for node in nodes(cursor.fetchone()[0][0]["Plan"]):
                if node["Node Type"] == "Seq Scan":
                    scanned.add(node["Relation Name"])
    assert "deliveries_lane" in scanned  # it looked somewhere
    assert scanned & BIG == set()
