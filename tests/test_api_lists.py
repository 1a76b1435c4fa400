"""Lists over the REST API: paged by key both ways, never counted, narrowed by what an index serves."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from deliveries.models import Delivery, Lane
from hub.openapi import document
from tests import make
from tests.callers import with_key
from tests.tenants import Route, routes, tenant
from webhooks.ids import first_id_at, public_id
from webhooks.models import Event, Subscriber
from webhooks.rest import Since, When

pytestmark = pytest.mark.django_db

SUBSCRIBERS = "/api/v1/subscribers"
DELIVERIES = "/api/v1/deliveries"
EVENTS = "/api/v1/events"
LISTS = [route for route in routes() if not route.is_of_one and "get" in route.methods]
NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)


def narrowed_by() -> list[tuple[str, dict[str, str]]]:
    """Every address that can be read, with what each of its parameters is said to be."""
    paths = document._doors()["paths"].items()
    told = [(path, doors["get"]["parameters"]) for path, doors in sorted(paths) if "get" in doors]
    return [(path, {each["name"]: each["description"] for each in parameters}) for path, parameters in told]


def names(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.json()
    return [row["name"] for row in answer.json()["results"]]


def test_pages_stay_what_they_were_while_rows_are_added() -> None:
    caller = with_key()
    for number in range(6):
        make.subscriber(f"s{number}")
    first = caller.get(f"{SUBSCRIBERS}?limit=2")
    make.subscriber("s6")
    second = caller.get(first.json()["next"])
    make.subscriber("s7")
    third = caller.get(second.json()["next"])
    assert [names(page) for page in (first, second, third)] == [["s5", "s4"], ["s3", "s2"], ["s1", "s0"]]
    assert third.json()["next"] is None
    back = caller.get(third.json()["previous"])
    assert names(back) == ["s3", "s2"]
    front = caller.get(caller.get(back.json()["previous"]).json()["previous"])
    assert names(front) == ["s7", "s6"]
    assert front.json()["previous"] is None


@pytest.mark.parametrize(
    ("host", "home"),
    [
        ("hub.example.com", "https://hub.example.com"),
        ("HUB.example.com:443", "https://hub.example.com"),
        ("testserver", "http://testserver"),
    ],
)
def test_behind_a_proxy_the_next_page_is_where_the_public_address_is(
    host: str, home: str, settings: Settings
) -> None:
    settings.HUB_PUBLIC_URL, settings.ALLOWED_HOSTS = "https://hub.example.com", ["*"]
    for number in range(3):
        make.subscriber(f"s{number}")
    page = with_key().get(f"{SUBSCRIBERS}?limit=1", HTTP_HOST=host).json()
    assert page["next"].startswith(f"{home}{SUBSCRIBERS}?cursor=older.")


def test_the_first_page_has_none_before_it_and_an_empty_list_none_at_all() -> None:
    page = with_key().get(SUBSCRIBERS).json()
    assert page == {"next": None, "previous": None, "results": []}


def test_who_waits_for_newer_ones_finds_them_and_the_way_back() -> None:
    caller = with_key()
    newest = make.subscriber("s0")
    waiting = caller.get(f"{SUBSCRIBERS}?cursor=newer.{newest.pk.hex}").json()
    assert (waiting["results"], waiting["previous"]) == ([], None)
    assert names(caller.get(waiting["next"])) == ["s0"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=-1", "limit"),
        ("limit=ten", "limit"),
        ("limit=²", "limit"),
        ("cursor=x", "cursor"),
        ("cursor=", "cursor"),
        ("cursor=older.00", "cursor"),
        ("colour=red", "colour"),
    ],
)
@pytest.mark.parametrize("route", LISTS, ids=lambda each: each.name)
def test_what_a_list_does_not_understand_is_refused_by_name(route: Route, query: str, field: str) -> None:
    answer = with_key().get(f"{route.address(tenant('other'))}?{query}")
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])


@pytest.fixture
def readings() -> list[str]:
    """Addresses that take a query: of lists, of figures and of a subscription's health."""
    health = f"/api/v1/subscriptions/{public_id('subscription', make.subscription().pk)}/health"
    return [DELIVERIES, SUBSCRIBERS, "/api/v1/cascades", "/api/v1/stats", health]


@pytest.mark.parametrize("name", ["state", "limit", "since", "span"])
def test_a_parameter_given_twice_is_refused(readings: list[str], name: str) -> None:
    caller = with_key()
    for address in readings:
        answer = caller.get(f"{address}?{name}=24h&{name}=7d")
        assert (answer.status_code, answer.json()["errors"]) == (400, {name: ["Give this once."]}), address


@pytest.mark.parametrize("name", ["cursor", "limit"])
def test_what_has_no_pages_takes_no_place_in_them(readings: list[str], name: str) -> None:
    for address in readings[-2:]:
        answer = with_key().get(f"{address}?{name}=1")
        assert (answer.status_code, answer.json()["errors"]) == (400, {name: ["There is no such field."]})


def test_more_parameters_than_are_read_are_refused_in_a_sentence(readings: list[str]) -> None:
    caller = with_key()
    for address in readings:
        answer = caller.get(f"{address}?{'a=1&' * 1_000}a=1")
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed"), address
        assert answer.json()["detail"] == "An address has at most 1,000 parameters."


@pytest.mark.parametrize(
    "path", [EVENTS, DELIVERIES, "/api/v1/subscriptions", SUBSCRIBERS, "/api/v1/sources"]
)
def test_ten_rows_and_two_hundred_cost_the_same_questions(path: str) -> None:
    caller, counts = with_key(), []
    to = make.subscription()
    for more in (10, 190):
        for number in range(more):
            make.delivery(to)
            make.subscriber(f"n{more}-{number}")
            make.source(f"n{more}-{number}")
        for number in range(more // 10):
            make.subscription(name=f"h{more}-{number}", source=make.source())
        with CaptureQueriesContext(connection) as asked:
            caller.get(f"{path}?limit=250")
        counts.append(len(asked))
    assert counts[0] == counts[1]


# -- deliveries --------------------------------------------------------------------------------------------


def at(moment: datetime, number: int = 0) -> UUID:
    return UUID(int=first_id_at(moment).int + number)


@pytest.fixture
def found() -> dict[str, str]:
    """One delivery of each sort, by a name for it, an hour apart, the last at NOW."""
    moving, held = make.subscription(name="moving"), make.subscription(name="held")
    Lane.objects.filter(pk=held.pk).update(hold="paused")
    kinds: dict[str, dict[str, Any]] = {
        "fresh": {"state": "pending", "phase": 0},
        "retrying": {"state": "pending", "phase": 1, "attempts": 2, "last_outcome": "timeout"},
        "held": {"state": "pending", "phase": 0, "to": held},
        "dead": {"state": "dead", "attempts": 12, "last_outcome": "server_error", "last_status": 503},
        "gone": {"state": "dead", "attempts": 1, "last_outcome": "gone", "last_status": 410},
        "delivered": {"state": "delivered", "attempts": 1, "last_outcome": "ok", "last_status": 200},
    }
    made = {}
    for number, (name, kind) in enumerate(kinds.items()):
        event = make.event(state="routed", type=f"order.{name}", external_id=f"ord-{name}")
        key = at(NOW - timedelta(hours=len(kinds) - 1 - number), number)
        made[name] = make.delivery(kind.pop("to", moving), event, id=key, **kind)
    return {public_id("delivery", each.pk): name for name, each in made.items()}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "delivered gone dead held retrying fresh"),
        ("state=pending", "held retrying fresh"),
        ("status=pending", "fresh"),
        ("status=retrying,held", "held retrying"),
        ("status=dead&state=dead", "gone dead"),
        ("status=dead&state=pending", ""),
        ("outcome=timeout,gone", "gone retrying"),
        ("status_code=503", "dead"),
        ("status_code=4xx,2xx", "delivered gone"),
        ("status_code=net", "retrying"),
        ("event_type=order.held", "held"),
        ("event_type=order.*&state=dead", "gone dead"),
        ("event_id=ord-dead", "dead"),
        ("q=ord-gone", "gone"),
        ("q=nothing", ""),
        ("since=2026-11-23T08:00:00Z", "delivered gone dead"),
        ("until=2026-11-23T06:00:00Z", "fresh"),
        ("since=2026-11-23T06:00:00Z&until=2026-11-23T08:00:00", "held retrying"),
    ],
)
def test_deliveries_are_narrowed(found: dict[str, str], query: str, expected: str) -> None:
    answer = with_key().get(f"{DELIVERIES}?{query}")
    assert answer.status_code == 200, answer.json()
    assert " ".join(found[row["id"]] for row in answer.json()["results"]) == expected


def test_a_narrowed_list_is_paged_like_any_other(found: dict[str, str]) -> None:
    caller, pages = with_key(), []
    address: Any = f"{DELIVERIES}?event_type=order.*&limit=2"
    while address:
        page = caller.get(address).json()
        pages.append([found[row["id"]] for row in page["results"]])
        address = page["next"]
    assert pages == [["delivered", "gone"], ["dead", "held"], ["retrying", "fresh"]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("since=24h", ["hours"]),
        ("since=2d", ["hours", "day"]),
        ("since=30d", ["hours", "day", "week"]),
        ("since=all", ["hours", "day", "week", "months"]),
        ("until=90m", ["hours", "day", "week", "months"]),
        ("until=24h", ["day", "week", "months"]),
        ("since=7d&until=24h", ["day"]),
        ("since=all&until=30d", ["months"]),
    ],
)
def test_a_time_may_be_said_by_how_long_ago_it_was(query: str, expected: list[str]) -> None:
    for name, ago in (
        ("months", timedelta(days=90)),
        ("week", timedelta(days=8)),
        ("day", timedelta(hours=25)),
        ("hours", timedelta(hours=2)),
    ):
        make.event(id=at(make.now() - ago), external_id=name)
    answer = with_key().get(f"{EVENTS}?{query}")
    assert [row["event_id"] for row in answer.json()["results"]] == expected


@pytest.mark.parametrize("path", [each for each, names in narrowed_by() if "since" in names])
def test_every_list_that_takes_a_time_takes_the_same_words_for_it(path: str) -> None:
    caller, day = with_key(), f"{make.now() - timedelta(days=9):%Y-%m-%d}"
    for query in (f"since={day}T08:00:00Z", f"since={day}", "since=24h&until=90m", "since=30d&until=7d"):
        assert caller.get(f"{path}?{query}").status_code == 200, query
    since = When if path == "/api/v1/stats" else Since  # figures of all time there are none
    for field, name in ((since, "since"), (When, "until")):
        for text in ("yesterday", "24", "0h", "24H", "24 h", "-1h", "1w", "999999d", "0001-01-01T00:00:00Z"):
            answer = caller.get(path, {name: text})
            assert (answer.status_code, answer.json()["errors"]) == (400, {name: [field.SENTENCE]}), text


def test_the_words_for_a_time_are_these() -> None:
    when = "Write a time such as 2026-01-31T12:00:00Z, or how long ago, such as 15m, 24h or 7d"
    assert [field.SENTENCE for field in (When, Since)] == [f"{when}.", f"{when}, or all."]
    described = {path: names for path, names in narrowed_by() if {"since", "until"} & set(names)}
    assert list(described) == [
        f"/api/v1/{name}"
        for name in (
            "alerts", "api-keys", "dead-letters", "deliveries", "events", "issues", "refusals", "replays", "sources",
            "stats", "subscribers", "subscriptions",
        )
    ]  # fmt: skip
    for names in described.values():
        assert {"since", "until"} <= set(names)
        assert When.HOW in names["until"] and "or how long ago: `15m`, `24h`, `7d`" in names["since"]


def test_what_an_id_may_hold_is_said() -> None:
    for path, name, named in (
        (EVENTS, "q", "an id"), (EVENTS, "event_id", "a sender's id"), (DELIVERIES, "event_id", "a sender's id"),
    ):  # fmt: skip
        for text in ("\0", "x" * 501):
            told = with_key().get(path, {name: text}).json()["errors"]
            assert told == {name: [f"Write {named} of at most 500 characters, none of them a NUL."]}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("status=lost", "status"),
        ("status=,", "status"),
        ("outcome=bad", "outcome"),
        ("status_code=abc", "status_code"),
        ("subscription=x", "subscription"),
        ("since=yesterday", "since"),
        ("until=9999-99-99", "until"),
        ("since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z", "until"),
        ("q=%00", "q"),
        ("event_id=%00", "event_id"),
        ("event_type=a*b", "event_type"),
        ("source=nowhere", "source"),
    ],
)
def test_a_filter_that_cannot_be_is_named(query: str, field: str) -> None:
    answer = with_key().get(f"{DELIVERIES}?{query}")
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])


def test_a_subscribers_list_is_narrowed_within_what_is_its_own() -> None:
    mine, other = tenant("mine"), tenant("other")
    theirs = public_id("subscription", other.things["subscription"])
    for query, count in (("state=dead", 1), (f"subscription={theirs}", 0), ("event_id=sent to other", 0)):
        answer = mine.caller.get(f"{DELIVERIES}?{query}")
        assert len(answer.json()["results"]) == count, query


# -- events ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("state=unmatched", ["b"]),
        ("state=unmatched,routed", ["b", "a"]),
        ("event_type=order.*", ["b", "a"]),
        ("event_id=a", ["a"]),
        ("q=b", ["b"]),
        ("since=2026-11-23T10:00:00Z", ["b"]),
        ("until=2026-11-23T10:00:00Z", ["a"]),
    ],
)
def test_events_are_narrowed(query: str, expected: list[str]) -> None:
    make.event(id=at(NOW - timedelta(hours=1)), external_id="a", type="order.paid", state="routed")
    make.event(id=at(NOW), external_id="b", type="order.sent", state="unmatched")
    answer = with_key().get(f"{EVENTS}?{query}")
    assert [row["event_id"] for row in answer.json()["results"]] == expected
    assert Event.objects.count() == 2


def test_nothing_is_counted() -> None:
    other = tenant("other")
    make.delivery(make.subscription())
    caller = with_key()
    for route in LISTS:
        if route.name == "issue-list":
            continue  # what waits in each is counted in an index that holds dead letters alone
        with CaptureQueriesContext(connection) as asked:
            caller.get(route.address(other))
        assert [each["sql"] for each in asked if "count(" in each["sql"].lower()] == [], route.name
    assert (Delivery.objects.exists(), Subscriber.objects.exists()) == (True, True)
