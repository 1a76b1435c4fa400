"""One signed request that reports many events: each becomes an event of its own, or none of them does."""

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client

from webhooks import store
from webhooks.models import Event, EventBody, Refusal
from webhooks.services.sources import create_source

pytestmark = pytest.mark.django_db

SECRET = "hubspot-client-secret"
URL = "https://hub.example.com/in/shop"
CREATED = {"eventId": 1, "subscriptionId": 9, "portalId": 6, "occurredAt": 1767225599000,
           "subscriptionType": "contact.creation", "objectId": 123}  # fmt: skip
DELETED = CREATED | {"eventId": 2, "subscriptionType": "contact.deletion", "n": 12345678901234567890}


def hubspot(items: Any) -> Any:
    if not isinstance(items, bytes):
        items = json.dumps(items).encode()
    timestamp = str(int(time.time() * 1000))
    content = b"POST" + URL.encode() + items + timestamp.encode()
    signature = base64.b64encode(hmac.digest(SECRET.encode(), content, hashlib.sha256)).decode()
    headers = {"x-hubspot-request-timestamp": timestamp, "x-hubspot-signature-v3": signature}
    return Client().post("/in/shop", items, content_type="application/json", headers=headers)


def meta(document: Any, secret: str = "app") -> Any:
    body = json.dumps(document).encode()
    signature = "sha256=" + hmac.new(secret.encode(), body, "sha256").hexdigest()
    headers = {"x-hub-signature-256": signature}
    return Client().post("/in/shop", body, content_type="application/json", headers=headers)


def source(scheme: str, secret: str) -> None:
    create_source(
        name="Shop", slug="shop", scheme=scheme, secret=secret, options={"public_url": URL}, actor="test"
    )


def kept() -> list[tuple[str, str, Any]]:
    bodies = {body.event_id: json.loads(bytes(body.body)) for body in EventBody.objects.all()}
    return [(each.external_id, each.event_type, bodies[each.id]) for each in Event.objects.order_by("id")]


@pytest.fixture
def shop() -> None:
    source("hubspot", SECRET)


def test_each_item_becomes_an_event_in_the_sender_s_own_shape(shop: None) -> None:
    answer = hubspot([CREATED, DELETED])
    assert answer.status_code == 202
    assert [each["status"] for each in answer.json()["events"]] == ["accepted", "accepted"]
    assert kept() == [
        ("6/9/1/123/1767225599000", "contact.creation", [CREATED]),
        ("6/9/2/123/1767225599000", "contact.deletion", [DELETED]),
    ]


def test_half_a_character_in_one_item_keeps_none_of_them_together(shop: None) -> None:
    answer = hubspot(
        b'[{"eventId":1,"subscriptionType":"t","v":"Jos\\u00e9\\ud800"},{"eventId":2,"subscriptionType":"u"}]'
    )
    assert answer.status_code == 202
    assert list(Event.objects.order_by("id").values_list("event_type", flat=True)) == ["t", "u"]
    assert bytes(EventBody.objects.earliest("event_id").body) == (
        b'[{"eventId":1,"subscriptionType":"t","v":"Jos\\u00e9\\ud800"}]'
    )


def test_a_single_item_keeps_its_bytes(shop: None) -> None:
    body = b'[ {"eventId" : 1, "subscriptionType":"t"} ]\r\n'
    assert hubspot(body).status_code == 202
    assert bytes(EventBody.objects.get().body) == body


def test_items_that_came_before_are_duplicates_and_the_new_one_is_taken(shop: None) -> None:
    hubspot([CREATED | {"attemptNumber": 0}])
    answer = hubspot([CREATED | {"attemptNumber": 1}, DELETED])
    assert [each["status"] for each in answer.json()["events"]] == ["duplicate", "accepted"]
    assert Event.objects.count() == 2


def test_an_item_that_came_before_with_other_content_is_a_conflict(shop: None) -> None:
    hubspot([CREATED])
    answer = hubspot([CREATED | {"propertyValue": "x"}, DELETED])
    assert [each["status"] for each in answer.json()["events"]] == ["conflict", "accepted"]
    assert Refusal.objects.get().reason == "id-conflict"


def test_a_batch_that_comes_again_is_all_duplicates(shop: None) -> None:
    hubspot([CREATED, DELETED])
    answer = hubspot([CREATED, DELETED])
    assert (answer.status_code, answer.json()["status"]) == (200, "duplicate")
    assert [each["status"] for each in answer.json()["events"]] == ["duplicate", "duplicate"]
    assert Event.objects.count() == 2


def test_one_item_that_cannot_be_kept_refuses_them_all(shop: None) -> None:
    answer = hubspot([CREATED, DELETED | {"objectId": "\u0000"}])
    assert answer.status_code == 422
    assert not Event.objects.exists()
    assert Refusal.objects.get().reason == "identity-invalid"


def test_a_fault_in_the_middle_of_a_batch_stores_none_of_it(shop: None, monkeypatch: Any) -> None:
    real, calls = store.store, []

    def fails_at_the_second(fact: store.Fact) -> store.Verdict:
        calls.append(fact)
        if len(calls) == 2:
            raise OperationalError("gone")
        return real(fact)

    monkeypatch.setattr(store, "store", fails_at_the_second)
    assert hubspot([CREATED, DELETED]).status_code == 503
    assert len(calls) == 2
    assert not Event.objects.exists()


@pytest.mark.parametrize("body", [b"[]", b"[1,2]", b"[null,{}]", b"[[],[]]", b'["\\ud800",1]'])
def test_items_that_are_no_objects_are_taken_without_ids(shop: None, body: bytes) -> None:
    assert hubspot(body).status_code == 202
    assert set(Event.objects.values_list("event_type", flat=True)) == {""}


def test_a_bad_signature_takes_no_item(shop: None) -> None:
    body = json.dumps([CREATED, DELETED]).encode()
    answer = Client().post("/in/shop", body, content_type="application/json")
    assert answer.status_code == 401
    assert not Event.objects.exists()


def test_every_message_and_status_of_meta_is_an_event_of_its_own() -> None:
    source("meta", "app")
    value = {"metadata": {"phone": 1}, "messages": [{"id": "m1"}, {"id": "m2"}],
             "statuses": [{"id": "m0", "status": "read"}]}  # fmt: skip
    change = {"field": "messages", "value": value}
    assert meta({"object": "wa", "entry": [{"id": "e", "changes": [change]}]}).status_code == 200
    assert [(name, kind) for name, kind, _ in kept()] == [
        ("m1", "messages"),
        ("m2", "messages"),
        ("m0/read", "messages"),
    ]
    lone = {"metadata": {"phone": 1}, "statuses": [{"id": "m0", "status": "read"}]}
    expected = {"object": "wa", "entry": [{"id": "e", "changes": [{"field": "messages", "value": lone}]}]}
    assert kept()[2][2] == expected


def test_every_notification_of_graph_must_carry_the_token() -> None:
    source("microsoft-graph", "state")
    items = [{"id": "a", "changeType": "created", "clientState": "state"},
             {"id": "b", "changeType": "updated", "clientState": "other"}]  # fmt: skip
    refused = Client().post("/in/shop", {"value": items}, content_type="application/json")
    assert (refused.status_code, Event.objects.count()) == (401, 0)
    items[1]["clientState"] = "state"
    taken = Client().post("/in/shop", {"value": items}, content_type="application/json")
    assert taken.status_code == 202
    assert [(name, kind) for name, kind, _ in kept()] == [("a", "created"), ("b", "updated")]


def test_two_adyen_items_are_two_events_and_one_accepted() -> None:
    key = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056"
    source("adyen", key)

    def item(reference: str) -> dict[str, Any]:
        fields = f"{reference}::Account:order:1130:EUR:AUTHORISATION:true"
        signature = hmac.digest(bytes.fromhex(key), fields.encode(), "sha256")
        inner = {
            "pspReference": reference, "merchantAccountCode": "Account", "merchantReference": "order",
            "amount": {"value": 1130, "currency": "EUR"}, "eventCode": "AUTHORISATION", "success": "true",
            "additionalData": {"hmacSignature": base64.b64encode(signature).decode()},
        }  # fmt: skip
        return {"NotificationRequestItem": inner}

    document = {"live": "false", "notificationItems": [item("1"), item("2")]}
    forged = {"notificationItems": [item("1"), {"NotificationRequestItem": {**item("2")["NotificationRequestItem"],
              "success": "false"}}]}  # fmt: skip
    refused = Client().post("/in/shop", forged, content_type="application/json")
    assert (refused.status_code, Event.objects.count()) == (401, 0)
    answer = Client().post("/in/shop", document, content_type="application/json")
    assert (answer.status_code, answer.content) == (200, b"[accepted]")
    assert [name for name, _, _ in kept()] == ["1/AUTHORISATION/true", "2/AUTHORISATION/true"]


@pytest.mark.parametrize(
    ("content_type", "count"), [("application/cloudevents-batch+json", 2), ("application/json", 1)]
)
def test_a_list_is_a_batch_of_cloudevents_only_if_it_says_so(content_type: str, count: int) -> None:
    source("cloudevents", "token")
    body = [{"id": "1", "source": "/s", "type": "t"}, {"id": "2", "source": "/s", "type": "t"}]
    headers = {"authorization": "bearer token"}
    answer = Client().post("/in/shop", json.dumps(body), content_type=content_type, headers=headers)
    assert answer.status_code == 202
    assert Event.objects.count() == count
