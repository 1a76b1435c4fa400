"""Questions that ask whether we are the right door: answered as each provider wants, counted, never an event."""

import hmac
import json
import time
from typing import Any

import pytest
from django.test import Client

from webhooks.deciders.handshakes import HANDSHAKES
from webhooks.deciders.schemes import SCHEMES
from webhooks.models import Event, Handshake, Refusal, SecretPurpose
from webhooks.services.sources import add_secret, create_source, update_source

pytestmark = pytest.mark.django_db

SECRET = "zoom-secret-token"


@pytest.fixture(autouse=True)
def no_event_is_made() -> Any:
    yield
    assert not Event.objects.exists()


def source(scheme: str, secret: str = SECRET) -> Any:
    return create_source(name="Shop", slug="shop", scheme=scheme, secret=secret, actor="test")


def post(document: Any, query: str = "", **headers: str) -> Any:
    return Client().post(f"/in/shop?{query}", document, content_type="application/json", headers=headers)


def zoom(document: Any, secret: str = SECRET) -> Any:
    body, timestamp = json.dumps(document), str(int(time.time()))
    signature = hmac.new(secret.encode(), f"v0:{timestamp}:{body}".encode(), "sha256").hexdigest()
    headers = {"x-zm-request-timestamp": timestamp, "x-zm-signature": f"v0={signature}"}
    return Client().post("/in/shop", body, content_type="application/json", headers=headers)


QUESTION = {"event": "endpoint.url_validation", "payload": {"plainToken": "qgg8vlvZRS6UYooatFL8Aw"}}


def test_zoom_reads_its_token_signed_by_the_secret_it_used() -> None:
    made = source("zoom", "an older one")
    add_secret(source_id=made.id, secret=SECRET, actor="test")
    answer = zoom(QUESTION)
    signed = hmac.new(SECRET.encode(), b"qgg8vlvZRS6UYooatFL8Aw", "sha256").hexdigest()
    assert answer.status_code == 200
    assert answer.json() == {"plainToken": "qgg8vlvZRS6UYooatFL8Aw", "encryptedToken": signed}


def test_handshakes_are_counted_with_their_last_time() -> None:
    made = source("zoom")
    zoom(QUESTION)
    first = Handshake.objects.get()
    zoom(QUESTION)
    again = Handshake.objects.get()
    assert (again.source_id, again.name, again.count, again.last_status) == (made.id, "zoom", 2, 200)
    assert again.first_seen_at == first.first_seen_at < again.last_seen_at


def test_a_signed_handshake_with_a_bad_signature_is_refused_like_any_request() -> None:
    source("zoom")
    assert zoom(QUESTION, secret="other").status_code == 401
    assert Refusal.objects.get().reason == "signature-mismatch"
    assert not Handshake.objects.exists()


def test_slack_s_challenge_is_not_echoed_without_a_signature() -> None:
    source("slack")
    answer = post({"type": "url_verification", "challenge": "c"})
    assert answer.status_code == 401
    assert answer.content != b"c"


def test_graph_s_question_bypasses_nothing_at_another_source() -> None:
    source("github")
    assert post({"a": 1}, "validationToken=x").status_code == 401
    assert not Handshake.objects.exists()


def test_graph_s_token_comes_back_as_text_and_never_as_a_page() -> None:
    source("microsoft-graph")
    answer = post({}, "validationToken=%3Cscript%3E%E2%82%AC")
    assert (answer.status_code, answer.content.decode()) == (200, "<script>€")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def ask_meta(token: str) -> Any:
    return Client().get(
        "/in/shop", {"hub.mode": "subscribe", "hub.verify_token": token, "hub.challenge": "1158"}
    )


def test_meta_s_challenge_is_answered_for_the_verify_token_only() -> None:
    made = source("meta")
    assert ask_meta(SECRET).status_code == 403  # which signs events and is no verify token
    add_secret(source_id=made.id, secret="meaty", actor="test", purpose=SecretPurpose.HANDSHAKE)
    assert (ask_meta("meaty").status_code, ask_meta("meaty").content) == (200, b"1158")
    assert (ask_meta("").status_code, ask_meta("no").content) == (403, b"")


def test_a_verify_token_signs_no_event() -> None:
    made = source("meta")
    add_secret(source_id=made.id, secret="meaty", actor="test", purpose=SecretPurpose.HANDSHAKE)
    signature = "sha256=" + hmac.new(b"meaty", b"{}", "sha256").hexdigest()
    answer = Client().post(
        "/in/shop", b"{}", content_type="text/plain", headers={"x-hub-signature-256": signature}
    )
    assert answer.status_code == 401


def test_a_replaced_secret_leaves_the_verify_token_alive() -> None:
    made = source("meta")
    add_secret(source_id=made.id, secret="meaty", actor="test", purpose=SecretPurpose.HANDSHAKE)
    update_source(source_id=made.id, secret="next", actor="test")
    assert ask_meta("meaty").status_code == 200


@pytest.mark.parametrize(
    ("scheme", "method", "allow"),
    [
        ("meta", "GET", "POST, GET"),
        ("meta", "OPTIONS", "POST, GET"),
        ("cloudevents", "OPTIONS", "POST, OPTIONS"),
        ("cloudevents", "PUT", "POST, OPTIONS"),
        ("stripe", "OPTIONS", "POST"),
        ("stripe", "GET", "POST"),
    ],
)
def test_a_method_that_neither_events_nor_this_handshake_use_is_405(
    scheme: str, method: str, allow: str
) -> None:
    source(scheme)
    answer = Client().generic(method, "/in/shop")
    assert (answer.status_code, answer.headers["Allow"]) == (405, allow)
    assert not Handshake.objects.exists() and not Refusal.objects.exists()


@pytest.mark.parametrize("origin", ["", "a b", "x" * 256, "é"])
def test_an_origin_that_cannot_be_said_back_gets_no_consent(origin: str) -> None:
    source("cloudevents")
    answer = Client().generic("OPTIONS", "/in/shop", headers={"webhook-request-origin": origin})
    assert answer.status_code == 405
    assert "WebHook-Allowed-Origin" not in answer.headers


def test_a_disabled_source_shakes_no_hands() -> None:
    made = source("microsoft-graph")
    post({}, "validationToken=x")
    update_source(source_id=made.id, is_enabled=False, actor="test")
    assert post({}, "validationToken=x").status_code == 404
    assert Handshake.objects.get().count == 1


def github(event: str) -> Any:
    signature = "sha256=" + hmac.new(SECRET.encode(), b"{}", "sha256").hexdigest()
    return post(
        b"{}", **{"x-hub-signature-256": signature, "x-github-event": event, "x-github-delivery": "d1"}
    )


def test_a_ping_of_github_is_a_handshake_with_its_id() -> None:
    source("github")
    assert github("ping").status_code == 200
    assert Handshake.objects.get().last_id == "d1"


def test_the_table_s_rows_name_handshakes_that_there_are() -> None:
    named = {name for row in SCHEMES.values() for name in row.handshakes}
    assert named == set(HANDSHAKES)
