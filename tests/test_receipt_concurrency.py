"""Senders that come at the same moment: one id makes one event, whoever is first."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections
from django.test import Client

from tests import make
from webhooks.models import Event, EventBody, EventKey
from webhooks.services.sources import update_source

pytestmark = pytest.mark.django_db(transaction=True)

SENDERS = 32


def all_at_once(bodies: list[bytes], *, tries: int = 1) -> list[tuple[int, str]]:
    """Sends each body from a thread of its own, all released together; what each was told in the end."""
    start = threading.Barrier(len(bodies))

    def send(body: bytes) -> tuple[int, str]:
        try:
            start.wait()
            for _ in range(tries):
                answer = Client().post("/in/shop", body, content_type="application/json")
                if answer.status_code != 503:
                    break
            return answer.status_code, answer.json()["event"]
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(bodies)) as pool:
        return list(pool.map(send, bodies))


@pytest.mark.parametrize("body", [make.BODY, b"without an id"])
def test_32_threads_with_one_id_make_one_event_and_31_duplicates(body: bytes) -> None:
    make.source("shop")
    answers = all_at_once([body] * SENDERS)
    assert Counter(status for status, _ in answers) == {202: 1, 200: 31}
    assert len({event for _, event in answers}) == 1
    assert (Event.objects.count(), EventBody.objects.count()) == (1, 1)
    assert EventKey.objects.get().duplicates == 31


def test_many_ids_at_once_are_all_taken() -> None:
    make.source("shop")
    answers = all_at_once([b'{"event_id":%d}' % number for number in range(SENDERS)])
    assert Counter(status for status, _ in answers) == {202: SENDERS}
    assert Event.objects.count() == SENDERS


def test_events_that_come_while_their_source_changes_are_all_taken() -> None:
    source = make.source("shop")
    renaming = threading.Thread(target=rename_often, args=[source.id])
    renaming.start()
    try:
        # A source that changes faster than anybody can decide costs a 503, and every sender comes again.
        answers = all_at_once([b'{"event_id":%d}' % number for number in range(8)], tries=20)
    finally:
        renaming.join()
    assert Counter(status for status, _ in answers) == {202: 8}


def rename_often(source_id: object) -> None:
    try:
        for number in range(10):
            update_source(source_id=source_id, name=f"Shop {number}", actor="test")  # type: ignore[arg-type]
    finally:
        connections.close_all()
