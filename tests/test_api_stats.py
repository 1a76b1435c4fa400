"""Figures over the API: of any window, of all, of one, by subscription, type and source; from rollups alone."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from deliveries.models.rollup import OTHER_TYPES
from deliveries.selectors import stats
from tests import make
from tests.answers import fields
from tests.callers import Caller, with_key
from webhooks.ids import public_id
from webhooks.models import NO_SOURCE, ReceiptRollup

pytestmark = pytest.mark.django_db

HOME = "/api/v1/stats"
NOON = datetime(2026, 3, 29, 12, tzinfo=UTC)
RAW = ("deliveries_delivery", "deliveries_attempt", "webhooks_event", "deliveries_deadletter")


@pytest.fixture
def caller() -> Caller:
    return with_key()


def told(caller: Caller, **query: Any) -> dict[str, Any]:
    answer = caller.get(HOME, query)
    assert answer.status_code == 200, answer.json()
    found: dict[str, Any] = answer.json()
    return found


def ago(**span: float) -> str:
    return (make.now() - timedelta(**span)).isoformat()


def received(source: Any, verdict: str, count: int, reason: str = "") -> None:
    at = make.now().replace(minute=0, second=0, microsecond=0)
    ReceiptRollup.objects.create(
        source_id=source, starts_at=at, verdict=verdict, reason=reason, count=count, last_at=at
    )


def test_a_day_of_all_is_what_is_told_unless_asked_otherwise(caller: Caller) -> None:
    to = make.subscription()
    make.slices(to, attempts=10, delivered_first=6, delivered_retry=2, retried=1, dead=1, faults=2, took=9)
    make.failures(to, "server_error", 503, 2)
    make.slices(to, attempts=5, ago=timedelta(days=2))
    found = told(caller)
    total = found["total"]
    assert [total[name] for name in ("attempts", "delivered", "dead", "faults")] == [10, 8, 1, 2]
    assert total["success_rate"] == pytest.approx(8 / 9)
    assert found["failures"] == [{"outcome": "server_error", "status": 503, "count": 2}]
    since, until = (datetime.fromisoformat(found[name]) for name in ("since", "until"))
    assert timedelta(hours=24) <= until - since <= timedelta(hours=24, minutes=2)


def test_a_window_is_told_in_whole_slices_that_hold_it() -> None:
    def window(since: datetime, until: datetime) -> tuple[datetime, datetime, int]:
        found = stats.covering(since, until, now=NOON)
        return found.since, found.until, found.step_s

    minute = timedelta(seconds=61)
    assert window(NOON - minute, NOON) == (NOON - timedelta(minutes=2), NOON, 60)
    days = timedelta(days=3, seconds=1)
    assert window(NOON - days, NOON - minute) == (NOON - timedelta(days=3, minutes=15), NOON, 900)
    month = timedelta(days=30, seconds=1)
    assert window(NOON - month, NOON) == (NOON - timedelta(days=30, hours=1), NOON, 3_600)
    assert window(NOON, NOON) == (NOON, NOON + timedelta(minutes=1), 60)


def test_it_looks_back_as_far_as_asked(caller: Caller) -> None:
    to = make.subscription()
    for days in (0.1, 3, 20):
        make.slices(to, attempts=1, ago=timedelta(days=days))
    assert [told(caller, since=ago(days=days))["total"]["attempts"] for days in (1, 5, 30)] == [1, 2, 3]
    assert told(caller, since=ago(days=30), until=ago(days=5))["total"]["attempts"] == 1


def test_of_one_subscription(caller: Caller) -> None:
    mine, other = make.subscription(name="a"), make.subscription(name="b")
    make.slices(mine, attempts=3)
    make.slices(other, attempts=4)
    assert told(caller, subscription=public_id("subscription", mine.pk))["total"]["attempts"] == 3
    answer = caller.get(HOME, {"subscription": public_id("subscription", NO_SOURCE)})
    assert (answer.status_code, fields(answer)) == (400, {"subscription": ["There is no such subscription."]})


def test_by_subscription_the_busiest_come_first(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, attempts in (("a", 3), ("b", 4), ("c", 1)):
        make.slices(make.subscription(name=name), attempts=attempts, delivered_first=1, took=9)
    found = told(caller, by="subscription")
    rows = found["by_subscription"]
    assert [(each["name"], each["figures"]["attempts"]) for each in rows] == [("b", 4), ("a", 3), ("c", 1)]
    assert 40 < rows[0]["figures"]["latency_ms"]["p50"] <= 63
    assert (found["is_cut"], found["total"]["attempts"]) == (False, 8)
    monkeypatch.setattr(stats, "MOST", 2)
    found = told(caller, by="subscription")
    assert ([each["name"] for each in found["by_subscription"]], found["is_cut"]) == (["b", "a"], True)


def test_by_type_the_busiest_come_first(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    make.slices(make.subscription(), attempts=8)
    for event_type, attempts in (("order.placed", 2), (OTHER_TYPES, 3), ("order.paid", 4), ("", 1)):
        make.type_slices(event_type, attempts=attempts, delivered_first=1, dead=attempts - 1, took=9)
    found = told(caller, by="type")
    rows = found["by_type"]
    assert [(each["event_type"], each["figures"]["attempts"]) for each in rows] == [
        ("order.paid", 4), (None, 3), ("order.placed", 2), ("", 1),
    ]  # fmt: skip
    assert (rows[0]["figures"]["success_rate"], rows[0]["figures"]["dead"]) == (0.25, 3)
    assert 40 < rows[0]["figures"]["latency_ms"]["p50"] <= 63
    assert (found["is_cut"], found["total"]["attempts"]) == (False, 8)
    monkeypatch.setattr(stats, "MOST", 2)
    found = told(caller, by="type")
    assert ([each["event_type"] for each in found["by_type"]], found["is_cut"]) == (
        ["order.paid", None],
        True,
    )


def test_by_type_a_window_is_as_long_as_asked(caller: Caller) -> None:
    for days in (0.1, 3, 20):
        make.type_slices("order.placed", attempts=1, ago=timedelta(days=days))
    found = [told(caller, by="type", since=ago(days=days))["by_type"] for days in (1, 5, 30)]
    assert [row["figures"]["attempts"] for rows in found for row in rows] == [1, 2, 3]


def test_of_one_type(caller: Caller) -> None:
    for event_type, attempts in (("order.placed", 3), ("order.paid", 4)):
        make.type_slices(event_type, attempts=attempts)
        make.type_failures(event_type, "server_error", 500 + attempts, attempts - 1)
    make.type_failures("order.placed", "timeout", 0, 5)
    found = told(caller, event_type="order.placed")
    assert found["total"]["attempts"] == 3
    assert found["failures"] == [
        {"outcome": "timeout", "status": None, "count": 5},
        {"outcome": "server_error", "status": 503, "count": 2},
    ]
    found = told(caller, event_type="order")
    assert (found["total"]["attempts"], found["failures"]) == (0, [])


def test_by_source_what_came_of_requests_is_told(caller: Caller) -> None:
    shop = make.source()
    received(shop.pk, "accepted", 5)
    received(shop.pk, "duplicate", 1)
    received(shop.pk, "refused", 2, "signature-mismatch")
    received(NO_SOURCE, "refused", 1, "unknown-source")
    assert told(caller, by="source", since=ago(hours=2))["by_source"] == [
        {
            "source": "shop", "accepted": 5, "duplicate": 1, "conflict": 0, "refused": 2, "handshake": 0,
            "refused_for": {"signature-mismatch": 2},
        },
        {
            "source": None, "accepted": 0, "duplicate": 0, "conflict": 0, "refused": 1, "handshake": 0,
            "refused_for": {"unknown-source": 1},
        },
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"since": "noon"}, "since"),
        ({"since": "2020-01-01T00:00:00Z"}, "since"),
        ({"since": "2999-01-01T00:00:00Z"}, "since"),
        ({"until": "2020-01-01T00:00:00Z"}, "since"),
        ({"until": "0001-01-01T00:00:00Z"}, "until"),
        ({"by": "colour"}, "by"),
        ({"by": "source", "subscription": "sub_00000000000070008000000000000000"}, "by"),
        ({"by": "type", "event_type": "order.placed"}, "by"),
        (
            {"event_type": "order.placed", "subscription": "sub_00000000000070008000000000000000"},
            "event_type",
        ),
        ({"event_type": "x" * 201}, "event_type"),
        ({"subscription": "x"}, "subscription"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_makes_no_sense_is_named(caller: Caller, query: dict[str, str], field: str) -> None:
    answer = caller.get(HOME, query)
    assert (answer.status_code, list(fields(answer))) == (400, [field])


@pytest.mark.parametrize("by", ["", "subscription", "type", "source"])
def test_it_asks_as_much_of_200_subscriptions_as_of_10_and_no_raw_row(caller: Caller, by: str) -> None:
    counts = []
    for first, last in ((0, 10), (10, 200)):
        for number in range(first, last):
            make.slices(make.subscription(name=f"s{number}"), attempts=1)
            make.type_slices(f"type-{number}", attempts=1)
            received(make.source(f"shop-{number}").pk, "accepted", 1)
        with CaptureQueriesContext(connection) as captured:
            told(caller, since=ago(days=2), **({"by": by} if by else {}))
        counts.append(len(captured))
        assert not [each for each in captured if any(f'FROM "{table}"' in each["sql"] for table in RAW)]
    assert counts[0] == counts[1]
