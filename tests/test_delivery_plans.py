"""On PostgreSQL no filter of the deliveries page reads the table from end to end, alone or with another."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection

from deliveries.deciders.delivery_query import DeliveryQuery, Status
from deliveries.deciders.outcome import Outcome
from deliveries.models import Delivery, Subscription
from deliveries.selectors.delivery_pages import ids_sql
from deliveries.selectors.patience import patience
from webhooks.ids import first_id_at

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]

# By these indexes rows are found in order, or so few that they are sorted. The primary key is none of them: it is
# read in order too, but past everything that does not fit.
SELECTIVE = {
    "statuses": {
        "delivery_state_idx", "delivery_dead_idx", "delivery_pending_lane_idx", "delivery_first_due_idx",
        "delivery_retry_due_idx", "delivery_replay_due_idx", "delivery_dead_issue_idx",
    },
    "subscriptions": {"delivery_subscription_idx", "delivery_pending_lane_idx"},
    "sources": {"delivery_source_idx"},
    "types": {"delivery_type_idx"},
    "codes": {"delivery_failed_status_idx"},
    "outcomes": {"delivery_failed_outcome_idx"},
    "fingerprints": {"delivery_fingerprint_idx", "delivery_dead_issue_idx"},
    "attempts": {"delivery_attempts_idx"},
}  # fmt: skip


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


def reads(query: DeliveryQuery, now: datetime) -> list[tuple[str, str]]:
    """How the database would go about it, as the page asks: with its limits, at its ordinary settings."""
    with patience(), connection.cursor() as cursor:
        sql, values = ids_sql(query, now, 50)
        cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", values)
        plan = cursor.fetchone()[0][0]["Plan"]
    return [
        (node["Node Type"], node.get("Index Name", ""))
        for node in nodes(plan)
        if "Scan" in node["Node Type"] and (node.get("Relation Name") or node.get("Index Name"))
    ]


def test_each_filter_is_read_by_an_index_and_two_of_them_by_one_or_both() -> None:
    call_command("seed", deliveries=30_000, subscriptions=100, verbosity=0)
    now = datetime.now(UTC)
    busy = Delivery.objects.filter(source__slug="shop").values_list("subscription_id", flat=True)[0]
    quiet = Subscription.objects.order_by("-pk").values_list("pk", flat=True)[0]
    dead = Delivery.objects.filter(state="dead").exclude(fingerprint="")
    one, *_, other = sorted(set(dead.values_list("fingerprint", flat=True)))
    options: dict[str, list[Any]] = {
        "statuses": [(Status.DEAD,), (Status.RETRYING,), (Status.DISCARDED,), (Status.SUPERSEDED,)],
        "subscriptions": [(busy,), (quiet,)],
        "sources": [("sensors",), ("forge", "sensors")],
        "types": [("reading.taken",), ("deal.*",)],
        "codes": [("4xx",), ("503",), ("net",)],
        "outcomes": [(Outcome.TLS,), (Outcome.DNS, Outcome.TIMEOUT)],
        "fingerprints": [(one,), (one, other)],
        "attempts": [5, 10],
    }
    deep = first_id_at(now - timedelta(days=25))
    for name, values in options.items():
        for value in values:
            for before in (None, deep):
                found = reads(DeliveryQuery(before=before, **{name: value}), now)
                assert {index for _, index in found} <= SELECTIVE[name], (name, value, found)
    names = sorted(options)
    for one in names:
        for other in names:
            if one < other:
                query = DeliveryQuery(**{one: options[one][0], other: options[other][0]})
                found = reads(query, now)
                assert {index for _, index in found} <= SELECTIVE[one] | SELECTIVE[other], (query, found)


def test_without_a_filter_the_key_alone_is_read() -> None:
    call_command("seed", deliveries=5_000, subscriptions=20, verbosity=0)
    now = datetime.now(UTC)
    assert [index for _, index in reads(DeliveryQuery(), now)] == ["deliveries_delivery_pkey"]
    assert [index for _, index in reads(DeliveryQuery(since="24h"), now)] == ["deliveries_delivery_pkey"]
