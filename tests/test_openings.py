"""Whoever is given a stored payload, at whichever door, is in the audit with it: a person each time."""

from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.db import OperationalError
from django.test import Client
from django.urls import reverse

from deliveries.models import Attempt, Delivery, DeliveryBody, Exchange
from tests import make
from tests.callers import browser, with_key
from tests.tenants import Route, Tenant, routes, tenant
from webhooks.ids import public_id
from webhooks.models import ApiKey, AuditEntry, Event, EventBody, Refusal
from webhooks.services import audit

pytestmark = pytest.mark.django_db

MARK = "order-66"
BODY = f'{{"name": "{MARK}"}}'.encode()
READ = [route for route in routes() if "get" in route.methods]


@pytest.fixture
def owner() -> Tenant:
    """Of a thing of every kind, with the mark in all that is stored of their payloads."""
    made = tenant("owner")
    EventBody.objects.update(body=BODY, headers=[["x-note", MARK]])
    Refusal.objects.update(body=BODY, headers=[["x-note", MARK]])
    Exchange.objects.create(
        attempt=Attempt.objects.get(),
        url="https://billing.example/hook",
        request_headers={"x-note": MARK},
        response_headers=[["x-note", MARK]],
        response_body=BODY,
    )
    DeliveryBody.objects.create(delivery=Delivery.objects.get(), body=BODY)
    return made


def opened() -> list[tuple[str, str]]:
    """Who opened what."""
    return list(
        AuditEntry.objects.filter(verb="open_payload").order_by("pk").values_list("actor", "object_id")
    )


# -- over the API ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("route", READ, ids=lambda route: route.name)
def test_each_door_that_gives_out_a_payload_says_so_and_no_other(owner: Tenant, route: Route) -> None:
    answer = with_key().get(route.address(owner))
    assert answer.status_code == 200
    gives = MARK in answer.content.decode()
    assert gives is (route.name in GIVING)
    name = str(ApiKey.objects.get(role="operator"))
    assert opened() == ([(name, _id(owner, GIVING[route.name]))] if gives else [])


GIVING = {
    "event-detail": "event",
    "event-raw": "event",
    "refusal-detail": "refusal",
    "delivery-detail": "delivery",
    "attempt-list": "delivery",
}


def _id(owner: Tenant, kind: str) -> str:
    return public_id(kind, owner.things[kind])


def test_a_subscriber_who_reads_its_own_is_recorded_too(owner: Tenant) -> None:
    owner.caller.get(f"/api/v1/deliveries/{_id(owner, 'delivery')}")
    assert opened() == [(str(ApiKey.objects.get(role="subscriber")), _id(owner, "delivery"))]


def test_a_program_that_looks_again_and_again_is_recorded_once_an_hour(
    owner: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"/api/v1/deliveries/{_id(owner, 'delivery')}"
    for _ in range(3):
        owner.caller.get(address)
    first = (str(ApiKey.objects.get(role="subscriber")), _id(owner, "delivery"))
    assert opened() == [first]
    with_key().get(address)  # another key
    second = (str(ApiKey.objects.get(role="operator")), _id(owner, "delivery"))
    assert opened() == [first, second]
    monkeypatch.setattr(audit, "AGAIN_AFTER", timedelta(0))  # an hour later
    owner.caller.get(address)
    assert opened() == [first, second, first]


def test_a_program_of_a_long_name_is_known_again(owner: Tenant) -> None:
    key = ApiKey(name="n" * 200, role="viewer", shown_prefix="weir_viewer_abcdef")
    for _ in range(2):
        audit.record_opening_by_key("event", owner.things["event"], actor=str(key))
    assert opened() == [("n" * 200, _id(owner, "event"))]


def test_an_act_that_is_answered_with_a_payload_is_an_opening(owner: Tenant) -> None:
    caller = with_key()
    answer = caller.post(f"/api/v1/deliveries/{_id(owner, 'delivery')}/replay")
    assert (answer.status_code, MARK in answer.content.decode()) == (202, True)
    answer = caller.post(f"/api/v1/refusals/{_id(owner, 'refusal')}/accept")
    assert (answer.status_code, MARK in answer.content.decode()) == (200, True)
    assert [each for _, each in opened()] == [_id(owner, "delivery"), _id(owner, "refusal")]


def test_the_same_answer_given_again_is_an_opening_too(
    owner: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "AGAIN_AFTER", timedelta(0))  # an hour lies between all of them
    caller, address = with_key(), f"/api/v1/deliveries/{_id(owner, 'delivery')}/replay"
    for number in (1, 2, 3):
        answer = caller.post(address, headers={"Idempotency-Key": "one"})
        assert (answer.status_code, MARK in answer.content.decode()) == (202, True)
        assert [each for _, each in opened()] == [_id(owner, "delivery")] * number


@pytest.mark.parametrize("name", ["event-detail", "event-raw", "delivery-detail"])
def test_who_has_a_good_copy_or_asks_for_the_head_opens_nothing(owner: Tenant, name: str) -> None:
    address = next(route.address(owner) for route in READ if route.name == name)
    caller = with_key()
    assert caller.head(address).status_code == 200
    assert opened() == []
    tag = caller.get(address)["ETag"]
    assert len(opened()) == 1
    assert caller.get(address, headers={"If-None-Match": tag}).status_code == 304
    assert len(opened()) == 1


def test_what_retention_dropped_is_not_opened(owner: Tenant) -> None:
    EventBody.objects.all().delete()
    Exchange.objects.all().delete()
    DeliveryBody.objects.all().delete()
    caller = with_key()
    event, delivery = (f"/api/v1/{many}/{_id(owner, one)}" for many, one in _BOTH)
    answers = [caller.get(each) for each in (event, f"{event}/raw", delivery, f"{delivery}/attempts")]
    assert [answer.status_code for answer in answers] == [200, 404, 200, 200]
    assert opened() == []


_BOTH = (("events", "event"), ("deliveries", "delivery"))


def test_many_attempts_on_a_page_are_one_opening_of_their_delivery(owner: Tenant) -> None:
    delivery = Delivery.objects.get()
    for number in (2, 3):
        made = Attempt.objects.create(
            delivery=delivery, number=number, phase=1, started_at=make.now(), duration_ms=1, outcome="timeout"
        )
        Exchange.objects.create(attempt=made, url="https://billing.example/hook", request_headers={})
    with_key().get(f"/api/v1/deliveries/{_id(owner, 'delivery')}/attempts")
    assert [each for _, each in opened()] == [_id(owner, "delivery")]


@pytest.mark.parametrize("part", ["", "/raw"])
def test_what_cannot_be_recorded_is_not_given_out(owner: Tenant, part: str) -> None:
    caller = with_key()
    with patch.object(AuditEntry.objects, "create", side_effect=OperationalError):
        answer = caller.get(f"/api/v1/events/{_id(owner, 'event')}{part}")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert MARK not in answer.content.decode() and "ETag" not in answer
    assert opened() == []


# -- on the console --------------------------------------------------------------------------------------

PAGES = {
    "webhooks_event_change": ("event", "webhooks.view_event"),
    "webhooks_eventbody_change": ("event", "webhooks.view_eventbody"),
    "webhooks_refusal_change": ("refusal", "webhooks.view_refusal"),
    "deliveries_delivery_change": ("delivery", "deliveries.view_delivery"),
    "deliveries_deliverybody_change": ("delivery", "deliveries.view_deliverybody"),
    "deliveries_exchange_change": ("delivery", "deliveries.view_exchange"),
}


def _shown(client: Client, owner: Tenant, page: str) -> str:
    key = owner.things["attempt" if "exchange" in page else PAGES[page][0]]
    return client.get(reverse(f"admin:{page}", args=[key])).content.decode()


@pytest.mark.parametrize("page", PAGES)
def test_each_page_that_shows_a_payload_says_so(owner: Tenant, page: str) -> None:
    kind, may = PAGES[page]
    assert MARK in _shown(browser(may, "webhooks.view_payload", name="eve"), owner, page)
    assert opened() == [("eve", _id(owner, kind))]


@pytest.mark.parametrize("page", PAGES)
def test_without_the_permission_no_page_shows_one(owner: Tenant, page: str) -> None:
    assert MARK not in _shown(browser(PAGES[page][1], name="bob"), owner, page)
    assert opened() == []


@pytest.mark.parametrize("kind", ["event", "refusal"])
def test_filling_a_sample_with_what_came_is_an_opening(owner: Tenant, kind: str) -> None:
    address = reverse("admin:webhooks_source_sample", args=[owner.things["source"]])
    client = browser("webhooks.view_source", "webhooks.view_payload", name="eve")
    assert MARK not in client.get(address).content.decode()
    assert opened() == []
    assert MARK in client.get(address, {"of": kind}).content.decode()
    assert opened() == [("eve", _id(owner, kind))]


def test_a_list_of_events_opens_none(owner: Tenant) -> None:
    chief = browser(is_superuser=True)
    for model in ("webhooks_event", "webhooks_eventbody", "webhooks_refusal", "deliveries_delivery"):
        answer: Any = chief.get(reverse(f"admin:{model}_changelist"))
        assert (answer.status_code, MARK in answer.content.decode()) == (200, False)
    assert (Event.objects.count(), opened()) == (1, [])
