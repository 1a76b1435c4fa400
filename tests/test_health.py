"""`/livez` asks nobody; `/readyz` says in a sentence what is missing."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import OperationalError, connection, connections
from django.db.models.functions import Now
from django.test import Client

from deliveries.dispatcher import seats
from deliveries.models import Seat
from hub import health


@pytest.fixture
def a_dispatcher(transactional_db: None) -> Iterator[None]:
    Seat.objects.create(number=1, epoch=1, leased_until=Now() + timedelta(seconds=30))
    yield


def test_alive_without_a_database(client: Client) -> None:
    answer = client.get("/livez")
    assert (answer.status_code, answer.content) == (200, b"alive\n")
    assert answer["Content-Security-Policy"].startswith("default-src 'self';")


@pytest.mark.usefixtures("a_dispatcher")
def test_ready_while_a_dispatcher_holds_a_seat(client: Client) -> None:
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"ready": True, "reason": None})


@pytest.mark.django_db(transaction=True)
def test_not_ready_without_a_dispatcher(client: Client) -> None:
    answer = client.get("/readyz")
    reason = "No dispatcher has been seen lately."
    assert (answer.status_code, answer.json()) == (503, {"ready": False, "reason": reason})


def test_not_ready_without_a_database(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seats, "alive", _refuse)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["reason"]) == (503, "The database does not answer.")


@pytest.mark.django_db(transaction=True)
def test_a_database_that_is_not_migrated_says_what_to_run(
    client: Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    empty = str(tmp_path / "empty.sqlite3") if connection.vendor == "sqlite" else "postgres"
    with monkeypatch.context() as patched:
        patched.setitem(connections.settings["default"], "NAME", empty)  # where the probe's thread will look
        answer = client.get("/readyz")
    reason = "The database is not migrated: run `manage.py migrate`."
    assert (answer.status_code, answer.json()) == (503, {"ready": False, "reason": reason})
    assert client.get("/readyz").json()["reason"] == "No dispatcher has been seen lately."


def test_a_database_that_hangs_costs_the_probe_its_patience_and_one_thread(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()
    monkeypatch.setattr(health, "PATIENCE_S", 0.05)
    monkeypatch.setattr(seats, "alive", released.wait)
    before = threading.active_count()
    answers = [client.get("/readyz") for _ in range(5)]
    assert {answer.json()["reason"] for answer in answers} == {"The database did not answer within 0.05 s."}
    assert threading.active_count() <= before + 1
    released.set()


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics"])
def test_nothing_here_can_be_posted_to(client: Client, path: str) -> None:
    assert client.post(path).status_code == 405


def _refuse() -> bool:
    raise OperationalError("connection refused")
