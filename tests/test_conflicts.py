"""The same id with another body is no event: it is kept for a person, and the sender is told to stop."""

from typing import Any

import pytest
from django.test import Client

from tests import make
from webhooks.ids import public_id
from webhooks.models import Event, EventKey, Refusal

pytestmark = pytest.mark.django_db

FIRST = b'{"event_id":"a1","amount":1}'
OTHER = b'{"event_id":"a1","amount":2}'


def send(body: bytes) -> Any:
    return Client().post("/in/shop", body, content_type="application/json")


def test_a_conflict_is_answered_200_with_the_event_that_was_first() -> None:
    make.source("shop")
    send(FIRST)
    answer = send(OTHER)
    assert answer.status_code == 200
    assert answer.json() == {"status": "conflict", "event": public_id("event", Event.objects.get().id)}


def test_a_conflict_is_kept_as_a_refusal_of_its_event() -> None:
    make.source("shop")
    send(FIRST)
    send(OTHER)
    refusal, event = Refusal.objects.get(), Event.objects.get()
    assert (refusal.reason, refusal.event, bytes(refusal.body)) == ("id-conflict", event, OTHER)
    assert bytes(event.content.body) == FIRST


def test_conflicts_and_duplicates_are_counted_apart() -> None:
    make.source("shop")
    for body in (FIRST, OTHER, FIRST, OTHER):
        send(body)
    key = EventKey.objects.get()
    assert (key.duplicates, key.conflicts) == (1, 2)


def test_a_conflict_with_an_event_that_retention_took_is_kept_all_the_same() -> None:
    make.source("shop")
    send(FIRST)
    Event.objects.all().delete()
    assert send(OTHER).status_code == 200
    assert Refusal.objects.get().event is None
