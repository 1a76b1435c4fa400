"""Deliveries over the REST API: listed, narrowed, read with their attempts, replayed and discarded."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from deliveries.models import Attempt, Delivery, DeliveryState, Exchange
from tests import make
from tests.callers import Caller, with_key
from webhooks.ids import public_id
from webhooks.models import AuditEntry

pytestmark = pytest.mark.django_db

HOME = "/api/v1/deliveries"


@pytest.fixture
def caller() -> Caller:
    return with_key()


def attempt(delivery: Delivery, number: int, body: bytes = b"out of stock") -> Attempt:
    made = Attempt.objects.create(
        delivery=delivery,
        number=number,
        phase=0,
        started_at=make.now(),
        duration_ms=12,
        outcome="server_error",
        status=503,
    )
    Exchange.objects.create(attempt=made, url="http://x", request_headers={}, response_body=body)
    return made


def ids(caller: Caller, query: str) -> list[str]:
    answer = caller.get(f"{HOME}?{query}")
    assert answer.status_code == 200, answer.json()
    return [row["id"] for row in answer.json()["results"]]


def name_of(delivery: Delivery) -> str:
    return public_id("delivery", delivery.pk)


def test_a_delivery_is_shown_with_its_attempts_in_order(caller: Caller) -> None:
    delivery = make.delivery(make.subscription(), attempts=2)
    attempt(delivery, 2)
    attempt(delivery, 1)
    shown = caller.get(f"{HOME}/{name_of(delivery)}").json()
    assert (shown["state"], shown["attempt_count"], shown["event_type"]) == ("pending", 2, "user.created")
    assert [tried["number"] for tried in shown["attempts"]] == [1, 2]
    first = shown["attempts"][0]
    assert (first["outcome"], first["status"], first["duration_ms"]) == ("server_error", 503, 12)
    assert first["response"] == "out of stock"


@pytest.mark.parametrize(
    ("body", "shown"),
    [(b"\xff\x00", "\ufffd\x00"), (b"x" * 9_000, "x" * 2_000), ("é".encode() * 2_000, "é" * 2_000)],
)
def test_a_response_is_excerpted_as_text(caller: Caller, body: bytes, shown: str) -> None:
    delivery = make.delivery(make.subscription())
    attempt(delivery, 1, body)
    assert caller.get(f"{HOME}/{name_of(delivery)}").json()["attempts"][0]["response"] == shown


def test_an_attempt_whose_exchange_was_dropped_is_still_shown(caller: Caller) -> None:
    delivery = make.delivery(make.subscription())
    attempt(delivery, 1)
    Exchange.objects.all().delete()
    assert caller.get(f"{HOME}/{name_of(delivery)}").json()["attempts"][0]["response"] is None


@pytest.mark.parametrize("form", ["public", "hex", "dashed"])
def test_a_delivery_is_found_by_any_form_of_its_id(caller: Caller, form: str) -> None:
    delivery = make.delivery(make.subscription())
    name = {"public": name_of(delivery), "hex": delivery.pk.hex, "dashed": str(delivery.pk)}[form]
    assert caller.get(f"{HOME}/{name}").json()["id"] == name_of(delivery)


def test_a_list_narrows_by_each_filter(caller: Caller) -> None:
    mine = make.delivery(
        make.subscription(subscriber=make.subscriber("mine"), name="a"),
        make.event(type="order.paid", external_id="ord-1", source=make.source("till"), state="routed"),
        state=DeliveryState.DEAD,
    )
    make.delivery(make.subscription(subscriber=make.subscriber("other"), name="b"))
    for query in (
        "state=dead",
        "source=till",
        "event_type=order.paid",
        "event_id=ord-1",
        f"event={public_id('event', mine.event_id)}",
        f"subscription={public_id('subscription', mine.subscription_id)}",
        f"subscriber={public_id('subscriber', mine.subscription.subscriber_id)}",
        "state=dead&source=till",
    ):
        assert ids(caller, query) == [name_of(mine)], query
    assert ids(caller, "state=delivered") == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("state=lost", "state"),
        ("event=x", "event"),
        ("source=nowhere", "source"),
        ("event_type=%00", "event_type"),
    ],
)
def test_a_filter_value_that_makes_no_sense_is_named(caller: Caller, query: str, field: str) -> None:
    answer = caller.get(f"{HOME}?{query}")
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])


def test_a_dead_delivery_is_replayed(caller: Caller) -> None:
    delivery = make.delivery(make.subscription(), state="dead")
    answer = caller.post(f"{HOME}/{name_of(delivery)}/replay", {"reason": "mended"})
    assert answer.status_code == 202
    assert (answer.json()["state"], answer.json()["detail"]) == ("pending", "It is due now.")
    assert AuditEntry.objects.get(verb="replay").reason == "mended"


def test_replaying_what_is_pending_is_a_conflict_in_a_sentence(caller: Caller) -> None:
    delivery = make.delivery(make.subscription())
    answer = caller.post(f"{HOME}/{name_of(delivery)}/replay")
    assert answer.status_code == 409
    assert answer.json()["detail"].startswith("It is pending already; its next attempt is due at ")
    assert not AuditEntry.objects.filter(verb="replay").exists()


def test_a_delivery_that_need_not_arrive_is_discarded(caller: Caller) -> None:
    delivery = make.delivery(make.subscription())
    answers = [caller.post(f"{HOME}/{name_of(delivery)}/discard", {"reason": "x"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 409]
    assert answers[1].json()["detail"] == "It is discarded, so there is nothing to discard."


@pytest.mark.parametrize("role", ["viewer", "publisher"])
def test_only_operators_replay(role: str) -> None:
    delivery = make.delivery(make.subscription(), state="dead")
    assert with_key(role).post(f"{HOME}/{name_of(delivery)}/replay").status_code == 403
    delivery.refresh_from_db()
    assert delivery.state == "dead"


@pytest.mark.parametrize("path", ["", "/{id}"])
def test_the_number_of_questions_does_not_grow(caller: Caller, path: str) -> None:
    counts: list[Any] = []
    to = make.subscription()
    delivery = make.delivery(to)
    for start in (1, 4):
        for number in range(start, start + 3 if start == 1 else start + 27):
            attempt(delivery, number)
            make.delivery(to)
        caller.get(HOME + path.format(id=name_of(delivery)))  # its opening is recorded
        with CaptureQueriesContext(connection) as asked:
            caller.get(HOME + path.format(id=name_of(delivery)))
        counts.append(len(asked))
    assert counts[0] == counts[1]
