"""What a deliveries query finds: each filter alone and together, page by page, whatever the order; and by an index."""

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from deliveries.deciders.delivery_query import DeliveryQuery, Status
from deliveries.deciders.outcome import Outcome
from deliveries.models import Delivery, Lane, Phase, Replay, ReplayItem, Subscription
from deliveries.selectors.columns import known_types
from deliveries.selectors.delivery_filters import filters_of
from deliveries.selectors.delivery_pages import count, each_page, ids_sql, matching, page
from deliveries.selectors.patience import TooSlow, patience
from tests import make
from webhooks.ids import first_id_at, public_id
from webhooks.models import Event, Source

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
TYPES = ("order.created", "order.paid", "orders", "user.created", "")
KINDS: tuple[dict[str, Any], ...] = (
    {"state": "pending", "phase": 0},
    {"state": "pending", "phase": 1, "attempts": 2, "last_outcome": "timeout"},
    {"state": "pending", "phase": 2, "attempts": 3, "last_outcome": "ok", "last_status": 200},
    {"state": "dead", "phase": 1, "attempts": 12, "last_outcome": "server_error", "last_status": 503,
     "fingerprint": "v1:a"},
    {"state": "dead", "phase": 0, "attempts": 1, "last_outcome": "client_error", "last_status": 404,
     "fingerprint": "v1:b"},
    {"state": "dead", "phase": 2, "attempts": 30, "last_outcome": "tls", "fingerprint": "v1:c"},
    {"state": "dead", "phase": 0, "last_outcome": "blocked", "fingerprint": "v1:d"},
    {"state": "delivered", "phase": 0, "attempts": 1, "last_outcome": "ok", "last_status": 204},
    {"state": "delivered", "phase": 1, "attempts": 4, "last_outcome": "ok", "last_status": 200},
    {"state": "discarded", "phase": 0, "attempts": 2, "last_outcome": "reset", "last_status": 200},
    {"state": "superseded", "phase": 0},
)  # fmt: skip


@pytest.fixture
def hub() -> list[Delivery]:
    """300 deliveries of a month: three subscriptions, of which one is paused; two sources; every kind of state."""
    chance = random.Random(7)
    lanes = [make.subscription(name=name) for name in ("erp", "crm", "lake")]
    Lane.objects.filter(pk=lanes[2].pk).update(hold="paused")
    sources, made = [make.source("shop"), make.source("forge")], []
    for number in range(300):
        at = NOW - timedelta(days=chance.random() * 29)
        key = UUID(int=first_id_at(at).int | chance.getrandbits(62))
        owner = chance.choice(sources)
        event = Event.objects.create(
            source=owner, external_id=f"ord-{number}", event_type=chance.choice(TYPES), size=2, state="routed",
            routed_at=at,
        )  # fmt: skip
        made.append(make.delivery(chance.choice(lanes), event, id=key, created_at=at, **chance.choice(KINDS)))
    replay = Replay.objects.create(ordered_by="ada")
    ReplayItem.objects.bulk_create(
        ReplayItem(replay=replay, event_id=each.event_id, subscription_id=each.subscription_id, delivery=each)
        for each in made[::7]
    )
    return sorted(made, key=lambda each: each.pk, reverse=True)


def fits(row: Delivery, query: DeliveryQuery) -> bool:
    """The same rules, said plainly."""
    is_held = row.subscription.name == "lake" and row.state == "pending"
    status = "held" if is_held else "retrying" if row.state == "pending" and row.phase else row.state
    code = str(row.last_status or ("net" if row.last_outcome in ("timeout", "tls") else ""))
    return all(
        (
            not query.statuses or status in query.statuses,
            not query.subscriptions or row.subscription_id in query.subscriptions,
            not query.sources or row.source.slug in query.sources,
            not query.types or any(_is_of(row.event_type, pattern) for pattern in query.types),
            not query.codes or code in query.codes or f"{code[:1]}xx" in query.codes,
            not query.outcomes or row.last_outcome in query.outcomes,
            not query.fingerprints or row.fingerprint in query.fingerprints,
            not query.replay or row.pk in replayed(query.replay),
            row.attempts >= query.attempts,
            query.begins(NOW) is None or row.created_at >= query.begins(NOW),
            query.end is None or row.created_at < query.end,
        )
    )


def _is_of(event_type: str, pattern: str) -> bool:
    return event_type.startswith(pattern[:-1]) if pattern.endswith(".*") else event_type == pattern


def replayed(replay: UUID) -> set[UUID]:
    items = ReplayItem.objects.filter(replay_id=replay)
    return set(items.values_list("delivery_id", flat=True))


def queries(hub: list[Delivery]) -> Iterator[DeliveryQuery]:
    """Each filter alone, then many together by luck."""
    subscriptions = list(Subscription.objects.values_list("pk", flat=True))
    options: dict[str, list[Any]] = {
        "statuses": [*((each,) for each in Status), (Status.DEAD, Status.HELD, Status.RETRYING)],
        "subscriptions": [(subscriptions[0],), tuple(subscriptions[:2]), (UUID(int=5),)],
        "sources": [("shop",), ("forge", "shop"), ("nobody",)],
        "types": [("order.*",), ("orders", "user.created"), ("none.*",), ("order.*", "user.*"), ("none",)],
        "codes": [("2xx",), ("4xx", "5xx"), ("net",), ("503",), ("200",), ("418",), ("2xx", "net")],
        "outcomes": [(Outcome.TIMEOUT,), (Outcome.OK,), (Outcome.OK, Outcome.TLS), (Outcome.GONE,)],
        "fingerprints": [("v1:a",), ("v1:none",), ("v1:a", "v1:c")],
        "replay": [Replay.objects.get().pk, UUID(int=5)],
        "attempts": [1, 2, 3, 10, 17, 40],
        "since": ["24h", "7d", "all"],
        "end": [NOW - timedelta(days=3)],
    }
    for name, values in options.items():
        for value in values:
            yield DeliveryQuery(**{name: value})
    chance = random.Random(11)
    for _ in range(120):
        names = chance.sample(sorted(options), chance.randint(2, 4))
        yield DeliveryQuery(**{name: chance.choice(options[name]) for name in names})


def test_every_filter_and_mixture_finds_what_fits_and_nothing_else(hub: list[Delivery]) -> None:
    for query in queries(hub):
        expected = [row.pk for row in hub if fits(row, query)]
        assert list(page(query, NOW, 400).ids) == expected, query
        assert set(matching(query, NOW).values_list("pk", flat=True)) == set(expected), query
        assert count(query, NOW) == len(expected), query


@pytest.mark.parametrize("oldest_first", [False, True])
@pytest.mark.parametrize("filters", [{}, {"statuses": (Status.DEAD, Status.HELD)}, {"attempts": 2}])
def test_pages_lead_to_the_end_and_back(
    hub: list[Delivery], filters: dict[str, Any], oldest_first: bool
) -> None:
    query = DeliveryQuery(**filters, oldest_first=oldest_first)
    expected = [row.pk for row in hub if fits(row, query)][:: -1 if oldest_first else 1]
    found, pages = page(query, NOW, 7), []
    assert not found.has_previous
    while True:
        pages.append(list(found.ids))
        if not found.has_next:
            break
        found = page(query.following(found.ids[-1]), NOW, 7)
        assert found.has_previous
    assert [key for each in pages for key in each] == expected
    for wanted in reversed(pages[:-1]):
        found = page(query.preceding(found.ids[0]), NOW, 7)
        assert (list(found.ids), found.has_next) == (wanted, True)
    assert not found.has_previous


def test_rows_that_arrive_while_paging_move_nothing(hub: list[Delivery]) -> None:
    query = DeliveryQuery()
    first = page(query, NOW, 10)
    later = make.delivery(
        Subscription.objects.all()[0], make.event(state="routed"), id=UUID(int=hub[0].pk.int + 1)
    )
    second = page(replace(query, before=first.ids[-1]), NOW, 10)
    assert list(second.ids) == [row.pk for row in hub[10:20]]
    assert later.pk in page(replace(query, after=first.ids[0]), NOW, 10).ids


def test_all_pages_together_are_everything_once(hub: list[Delivery]) -> None:
    for query in (DeliveryQuery(), DeliveryQuery(oldest_first=True)):
        expected = [row.pk for row in hub][:: -1 if query.oldest_first else 1]
        assert [key for ids in each_page(query, NOW, 17) for key in ids] == expected


@pytest.mark.parametrize("by", ["delivery", "event", "subscription", "sender", "bare"])
def test_an_id_is_found_exactly_and_over_all_time(hub: list[Delivery], by: str) -> None:
    row = hub[-1]
    theirs = [each.pk for each in hub if each.subscription_id == row.subscription_id]
    text, expected = {
        "delivery": (public_id("delivery", row.pk), [row.pk]),
        "event": (public_id("event", row.event_id), [row.pk]),
        "subscription": (public_id("subscription", row.subscription_id), theirs),
        "sender": (row.external_id, [row.pk]),
        "bare": (str(row.pk), [row.pk]),
    }[by]  # fmt: skip
    assert list(page(DeliveryQuery(search=text, since="all"), NOW, 400).ids) == expected
    assert list(page(DeliveryQuery(search=text[:-1] + "z", since="all"), NOW, 400).ids) == []


def test_a_count_stops_at_its_limit(hub: list[Delivery]) -> None:
    assert count(DeliveryQuery(), NOW, most=299) == 300
    assert count(DeliveryQuery(), NOW, most=50) == 51


def test_a_frozen_query_lets_nothing_in_that_comes_later(hub: list[Delivery]) -> None:
    frozen = DeliveryQuery().frozen(NOW)
    make.delivery(Subscription.objects.all()[0], id=first_id_at(NOW + timedelta(seconds=1)))
    assert count(frozen, NOW + timedelta(days=1)) == 300


def test_types_are_found_one_by_one(hub: list[Delivery]) -> None:
    assert sorted(known_types()) == sorted(each for each in TYPES if each)


def test_branches_stay_few_whatever_is_asked(hub: list[Delivery]) -> None:
    everything = DeliveryQuery(
        statuses=tuple(Status), sources=("forge", "shop"), types=("order.*", "user.*"), attempts=2,
        codes=("2xx", "4xx", "5xx", "net"), outcomes=tuple(Outcome),
    )  # fmt: skip
    assert len(filters_of(everything, NOW).branches()) <= 24
    assert len(filters_of(DeliveryQuery(statuses=(Status.DEAD,)), NOW).branches()) == len(Phase)


def test_a_question_that_takes_too_long_is_stopped(hub: list[Delivery]) -> None:
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    with pytest.raises(TooSlow), patience(0.2), connection.cursor() as cursor:
        cursor.execute(endless)
    assert Source.objects.count() == 2  # and the connection is as good as before


@pytest.mark.django_db(transaction=True)  # it goes with its own transaction
def test_a_limit_is_gone_afterwards(hub: list[Delivery]) -> None:
    with patience(0.2):
        pass
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000) SELECT count(*) FROM n"
        )
        assert cursor.fetchone()[0] == 300_000


INDEXED: dict[str, Any] = {
    "statuses": (Status.DEAD,),
    "sources": ("shop",),
    "types": ("order.paid",),
    "codes": ("503",),
    "outcomes": (Outcome.TIMEOUT,),
    "fingerprints": ("v1:a", "v1:b"),
    "attempts": 3,
}
NAMES = {
    "statuses": "delivery_state_idx", "sources": "delivery_source_idx", "types": "delivery_type_idx",
    "codes": "delivery_failed_status_idx", "outcomes": "delivery_failed_outcome_idx",
    "fingerprints": "delivery_fingerprint_idx", "attempts": "delivery_attempts_idx",
}  # fmt: skip


@pytest.mark.sqlite
@pytest.mark.parametrize("name", INDEXED)
def test_sqlite_reads_each_filter_in_order_by_its_own_index(hub: list[Delivery], name: str) -> None:
    sql, values = ids_sql(DeliveryQuery(**{name: INDEXED[name]}), NOW, 50)
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {sql}", values)
        plan = [line[3] for line in cursor.fetchall()]
    reads = [step for step in plan if "deliveries_delivery" in step]
    assert reads and all(NAMES[name] in step for step in reads), plan
