"""Two events that report one operation are one event, whatever their own ids and however they meet."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections
from django.test import Client

from webhooks.models import Event, EventKey, KeyKind, Refusal
from webhooks.services.sources import create_source


@pytest.fixture
def bank(request: pytest.FixtureRequest) -> None:
    create_source(name="Bank", slug="bank", options={"operation_from": "data.operation"}, actor="test")


def send(event_id: str, operation: str | None, **more: Any) -> Any:
    body = {"id": event_id, "type": "transfer.done", "data": {"operation": operation, **more}}
    return Client().post("/in/bank", body, content_type="application/json")


@pytest.mark.django_db
class TestOneAfterTheOther:
    def test_another_id_for_a_known_operation_is_the_first_event_again(self, bank: None) -> None:
        first = send("e1", "op-1")
        again = send("e2", "op-1", note="told anew")
        assert (first.status_code, again.status_code) == (202, 200)
        assert again.json() == {"status": "duplicate", "event": first.json()["event"]}
        assert Event.objects.get().operation_id == "op-1"
        assert not Refusal.objects.exists()

    def test_its_repeats_are_counted_with_first_and_last_seen(self, bank: None) -> None:
        for event_id in ("e1", "e2", "e3"):
            send(event_id, "op-1")
        key = EventKey.objects.get(kind=KeyKind.OPERATION)
        assert (key.duplicates, key.event_id) == (2, Event.objects.get().id)
        assert key.first_seen_at == Event.objects.get().received_at < key.last_seen_at

    def test_the_later_id_stays_a_duplicate_by_itself(self, bank: None) -> None:
        first = send("e1", "op-1").json()["event"]
        send("e2", "op-1")
        assert send("e2", "op-1").json() == {"status": "duplicate", "event": first}

    def test_the_same_id_with_another_body_is_still_a_conflict(self, bank: None) -> None:
        send("e1", "op-1")
        assert send("e1", "op-2").json()["status"] == "conflict"
        assert not EventKey.objects.filter(kind=KeyKind.OPERATION).exclude(duplicates=0).exists()
        assert send("e3", "op-2").status_code == 202  # what conflicted has taken no operation

    def test_another_operation_or_none_makes_another_event(self, bank: None) -> None:
        assert [send(*each).status_code for each in (("e1", "a"), ("e2", "b"), ("e3", None))] == [202] * 3
        assert EventKey.objects.filter(kind=KeyKind.OPERATION).count() == 2

    def test_an_operation_belongs_to_its_source(self, bank: None) -> None:
        create_source(name="B2", slug="b2", options={"operation_from": "data.operation"}, actor="test")
        send("e1", "op-1")
        body = {"id": "e9", "data": {"operation": "op-1"}}
        assert Client().post("/in/b2", body, content_type="application/json").status_code == 202


@pytest.mark.django_db(transaction=True)
def test_16_ids_at_once_for_one_operation_make_one_event(bank: None) -> None:
    start = threading.Barrier(16)

    def one(number: int) -> int:
        try:
            start.wait()
            return int(send(f"e{number}", "op-1").status_code)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(16) as pool:
        assert Counter(pool.map(one, range(16))) == {202: 1, 200: 15}
    assert Event.objects.count() == 1
    assert EventKey.objects.get(kind=KeyKind.OPERATION).duplicates == 15
    assert set(EventKey.objects.values_list("event_id", flat=True)) == {Event.objects.get().id}
