"""A receipt asks no connection whether it lives: its own statement shows it, and a dead one is replaced once."""

from typing import Any

import psycopg2
import pytest
from django.db import OperationalError, connection, transaction
from django.test import Client

from tests import make
from webhooks import receipt_sql
from webhooks.models import Event

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgresql]


def send(event_id: str) -> Any:
    body = f'{{"event_id": "{event_id}", "event_type": "t"}}'
    return Client().post("/in/shop", body, content_type="application/json")


def cut_our_connection() -> None:
    """As a restarted server would, or a firewall; the next statement finds out."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        pid = int(cursor.fetchone()[0])
    parameters = connection.get_connection_params()
    other = psycopg2.connect(
        **{k: v for k, v in parameters.items() if k not in ("cursor_factory", "context")}
    )
    with other, other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    other.close()


def test_a_connection_that_died_while_idle_costs_the_sender_nothing() -> None:
    make.source("shop")
    assert send("before").status_code == 202
    cut_our_connection()
    assert send("after").status_code == 202
    assert sorted(Event.objects.values_list("external_id", flat=True)) == ["after", "before"]


def test_an_event_is_stored_once_when_its_answer_was_lost_with_the_connection(monkeypatch: Any) -> None:
    make.source("shop")
    send("before")
    execute, tries = receipt_sql._execute, []

    def lose_the_first_answer(*given: Any) -> bool:
        tries.append(execute(*given))
        if len(tries) == 1:
            cut_our_connection()
            raise OperationalError("server closed the connection unexpectedly")
        return tries[-1]

    monkeypatch.setattr(receipt_sql, "_execute", lose_the_first_answer)
    answer = send("torn")
    assert tries == [True, False]
    assert (answer.status_code, answer.json()["status"]) == (200, "duplicate")
    assert Event.objects.filter(external_id="torn").count() == 1


def test_inside_a_transaction_nothing_is_asked_twice(monkeypatch: Any) -> None:
    tries = []

    def fail(ours: Any, values: Any, *more: Any) -> bool:
        tries.append(values)
        cut_our_connection()
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(receipt_sql, "_execute", fail)
    with pytest.raises(OperationalError), transaction.atomic():
        receipt_sql.insert({})
    assert tries == [{}]
