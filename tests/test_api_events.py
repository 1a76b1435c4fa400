"""Events over the REST API: published once, listed, and read with what became of them."""

import json
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests import make
from tests.callers import Caller, with_key
from webhooks.ids import parse_id, public_id
from webhooks.models import Event, EventBody, Refusal

pytestmark = pytest.mark.django_db

HOME = "/api/v1/events"


@pytest.fixture
def caller() -> Caller:
    make.source("shop")
    return with_key()


def wanted(**more: Any) -> dict[str, Any]:
    return {"source": "shop", "event_id": "e1", "event_type": "user.created", "data": {"name": "Ada"}, **more}


def test_a_new_event_is_accepted_and_stored_as_it_will_be_delivered(caller: Caller) -> None:
    answer = caller.post(HOME, wanted())
    assert answer.status_code == 201
    event = Event.objects.get()
    assert answer.json() == {"id": public_id("event", event.pk), "event_id": "e1", "status": "accepted"}
    body = json.loads(bytes(event.content.body))
    assert list(body) == ["event_id", "event_type", "timestamp", "data"]
    assert (body["event_id"], body["event_type"], body["data"]) == ("e1", "user.created", {"name": "Ada"})


def test_a_missing_id_is_made_and_told(caller: Caller) -> None:
    body = wanted()
    del body["event_id"]
    answer = caller.post(HOME, body)
    assert answer.status_code == 201
    assert Event.objects.get().external_id == answer.json()["event_id"]


def test_a_repeat_gets_the_first_verdict(caller: Caller) -> None:
    first, again = caller.post(HOME, wanted()), caller.post(HOME, wanted())
    assert again.status_code == 200
    assert again.json() == {**first.json(), "status": "duplicate"}
    assert Event.objects.count() == 1


def test_the_same_id_with_other_data_is_a_conflict(caller: Caller) -> None:
    first = caller.post(HOME, wanted()).json()
    answer = caller.post(HOME, wanted(data={"name": "Bob"}))
    assert answer.status_code == 409
    assert (
        answer.json()["detail"]
        == f"This id was published before as {first['id']}, and what was said of it then was something else."
    )
    assert (Event.objects.count(), Refusal.objects.get().reason) == (1, "id-conflict")


def test_an_event_may_say_what_it_is_about(caller: Caller) -> None:
    answer = caller.post(HOME, wanted(entity="order-7", entity_version=3))
    assert answer.status_code == 201
    shown = caller.get(f"{HOME}/{answer.json()['id']}").json()
    assert (shown["entity"], shown["entity_version"]) == ("order-7", 3)


@pytest.mark.parametrize("data", [None, 0, "", [], {}, "text", [1, 2], 12345678901234567890])
def test_any_json_is_data(caller: Caller, data: Any) -> None:
    assert caller.post(HOME, wanted(data=data)).status_code == 201


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("source", "nowhere"),
        ("source", 7),
        ("source", {"slug": "shop"}),
        ("event_id", "e" * 501),
        ("event_id", ""),
        ("event_type", "t" * 201),
        ("event_type", ""),
        ("event_type", ["t"]),
        ("entity", "e" * 501),
        ("entity", ""),
        ("entity", ["order-7"]),
        ("entity_version", 1),
        ("entity_version", -1),
        ("entity_version", 2**63),
        ("entity_version", "first"),
        ("entity_version", True),
        ("entity_version", 1.5),
        ("entity_version", None),
        ("colour", "red"),
    ],
)
def test_a_wrong_field_is_named(caller: Caller, field: str, value: Any) -> None:
    answer = caller.post(HOME, wanted(**{field: value}))
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])
    assert not Event.objects.exists()


@pytest.mark.parametrize("data", ['"\\ud800"', "1e999", "[" * 900 + "]" * 900])
def test_data_that_json_cannot_carry_on_is_refused_or_kept_but_never_a_500(caller: Caller, data: str) -> None:
    body = f'{{"source": "shop", "event_type": "t", "data": {data}}}'
    answer = caller.post(HOME, data=body, content_type="application/json")
    assert answer.status_code in (201, 400)
    assert Event.objects.exists() == (answer.status_code == 201)


def test_a_disabled_source_takes_nothing(caller: Caller) -> None:
    caller.patch("/api/v1/sources/shop", {"is_enabled": False})
    answer = caller.post(HOME, wanted())
    assert (answer.status_code, answer.json()["errors"]) == (400, {"source": ["This source is disabled."]})
    assert not Event.objects.exists()


def test_an_event_is_shown_with_its_body_and_deliveries(caller: Caller) -> None:
    event = make.event(state="routed")
    delivery = make.delivery(make.subscription(), event)
    shown = caller.get(f"{HOME}/{public_id('event', event.pk)}").json()
    assert (shown["event_type"], shown["source"], shown["state"]) == ("user.created", "shop", "routed")
    assert (shown["body"], shown["body_base64"]) == (make.BODY.decode(), None)
    assert [row["id"] for row in shown["deliveries"]] == [public_id("delivery", delivery.pk)]


def test_a_body_that_is_no_text_is_shown_in_base64(caller: Caller) -> None:
    event = make.event(b"\xff\x00")
    shown = caller.get(f"{HOME}/{event.pk}").json()
    assert (shown["body"], shown["body_base64"]) == (None, "/wA=")


def test_a_body_past_retention_is_shown_as_none(caller: Caller) -> None:
    event = make.event()
    EventBody.objects.all().delete()
    shown = caller.get(f"{HOME}/{event.pk}").json()
    assert (shown["body"], shown["body_base64"], shown["content_type"]) == (None, None, None)


def test_an_event_with_many_deliveries_shows_a_hundred_and_where_the_rest_is(caller: Caller) -> None:
    event = make.event(state="routed")
    for number in range(101):
        make.delivery(make.subscription(name=f"s{number}"), event)
    shown = caller.get(f"{HOME}/{event.pk}").json()
    assert len(shown["deliveries"]) == 100
    assert len(caller.get(shown["more_deliveries"] + "&limit=250").json()["results"]) == 101


@pytest.mark.parametrize("query", ["event_id=e7", "source=till", "event_type=order.paid", "state=unmatched"])
def test_a_list_narrows_by_each_filter(caller: Caller, query: str) -> None:
    mine = make.event(external_id="e7", source=make.source("till"), type="order.paid", state="unmatched")
    make.event()
    found = caller.get(f"{HOME}?{query}").json()["results"]
    assert [parse_id("event", row["id"]) for row in found] == [mine.pk]


def test_a_list_asks_the_same_number_of_questions_whatever_its_length(caller: Caller) -> None:
    counts = []
    for more in (3, 27):
        for _ in range(more):
            make.event()
        with CaptureQueriesContext(connection) as asked:
            caller.get(HOME)
        counts.append(len(asked))
    assert counts == [3, 3]  # the key, which ids, and their rows
