"""An event comes in once, however often it is sent; repeats are counted and told the first one's id."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from django.test import Client

from tests import make
from webhooks.models import Event, EventBody, EventKey

pytestmark = pytest.mark.django_db

NAMED = b'{"event_id":"a1"}'
NAMELESS = b'{"hello":"world"}'


def send(body: bytes, *, to: str = "shop", **headers: str) -> Any:
    return Client().post(f"/in/{to}", body, content_type="application/json", headers=headers)


@pytest.mark.parametrize("body", [NAMED, NAMELESS, b"", b"not json"])
def test_a_repeat_is_answered_with_the_first_event(body: bytes) -> None:
    make.source("shop")
    first, again = send(body), send(body)
    assert (first.status_code, again.status_code) == (202, 200)
    assert again.json() == {"status": "duplicate", "event": first.json()["event"]}
    assert (Event.objects.count(), EventBody.objects.count()) == (1, 1)


def test_repeats_are_counted_and_dated() -> None:
    make.source("shop")
    for _ in range(3):
        send(NAMED)
    key = EventKey.objects.get()
    assert (key.duplicates, key.conflicts) == (2, 0)
    assert key.last_seen_at > key.first_seen_at


def test_an_id_is_taken_per_source() -> None:
    make.source("shop")
    make.source("bank")
    assert [send(NAMED, to=slug).status_code for slug in ("shop", "bank")] == [202, 202]
    assert Event.objects.count() == 2


def test_another_id_makes_another_event_of_the_same_body() -> None:
    make.source("shop")
    answers = [send(NAMELESS, **{"webhook-id": message}) for message in ("m1", "m2", "m1")]
    assert [answer.status_code for answer in answers] == [202, 202, 200]


def test_an_id_is_known_longer_than_its_event() -> None:
    make.source("shop")
    first = send(NAMED).json()
    Event.objects.all().delete()
    assert send(NAMED).json() == {"status": "duplicate", "event": first["event"]}
    assert not Event.objects.exists()


def test_the_same_nameless_body_after_the_window_is_a_new_event(settings: Any) -> None:
    make.source("shop")
    first = send(NAMELESS).json()
    send(NAMELESS)
    EventKey.objects.update(first_seen_at=F("first_seen_at") - timedelta(seconds=601))
    second = send(NAMELESS)
    assert second.status_code == 202
    assert second.json()["event"] != first["event"]
    key = EventKey.objects.get()
    assert (Event.objects.count(), key.duplicates) == (2, 0)
    assert key.first_seen_at == Event.objects.latest("id").received_at


def test_an_id_has_no_window() -> None:
    make.source("shop")
    send(NAMED)
    EventKey.objects.update(first_seen_at=F("first_seen_at") - timedelta(days=89))
    assert send(NAMED).status_code == 200


def test_an_id_that_looks_like_a_fingerprint_is_still_an_id() -> None:
    make.source("shop")
    send(NAMELESS)
    fingerprint = Event.objects.get().external_id
    assert send(b"{}", **{"webhook-id": fingerprint}).status_code == 202
