"""Every page of the console asks as many questions of ten rows as of ten thousand, and reads no big table whole.

The pages are found in the site's own list of addresses; whoever adds one adds it here without knowing. A new kind of
thing needs a row in `one_of_each`.
"""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, User
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from deliveries.deciders.delivery_address import to_params
from deliveries.deciders.delivery_query import DeliveryQuery
from deliveries.models import (
    Alert,
    AlertMessage,
    Attempt,
    Breach,
    Cascade,
    Circuit,
    CircuitChange,
    Delivery,
    DeliveryBody,
    EntityVersion,
    Exchange,
    Lane,
    Mute,
    Replay,
    ReplayItem,
    ReplayLane,
    RouteRevision,
    SavedView,
    Seat,
    Tally,
)
from deliveries.services.dead_letters import Death, bury
from deliveries.services.depths import sample
from deliveries.services.holds import pause
from deliveries.services.notices import notify
from tests import alerting, make
from tests.callers import browser
from tests.walk import addresses, things_missing
from webhooks.ids import public_id, uuid7
from webhooks.models import BusinessKey, EventKey, EventType, Handshake, ReceiptRollup, Refusal, SourceSecret
from webhooks.services import audit
from webhooks.services.keys import create_api_key

pytestmark = pytest.mark.django_db(transaction=True)

ASKED_FOR = (
    "/admin/?w=1h",
    "/admin/?w=7d",
    "/admin/?w=30d",
    "/admin/deliveries/delivery/?status=dead",
    "/admin/deliveries/delivery/?status=held,retrying&code=5xx",
    "/admin/deliveries/delivery/?type=order.*&since=24h",
    "/admin/deliveries/delivery/?order=oldest&since=all",
    "/admin/deliveries/deadletter/?resolved_at__isempty=1",
    "/admin/webhooks/event/?q=nothing",
    "/admin/go/?q=nothing",
)
# Of few rows PostgreSQL reads all, and rightly so.
MANY = 30_000 if connection.vendor == "postgresql" else 10_000
BIG = 5_000  # rows


def one_of_each() -> None:
    """A row of everything, and ten deliveries, of which five are dead; all of it of today."""
    now, source = make.now(), make.source()
    lane, held = make.subscription(name="ERP core", source=source), make.subscription(name="Data lake")
    events = [make.event(type="order.paid", state="routed") for _ in range(10)]
    dead = [make.delivery(lane, each, state="dead", attempts=1, last_outcome="server_error", last_status=503,
                          fingerprint="v1:1", settled_at=now) for each in events[:5]]  # fmt: skip
    make.delivery(held, events[5], phase=1, attempts=1, last_outcome="server_error", last_status=503)
    for event in events[6:]:
        make.delivery(lane, event)
    for delivery in dead:
        attempt = Attempt.objects.create(
            delivery=delivery,
            number=1,
            phase=0,
            started_at=now,
            duration_ms=5,
            outcome="server_error",
            status=503,
        )
        Exchange.objects.create(attempt=attempt, url=lane.url, request_headers={})
    DeliveryBody.objects.create(delivery=dead[0], body=b"{}")
    bury(deaths=[dies(delivery) for delivery in dead], now=now)
    make.slices(lane, ago=timedelta(0), attempts=5, retried=0, dead=5)
    make.failures(lane, "server_error", 503, 5, ago=timedelta(0))
    CircuitChange.objects.create(subscription=lane, before="closed", after="open", why="It failed.")
    Lane.objects.filter(pk=lane.pk).update(circuit=Circuit.OPEN)
    pause(subscription_id=held.pk, actor="ada")
    replay = Replay.objects.create(ordered_by="ada")
    ReplayItem.objects.create(replay=replay, event=events[0], subscription=lane, delivery=dead[0])
    notify(kind="x", object_kind="subscription", object_id=lane.pk, text="Look.")
    lane_scope = public_id("subscription", lane.pk)
    alert = Alert.objects.create(rule="backlog", scope=lane_scope, summary="Much is due.", told_at=now)
    Alert.objects.create(rule="backlog", summary="It is over.", closed_at=now)
    alerting.rule("backlog", over="subscription", subscription=lane)
    told = {"channel": alerting.channel(), "kind": "opened", "severity": "warning", "title": "x", "text": "x"}
    AlertMessage.objects.create(alert=alert, due_at=now, **told)
    Breach.objects.create(rule="backlog", scope=lane_scope, since=now)
    Mute.objects.create(
        rule="backlog", scope=lane_scope, until=now + timedelta(hours=1), reason="x", muted_by="ada"
    )
    Cascade.objects.create(trace_id=events[0].trace_id, root_id=events[0].pk)
    EntityVersion.objects.create(subscription=lane, entity="order 1", version=1)
    Tally.objects.create(settled_at=now, attempts="[]", failed="[]", deaths="[]", length=0)
    Seat.objects.create(number=1, leased_until=now + timedelta(hours=1))
    RouteRevision.objects.get_or_create(id=1)
    Refusal.objects.create(source=source, reason="too-large", headers=[], body=b"")
    SourceSecret.objects.create(source=source, sealed="s3cret", hint="cret")
    Handshake.objects.create(source=source, name="x", first_seen_at=now, last_seen_at=now, last_status=200)
    key = {"digest": uuid7().bytes * 2, "body_digest": uuid7().bytes * 2, "event_id": events[0].pk}
    EventKey.objects.create(source=source, kind="id", **key, first_seen_at=now, last_seen_at=now)
    BusinessKey.objects.create(event=events[0], name="order", value="1")
    ReceiptRollup.objects.create(starts_at=now, source_id=source.pk, verdict="accepted", count=1, last_at=now)
    ReplayLane.objects.create(replay=replay, subscription=lane, total=1)
    SavedView.objects.create(name="Mine", owner=User.objects.create(username="bob"))
    Group.objects.create(name="Night shift")
    create_api_key(role="viewer", name="reader")
    EventType.objects.create(name="order.placed", schema={"type": "object"}, example={"n": 1})
    criteria = to_params(DeliveryQuery(subscriptions=(lane.pk,)))
    audit.record(actor="ada", verb="export", object_kind="delivery", object_id="", criteria=criteria)
    sample(now)


def dies(delivery: Delivery) -> Death:
    return Death(
        delivery_id=delivery.pk, subscription_id=delivery.subscription_id, reason="exhausted", fingerprint="v1:1",
        status=503, error="",
    )  # fmt: skip


def pages() -> list[str]:
    assert things_missing() == []
    return [*addresses(), *ASKED_FOR]


def questions(client: Client, address: str) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        assert client.get(address).status_code < 500, address
    return [query["sql"] for query in captured]


def test_every_page_asks_as_often_for_ten_rows_as_for_thousands_and_reads_no_big_table_whole() -> None:
    one_of_each()
    ContentType.objects.get_for_models(*apps.get_models())  # Django remembers them from here on
    chief, walked = browser(is_superuser=True), pages()
    few = {address: questions(chief, address) for address in walked}
    call_command("seed", deliveries=MANY, force=True, verbosity=0)
    sample(make.now())
    many = {address: questions(chief, address) for address in walked}
    assert [
        (each, len(few[each]), len(many[each])) for each in walked if len(few[each]) != len(many[each])
    ] == []
    if connection.vendor == "postgresql":
        big = big_tables()
        assert {"deliveries_delivery", "deliveries_attempt", "deliveries_rollup", "webhooks_event"} <= big
        assert [(each, told) for each in walked for told in read_whole(many[each], big)] == []


def big_tables() -> set[str]:
    """By what the database knows of their size."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE relkind = 'r' AND reltuples > %s", [BIG])
        return {name for (name,) in cursor.fetchall()}


def read_whole(asked: list[str], big: set[str]) -> Iterator[tuple[str, str]]:
    """Which of the big tables these would read whole, with the settings that each was asked with."""
    settings = ""
    for sql in asked:
        if sql.startswith("SET LOCAL"):
            settings = sql
        elif sql == "COMMIT":
            settings = ""
        elif sql.lstrip().startswith(("SELECT", "WITH", "(SELECT")) and any(table in sql for table in big):
            for node in nodes(plan(sql, settings)):
                if node["Node Type"] == "Seq Scan" and node["Relation Name"] in big:
                    yield node["Relation Name"], sql


def plan(sql: str, settings: str) -> dict[str, Any]:
    with transaction.atomic(), connection.cursor() as cursor:
        if settings:
            cursor.execute(settings)
        cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}")
        told = cursor.fetchone()[0]
    found: dict[str, Any] = (json.loads(told) if isinstance(told, str) else told)[0]["Plan"]
    return found


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)
