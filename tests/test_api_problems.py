"""Every refusal of the REST API is a problem (RFC 9457) of a kind that the hub explains on a page of its own."""

import logging
import re
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from django.db import OperationalError
from django.test import Client, RequestFactory
from pytest_django import Settings
from rest_framework.exceptions import APIException, ValidationError

from deliveries.services import replay, replay_terms
from tests import make
from tests.callers import Caller, with_key
from tests.replaying import dead
from webhooks.deciders.problems import PROBLEMS, problem_for
from webhooks.models import Event, Subscriber
from webhooks.rest.problems import answer

pytestmark = pytest.mark.django_db

MEMBERS = {"type", "title", "status", "detail", "instance", "code"}


def refused(answer: Any, status: int, slug: str) -> dict[str, Any]:
    assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json")
    body: dict[str, Any] = answer.json()
    assert (body["status"], body["type"]) == (status, f"http://testserver/api/problems/{slug}")
    assert (body["code"], body["title"]) == (slug, PROBLEMS[slug].title)
    assert set(body) >= MEMBERS
    return body


def test_what_is_wrong_with_fields_is_said_of_each_field() -> None:
    body = refused(with_key().post("/api/v1/subscribers", {"colour": "red"}), 400, "invalid")
    assert body["errors"] == {"colour": ["There is no such field."], "name": ["This field is required."]}
    assert body["detail"] == "colour: There is no such field. name: This field is required."


def test_what_is_wrong_with_the_whole_body_stands_under_body() -> None:
    body = refused(with_key().post("/api/v1/subscribers", ["x"]), 400, "invalid")
    assert list(body["errors"]) == ["body"]


def test_what_is_wrong_with_the_whole_of_an_item_stands_under_body_there() -> None:
    body = refused(with_key().post("/api/v1/events/batch", {"events": [7]}), 400, "invalid")
    assert list(body["errors"]["events"]["0"]) == ["body"]
    assert body["detail"].startswith("events[0]: ")


def test_an_unknown_field_hides_nothing_else_that_is_wrong() -> None:
    body = refused(with_key().post("/api/v1/subscribers", {"colour": "red", "name": ""}), 400, "invalid")
    assert body["errors"] == {
        "colour": ["There is no such field."],
        "name": ["This field may not be blank."],
    }


def test_a_body_that_cannot_be_read_is_malformed() -> None:
    answer = with_key().post("/api/v1/subscribers", data="{", content_type="application/json")
    assert "errors" not in refused(answer, 400, "malformed")


def test_without_a_key_with_a_bad_one_and_with_one_of_another_role() -> None:
    stranger, liar = Caller(), Caller()
    liar.credentials(HTTP_AUTHORIZATION="Bearer weir_operator_x")
    refused(stranger.get("/api/v1/sources"), 401, "unauthenticated")
    refused(liar.get("/api/v1/sources"), 401, "key-refused")
    refused(with_key("viewer").post("/api/v1/subscribers", {"name": "x"}), 403, "forbidden")


@pytest.mark.parametrize(
    "path", ["/api", "/api/", "/api/v1", "/api/v2/events", "/api/v1/nothing", "/api/v1/sources/a/b"]
)
@pytest.mark.parametrize("debug", [False, True])
def test_an_address_that_is_no_doors_is_404_even_for_developers(
    path: str, debug: bool, settings: Settings
) -> None:
    settings.DEBUG = debug
    for method in ("get", "post", "delete"):
        refused(getattr(Caller(enforce_csrf_checks=True), method)(path), 404, "not-found")


def test_what_does_not_exist_is_404_by_its_kind() -> None:
    body = refused(with_key().get("/api/v1/deliveries/x"), 404, "not-found")
    assert body["detail"] == "There is no such delivery."


def test_methods_and_forms_that_a_door_does_not_know() -> None:
    answer = with_key().delete("/api/v1/sources")
    refused(answer, 405, "method-not-allowed")
    assert answer["Allow"] == "GET, POST, HEAD, OPTIONS"
    answer = with_key().post("/api/v1/subscribers", data="name=x", content_type="text/plain")
    refused(answer, 415, "unsupported-media-type")


@pytest.mark.parametrize("encoding", ["gzip", "identity, br", "nonsense"])
def test_a_compressed_body_is_not_unpacked_and_nothing_comes_of_it(encoding: str) -> None:
    source = make.source()
    said = {"source": source.slug, "event_id": "a1", "event_type": "t", "data": 1}
    answer = with_key().post("/api/v1/events", said, headers={"Content-Encoding": encoding})
    body = refused(answer, 415, "unsupported-media-type")
    assert body["detail"] == "A body is read as it comes: send it without a Content-Encoding."
    assert not Event.objects.exists()
    plainly = with_key().post("/api/v1/events", said, headers={"Content-Encoding": "identity"})
    assert plainly.status_code == 201


@pytest.mark.parametrize("charset", ["punycode", "latin-1", "utf-16", "zip", "no-such"])
def test_a_body_in_another_charset_is_refused_before_it_is_read(charset: str) -> None:
    content = b"a" * 500_000  # which Python takes seconds to decode as punycode
    began_at = time.process_time()
    for kind in (f"application/json; charset={charset}", f'application/json; charset="{charset.upper()}"'):
        body = refused(
            with_key().post("/api/v1/subscribers", data=content, content_type=kind),
            415,
            "unsupported-media-type",
        )
        assert body["detail"] == "JSON is read as UTF-8: name no other charset."
    assert time.process_time() - began_at < 2


@pytest.mark.parametrize("charset", ["utf-8", "UTF-8", "utf8", "us-ascii"])
def test_utf_8_may_be_named(charset: str) -> None:
    kind = f"application/json; charset={charset}"
    answer = with_key().post("/api/v1/subscribers", data=b'{"name": "n"}', content_type=kind)
    assert answer.status_code == 201


def test_a_body_that_is_too_large(settings: Settings) -> None:
    settings.HUB_MAX_BODY = settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1_024
    refused(with_key().post("/api/v1/subscribers", {"name": "n" * 2_000}), 413, "too-large")


def test_a_conflict_says_of_which_sort() -> None:
    make.source("shop")
    told = {"source": "shop", "event_id": "e1", "event_type": "t"}
    caller = with_key()
    caller.post("/api/v1/events", {**told, "data": 1})
    refused(caller.post("/api/v1/events", {**told, "data": 2}), 409, "id-conflict")
    delivery = make.delivery(make.subscription())
    refused(caller.post(f"/api/v1/deliveries/{delivery.pk}/replay"), 409, "pending")
    order = {"filter": {"since": "1h"}, "reason": "Try again.", "expected_count": 0}
    refused(caller.post("/api/v1/replays", order), 409, "nothing")
    refused(caller.post("/api/v1/replays", {**order, "expected_count": 1}), 409, "nothing")
    dead(make.subscription())
    refused(caller.post("/api/v1/replays", {**order, "expected_count": 2}), 409, "count-changed")
    refused(caller.post("/api/v1/replays", {**order, "expected_count": 10**6 + 1}), 409, "conflict")


def test_a_database_that_is_away_is_503_and_says_when_to_come_again() -> None:
    caller = with_key()
    with patch.object(Subscriber.objects, "create", side_effect=OperationalError("no route to host")):
        answer = caller.post("/api/v1/subscribers", {"name": "x"})
    assert "no route" not in refused(answer, 503, "unavailable")["detail"]
    assert answer["Retry-After"] == "10"


def test_a_mistake_of_ours_shows_no_trace_and_is_found_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caller = with_key()
    caller.raise_request_exception = False
    with (
        caplog.at_level(logging.ERROR),
        patch.object(Subscriber.objects, "create", side_effect=RuntimeError("s3cret")),
    ):
        answer = caller.post("/api/v1/subscribers", {"name": "x"})
    body = refused(answer, 500, "server-error")
    assert "s3cret" not in answer.content.decode()
    (told,) = [record for record in caplog.records if body["instance"] in record.message]
    assert told.exc_info is not None and str(told.exc_info[1]) == "s3cret"


def test_two_problems_are_two_instances() -> None:
    told = [Caller().get("/api/v1/sources").json()["instance"] for _ in range(2)]
    assert told[0] != told[1] and told[0].startswith("urn:uuid:")


def test_where_the_hub_says_its_address_a_type_is_there(settings: Settings) -> None:
    settings.HUB_PUBLIC_URL = "https://hub.example.com"
    assert (
        Caller().get("/api/v1/sources").json()["type"]
        == "https://hub.example.com/api/problems/unauthenticated"
    )


def test_a_host_that_is_not_ours_gets_a_problem_too() -> None:
    answer = Client(headers={"host": "elsewhere.example"}).get("/api/v1/sources")
    assert (answer.status_code, answer.json()["type"]) == (400, "/api/problems/malformed")


@pytest.mark.parametrize("slug", PROBLEMS)
def test_every_kind_has_a_page_that_anybody_may_read(slug: str) -> None:
    answer = Client().get(f"/api/problems/{slug}")
    shown = answer.content.decode()
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert f"<h1>{PROBLEMS[slug].title}</h1>".replace("'", "&#x27;") in shown
    assert f'href="/api/problems/{slug}"' in Client().get("/api/problems").content.decode()
    assert "`" not in shown
    assert (PROBLEMS[slug].meaning + PROBLEMS[slug].remedy).count("`") % 2 == 0


def test_what_is_to_be_copied_from_a_page_looks_like_code() -> None:
    shown = Client().get("/api/problems/invalid").content.decode()
    assert "<p><code>errors</code> names each field with a sentence" in shown


def test_a_kind_that_does_not_exist_has_no_page() -> None:
    assert Client().get("/api/problems/weather").status_code == 404


@pytest.mark.parametrize(
    ("status", "codes", "slug"),
    [
        (409, ["in-flight"], "in-flight"),
        (409, ["late"], "conflict"),  # one that has no page is told by its status
        (409, ["changed"], "conflict"),
        (400, ["in-flight"], "invalid"),  # a slug counts only with its status
        (418, [], "malformed"),
        (599, [], "server-error"),
    ],
)
def test_a_refusal_is_of_the_kind_that_its_code_names(status: int, codes: list[str], slug: str) -> None:
    assert problem_for(status=status, codes=codes).slug == slug


@pytest.mark.parametrize("slug", PROBLEMS)
def test_the_code_is_the_last_part_of_the_type_in_every_kind(slug: str) -> None:
    kind, request = PROBLEMS[slug], RequestFactory().get("/api/v1/sources")
    error = APIException("No.", code=slug)
    error.status_code = kind.status
    told = answer(ValidationError("No.") if slug == "invalid" else error, {"request": request, "view": None})
    assert told.data is not None and told.status_code == kind.status
    assert (told.data["code"], told.data["type"]) == (slug, f"http://testserver{kind.path}")


def test_every_code_that_a_door_raises_by_name_is_a_kind() -> None:
    root = Path(__file__).resolve().parent.parent
    doors = [*root.glob("webhooks/**/*.py"), *root.glob("deliveries/api/*.py"), *root.glob("hub/*.py")]
    raised = {
        code
        for door in doors
        for code in re.findall(r"""(?:\bcode|default_code) ?= ?"([a-z-]+)\"""", door.read_text())
    }
    assert raised - PROBLEMS.keys() == set()
    assert {"not-in-quarantine", "not-scheduled", "slow", "too-many-failures"} <= raised
    unnamed = {each.value for each in (*replay.Answer, *replay_terms.Answer)} - PROBLEMS.keys()
    assert unnamed == {"done", "missing", "running", "refused", "late"}


def test_outside_of_the_api_nothing_has_changed() -> None:
    answer = Client().get("/nothing")
    assert (answer.status_code, answer["Content-Type"]) == (404, "text/html; charset=utf-8")


@pytest.mark.parametrize("path", ["/api/schema", "/api/docs", "/api/problems", "/api/problems/invalid"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_pages_beside_the_doors_refuse_what_they_do_not_take_as_the_doors_do(path: str, method: str) -> None:
    answer = Client(enforce_csrf_checks=True).generic(method, path)
    body = refused(answer, 405, "method-not-allowed")
    assert (body["detail"], answer["Allow"]) == (f'Method "{method}" not allowed.', "GET, HEAD")


@pytest.mark.parametrize(
    ("sent", "detail"),
    [
        (b'{"a" 1}', "This is not JSON, at line 1, column 6: expecting ':' delimiter."),
        (b"{} x", "This is not JSON, at line 1, column 4: extra data."),
        (b'{"a": "\xff"}', "This is not UTF-8."),
        (
            b'{"a": NaN}',
            "This holds a number that JSON does not know, such as NaN, or one of thousands of digits.",
        ),
        (
            b'{"a": ' + b"9" * 5_000 + b"}",
            "This holds a number that JSON does not know, such as NaN, or one of thousands of digits.",
        ),
        (b"[" * 100_000, "This JSON is nested too deeply."),
    ],
)
def test_what_is_no_json_is_told_in_our_own_words(sent: bytes, detail: str) -> None:
    answer = with_key().post("/api/v1/subscribers", data=sent, content_type="application/json")
    assert refused(answer, 400, "malformed")["detail"] == detail
