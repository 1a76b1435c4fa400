"""On PostgreSQL nothing that the issues page asks reads a big table from end to end."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from deliveries.admin.issue_list import issues_context
from deliveries.deciders.issue_query import IssueQuery, ParsedIssues
from deliveries.models import Issue
from deliveries.selectors.patience import patience

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]

BIG = {"deliveries_delivery", "deliveries_deadletter", "deliveries_attempt", "deliveries_rollup"}


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


def test_counts_strips_and_endpoints_are_read_by_indexes() -> None:
    call_command("seed", deliveries=5_000, subscriptions=60, verbosity=0)
    assert Issue.objects.filter(state="open").count() > 5
    with CaptureQueriesContext(connection) as captured:
        issues_context(ParsedIssues(query=IssueQuery()), datetime.now(UTC))
    asked = [each["sql"] for each in captured if each["sql"].startswith("SELECT")]
    read: dict[str, set[str]] = {}
    with patience(), connection.cursor() as cursor:
        # Of so few dead letters the table is read sooner than an index; here it is asked whether there is one.
        cursor.execute("SET LOCAL enable_seqscan = off")
        for sql in asked:
            cursor.execute("EXPLAIN (FORMAT JSON) " + sql)
            for node in nodes(cursor.fetchone()[0][0]["Plan"]):
                if "Scan" in node["Node Type"] and node.get("Relation Name") in BIG:
                    read.setdefault(node["Relation Name"], set()).add(node.get("Index Name", "all of it"))
    # Each holds the dead alone, or begins with the state: of so few the planner takes now one, now another.
    assert read["deliveries_delivery"] <= {
        "delivery_dead_issue_idx",
        "delivery_dead_idx",
        "delivery_state_idx",
    }
    assert read["deliveries_deadletter"] == {"dead_letter_issue_idx"}
    assert "all of it" not in read.get("deliveries_rollup", set())
