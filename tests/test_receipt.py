"""What a request at the door becomes: an event with the exact bytes that came, stored, then acknowledged."""

import hmac
import io
import json
import select
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection, models
from django.test import Client, RequestFactory

from tests import make
from webhooks import receipt_sql, wake
from webhooks.ids import public_id
from webhooks.models import Event, EventBody, EventKey, EventState
from webhooks.services.sources import create_source
from webhooks.views import ReceiptView

pytestmark = pytest.mark.django_db


def send(body: bytes = make.BODY, *, to: str = "shop", **options: Any) -> Any:
    return Client().post(f"/in/{to}", body, **{"content_type": "application/json", **options})


def test_an_event_is_acknowledged_with_its_id() -> None:
    make.source("shop")
    answer = send()
    assert answer.status_code == 202
    assert answer.json() == {"status": "accepted", "event": public_id("event", Event.objects.get().id)}


def test_what_the_body_says_of_itself_is_kept_in_columns() -> None:
    source = make.source("shop")
    send(b'{"event_id":"a1b2","event_type":"user.created","timestamp":"2026-05-04T03:02:01Z","data":{}}')
    event = Event.objects.get()
    assert (event.external_id, event.event_type, event.size) == ("a1b2", "user.created", 92)
    assert (event.source_id, event.verified_by, event.state) == (source.id, "none", EventState.RECEIVED)
    assert event.occurred_at == datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
    assert (event.routed_at, event.cause_id, event.depth) == (None, None, 0)


@pytest.mark.parametrize(
    "body", [b'{ "a" : "\xc3\xa9" }\r\n', b"\x00\xff\xfe", b"a=1&b=2", b"", b"'\"\\%s{}"]
)
def test_the_bytes_are_kept_exactly_as_they_came(body: bytes) -> None:
    make.source("shop")
    assert send(body).status_code == 202
    assert bytes(EventBody.objects.get().body) == body


def test_headers_are_kept_and_credentials_among_them_masked() -> None:
    make.source("shop")
    send(headers={"x-shop": "42", "authorization": "Bearer s3cret", "cookie": "a=b"})
    kept = dict(EventBody.objects.get().headers)
    assert (kept["x-shop"], kept["authorization"], kept["cookie"]) == ("42", "••••••", "••••••")


@pytest.mark.parametrize("accept", ["text/html", "application/xml;q=0.1", "garbage", ""])
@pytest.mark.parametrize(
    "content_type", ["application/x-www-form-urlencoded", "multipart/form-data", "!", ""]
)
def test_no_accept_and_no_content_type_is_turned_away(accept: str, content_type: str) -> None:
    make.source("shop")
    answer = send(headers={"accept": accept}, content_type=content_type)
    assert (answer.status_code, answer.headers["Content-Type"]) == (202, "application/json")
    assert bytes(EventBody.objects.get().body) == make.BODY


def test_a_content_type_of_any_length_is_taken() -> None:
    make.source("shop")
    assert send(content_type="x" * 5_000).status_code == 202


def test_the_address_works_with_a_slash_too() -> None:
    make.source("shop")
    assert send(to="shop/").status_code == 202


def test_a_body_without_a_length_is_read_to_the_end_that_the_server_knows() -> None:
    make.source("shop")
    request = RequestFactory().post("/in/shop")
    request.META |= {"CONTENT_LENGTH": "", "wsgi.input_terminated": True, "wsgi.input": io.BytesIO(make.BODY)}
    assert ReceiptView.as_view()(request, slug="shop").status_code == 202
    assert bytes(EventBody.objects.get().body) == make.BODY


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b'{"id":NaN,"n":' + b"9" * 5_000 + b"}", "application/json"),
        (b"[" * 10_000, "application/json"),  # too deep to look for its end
        (b'{"a":1}\n{"a":2}\n', "application/x-ndjson"),
        (b" \r\n[1,2]\r\n", "application/json"),
        (b"[note] a line of text", "text/plain"),
        (b"a=1&b={", "application/x-www-form-urlencoded"),
    ],
)
def test_a_body_without_a_length_is_taken_if_nothing_says_that_its_end_is_lost(
    body: bytes, content_type: str
) -> None:
    make.source("shop")
    request = RequestFactory().post("/in/shop")
    request.META |= {"CONTENT_LENGTH": "", "CONTENT_TYPE": content_type, "HTTP_TRANSFER_ENCODING": "chunked"}
    request.META |= {"wsgi.input_terminated": True, "wsgi.input": io.BytesIO(body)}
    assert ReceiptView.as_view()(request, slug="shop").status_code == 202
    assert bytes(EventBody.objects.get().body) == body


def test_a_signature_over_the_body_says_by_itself_that_it_is_whole() -> None:
    create_source(name="H", slug="shop", scheme="github", secret="key", actor="test")
    body, request = b'{"half":', RequestFactory().post("/in/shop")
    request.META |= {
        "CONTENT_LENGTH": "",
        "CONTENT_TYPE": "application/json",
        "HTTP_TRANSFER_ENCODING": "chunked",
    }
    request.META |= {"wsgi.input_terminated": True, "wsgi.input": io.BytesIO(body)}
    request.META["HTTP_X_HUB_SIGNATURE_256"] = f"sha256={hmac.new(b'key', body, 'sha256').hexdigest()}"
    assert ReceiptView.as_view()(request, slug="shop").status_code == 202


@pytest.mark.parametrize(
    ("model", "columns"),
    [
        (EventKey, receipt_sql.KEY_COLUMNS),
        (Event, receipt_sql.EVENT_COLUMNS),
        (EventBody, receipt_sql.BODY_COLUMNS),
    ],
)
def test_the_store_fills_every_column_there_is(model: type[models.Model], columns: dict[str, str]) -> None:
    assert set(columns) == {field.column for field in model._meta.concrete_fields}


def test_a_known_source_costs_one_statement_on_postgresql_and_a_short_transaction_on_sqlite(
    django_assert_num_queries: Any,
) -> None:
    make.source("shop")
    send(b'{"event_id":"1"}')
    statements = 1 if connection.vendor == "postgresql" else 5  # a savepoint or BEGIN, three inserts, its end
    with django_assert_num_queries(statements):
        send(b'{"event_id":"2"}')


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_dispatchers_hear_of_an_event_once_it_is_committed() -> None:
    make.source("shop")
    line: Any = connection.get_new_connection(connection.get_connection_params())
    line.autocommit = True
    line.cursor().execute(f"LISTEN {wake.EVENTS}")
    send()
    select.select([line], [], [], 5)
    line.poll()
    assert [notice.channel for notice in line.notifies] == [wake.EVENTS]
    line.close()


def test_an_event_of_a_megabyte_is_taken() -> None:
    make.source("shop")
    body = json.dumps({"event_id": "big", "data": "x" * 1_048_000}).encode()
    assert send(body).status_code == 202
    assert bytes(EventBody.objects.get().body) == body
