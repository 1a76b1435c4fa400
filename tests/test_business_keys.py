"""What people call an event by is copied from its body as its source says, in the receipt itself, and searched for."""

import json
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from deliveries.selectors.event_pages import ids_for
from deliveries.services.retention import drop_expired
from tests import make
from webhooks.deciders.business_keys import business_keys_of, check_business_keys
from webhooks.ids import first_id_at
from webhooks.models import BusinessKey, Event, Source
from webhooks.services import publish
from webhooks.services.publications import Said
from webhooks.services.sources import create_source, update_source

KEYS = {"order": "data.order", "customer": "data.customer.id"}
BODY = {"event_id": "a1", "data": {"order": "ORD-0091734", "customer": {"id": 4711}}}


def send(body: Any) -> Any:
    return Client().post("/in/shop", json.dumps(body), content_type="application/json")


@pytest.mark.parametrize(
    "keys",
    [[], "order", {"Order": "data"}, {"order": ""}, {"order": 3}, {"order": "data.["}, {"x" * 41: "a"},
     {"a": "a", "b": "b", "c": "c", "d": "d"}],
)  # fmt: skip
def test_odd_keys_are_refused_in_a_sentence(keys: Any) -> None:
    with pytest.raises(ValueError, match=r"\.$"):
        check_business_keys(keys)


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (json.dumps(BODY).encode(), [("order", "ORD-0091734"), ("customer", "4711")]),
        (b'{"data": {"order": " ORD-1 ", "customer": null}}', [("order", "ORD-1")]),
        (b'{"data": {"order": {"id": 1}}}', []),
        (b'{"data": {"order": "' + b"x" * 201 + b'"}}', []),
        (b'{"data": {"order": "a\\u0000b"}}', []),
        (b"no json", []),
        (b"[" * 100_000, []),
    ],
)
def test_what_is_no_text_or_number_is_no_key(body: bytes, found: list[tuple[str, str]]) -> None:
    assert business_keys_of(KEYS, body) == found


@pytest.mark.django_db(transaction=True)
def test_a_receipt_writes_the_keys_with_the_event_and_a_repeat_writes_none() -> None:
    create_source(name="Shop", slug="shop", business_keys=KEYS, actor="ada")
    assert send(BODY).status_code == 202
    event = Event.objects.get()
    assert list(BusinessKey.objects.order_by("name").values_list("event_id", "name", "value")) == [
        (event.pk, "customer", "4711"),
        (event.pk, "order", "ORD-0091734"),
    ]
    assert send(BODY).json()["status"] == "duplicate"
    assert BusinessKey.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_an_event_that_reports_an_operation_has_its_keys_too() -> None:
    options = {"operation_from": "json:data.operation"}
    create_source(name="Shop", slug="shop", business_keys=KEYS, options=options, actor="ada")
    assert send({"event_id": "a1", "data": {"order": "ORD-1", "operation": "op-1"}}).status_code == 202
    assert BusinessKey.objects.get().value == "ORD-1"


@pytest.mark.django_db(transaction=True)
def test_a_source_without_keys_is_asked_not_one_statement_more() -> None:
    create_source(name="Shop", slug="shop", actor="ada")
    send({"event_id": "first"})
    with CaptureQueriesContext(
        connection,
    ) as plain:
        send({"event_id": "second"})
    assert not [each for each in plain if "businesskey" in each["sql"]]
    update_source(source_id=Source.objects.get().pk, business_keys=KEYS, actor="ada")
    send({**BODY, "event_id": "third"})
    with CaptureQueriesContext(connection) as named:
        send({**BODY, "event_id": "fourth"})
    if connection.vendor == "postgresql":
        assert len(named) == len(plain)


@pytest.mark.django_db(transaction=True)
def test_what_is_published_has_its_keys_and_is_found_by_name_and_value() -> None:
    source = create_source(name="Shop", slug="shop", business_keys=KEYS, actor="ada")
    made = publish.publish(
        Said(source=source, event_id="a1", event_type="order.paid", data={"order": "ORD-7"})
    )
    for search in ("ORD-7", "order ORD-7", "Order  ORD-7"):
        assert ids_for(search) == [made.event_id]
    assert ids_for("customer ORD-7") == ids_for("ORD") == ids_for("ord-7") == []


@pytest.mark.django_db
def test_keys_that_are_no_keys_change_nothing() -> None:
    source = create_source(name="Shop", slug="shop", business_keys=KEYS, actor="ada")
    with pytest.raises(ValidationError) as refused:
        update_source(source_id=source.pk, business_keys={"order": "data.["}, actor="ada")
    assert list(refused.value.message_dict) == ["business_keys"]
    source.refresh_from_db()
    assert (source.business_keys, source.revision) == (KEYS, 1)


@pytest.mark.django_db(transaction=True)
def test_keys_go_with_their_event(settings: Any) -> None:
    old = make.event(id=first_id_at(make.now().replace(year=2020)), state="unmatched")
    BusinessKey.objects.create(event=old, name="order", value="ORD-1")
    drop_expired(now=make.now())
    assert (Event.objects.count(), BusinessKey.objects.count()) == (0, 0)
