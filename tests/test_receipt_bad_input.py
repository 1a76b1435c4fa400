"""What cannot be taken at the door is answered in a word and leaves no row; nothing sent is ever a 500."""

import gzip
import io
import json
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client, RequestFactory

from tests import make
from webhooks.deciders.standard import new_secret
from webhooks.models import NO_SOURCE, Event, ReceiptTotal, Refusal, Source
from webhooks.services import rollups
from webhooks.services.sources import create_source
from webhooks.views import ReceiptView

pytestmark = pytest.mark.django_db


def send(body: bytes = make.BODY, *, to: str = "shop", **options: Any) -> Any:
    return Client().post(f"/in/{to}", body, **{"content_type": "application/json", **options})


def by_hand(body: bytes, **meta: Any) -> Any:
    request = RequestFactory().post("/in/shop")
    request.META |= meta
    request._stream = request.META["wsgi.input"] = io.BytesIO(body)
    return ReceiptView.as_view()(request, slug="shop")


CHUNKED: dict[str, Any] = {
    "CONTENT_LENGTH": "",
    "HTTP_TRANSFER_ENCODING": "chunked",
    "wsgi.input_terminated": True,
}


@pytest.fixture(autouse=True)
def nothing_is_kept() -> Any:
    yield
    assert not Event.objects.exists()


@pytest.mark.parametrize("slug", ["nobody", "SHOP", "a%00b", "%FF", "x" * 500, "' OR 1=1"])
def test_an_unknown_source_is_counted_under_one_label(slug: str) -> None:
    make.source("shop")
    rollups.stop()
    answer = send(to=slug)
    assert (answer.status_code, answer.json()) == (404, {"detail": "There is no such source."})
    rollups.flush()
    counted = ReceiptTotal.objects.values_list("source_id", "verdict", "reason", "count")
    assert list(counted) == [(NO_SOURCE, "refused", "unknown-source", 1)]
    assert not Refusal.objects.exists()


def test_a_source_that_was_disabled_is_gone_at_once() -> None:
    make.source("shop")
    assert send(b'{"event_id":1}').status_code == 202
    Event.objects.all().delete()
    Source.objects.update(is_enabled=False, revision=2)
    assert send(b'{"event_id":1}').status_code == 404
    assert send(b'{"event_id":2}').status_code == 404


def test_a_body_over_the_limit_is_turned_away_by_its_declared_length(settings: Any) -> None:
    settings.HUB_MAX_BODY = 1_024
    make.source("shop")
    answer = by_hand(b"never read", CONTENT_LENGTH="1025")
    assert answer.status_code == 413
    assert not Refusal.objects.exists()


@pytest.mark.parametrize("length", ["9" * 5_000, "9" * 18])
def test_a_declared_length_beyond_reason_is_too_large(length: str) -> None:
    make.source("shop")
    assert by_hand(b"", CONTENT_LENGTH=length).status_code == 413


def test_a_body_without_a_length_is_read_no_further_than_the_limit(settings: Any) -> None:
    settings.HUB_MAX_BODY = 1_024
    make.source("shop")
    answer = by_hand(b"x" * 1_025, CONTENT_LENGTH="", **{"wsgi.input_terminated": True})
    assert answer.status_code == 413


def test_a_body_that_ended_early_is_not_taken_for_whole() -> None:
    make.source("shop")
    assert by_hand(b"half", CONTENT_LENGTH="8").status_code == 400


TORN = [b'{"id":"a","to', b'{"id":"a"', b'[{"id":"a"}', b'{"id":1,"n":12', b"", b"\xef\xbb\xbf{", b'"a', b"{"]


@pytest.mark.parametrize("body", TORN)
@pytest.mark.parametrize("content_type", ["application/json", "application/cloudevents+json; charset=utf-8"])
def test_json_that_came_in_chunks_and_lost_its_end_is_kept_as_a_refusal(
    body: bytes, content_type: str
) -> None:
    make.source("shop")
    answer = by_hand(body, CONTENT_TYPE=content_type, **CHUNKED)
    assert answer.status_code == 400
    refusal = Refusal.objects.get()
    assert (refusal.reason, bytes(refusal.body)) == ("body-incomplete", body)


@pytest.mark.parametrize("encoding", ["gzip", "BR", " zstd"])
def test_a_compressed_body_is_kept_as_a_refusal_since_nobody_would_know_how_to_read_it(encoding: str) -> None:
    make.source("shop")
    body = gzip.compress(b'{"id":"a"}')
    answer = by_hand(body, HTTP_CONTENT_ENCODING=encoding, CONTENT_LENGTH=str(len(body)))
    said = "The body is compressed, and nothing here unpacks it: send it without a Content-Encoding."
    assert (answer.status_code, json.loads(answer.content)["detail"]) == (415, said)
    refusal = Refusal.objects.get()
    assert (refusal.reason, bytes(refusal.body)) == ("body-compressed", body)


@pytest.mark.parametrize("encoding", ["identity", "utf-8", ""])
def test_a_content_encoding_that_compresses_nothing_stops_nothing(encoding: str) -> None:
    make.source("shop")
    length = {"CONTENT_LENGTH": "10"}
    assert by_hand(b'{"id":"a"}', HTTP_CONTENT_ENCODING=encoding, **length).status_code == 202
    Event.objects.all().delete()


def test_what_begins_like_json_is_held_to_it_whatever_its_type() -> None:
    make.source("shop")
    assert (
        by_hand(b'{"id":"a', CONTENT_TYPE="application/x-www-form-urlencoded", **CHUNKED).status_code == 400
    )


@pytest.mark.parametrize("length", ["-1", "abc", "1e3", "²"])
def test_a_length_that_is_no_number_is_refused(length: str) -> None:
    make.source("shop")
    assert by_hand(b"", CONTENT_LENGTH=length).status_code == 400


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_any_method_but_post_is_told_so(method: str) -> None:
    make.source("shop")
    answer = Client().generic(method, "/in/shop", headers={"accept": "text/html"})
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")


def test_while_the_database_is_down_the_sender_is_asked_to_come_again() -> None:
    make.source("shop")

    def down(*_: Any) -> Any:
        raise OperationalError("could not connect to server")

    with connection.execute_wrapper(down):
        answer = send()
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "10")
    assert answer.json() == {"detail": "This could not be stored now; please send it again."}


def test_a_secret_that_cannot_be_unsealed_is_our_fault_not_the_senders(settings: Any) -> None:
    create_source(name="Shop", slug="sealed", scheme="standard-webhooks", secret=new_secret(), actor="test")
    settings.HUB_ENCRYPTION_KEYS = ["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="]
    assert send(to="sealed").status_code == 503
    assert not Refusal.objects.exists()
