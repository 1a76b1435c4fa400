"""Every published vector through the door, with the clock at its `now`: its verdict, reason, ids, type and answer."""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client

from tests.certificates import trusting
from webhooks.deciders.schemes import scheme as row_of
from webhooks.models import Event, EventBody, Handshake, Refusal, SecretPurpose, Source
from webhooks.services import certificates, trusted_roots
from webhooks.services.sources import add_secret, create_source

pytestmark = pytest.mark.django_db

VECTORS = json.loads((Path(__file__).parent / "vectors" / "signatures.json").read_text())
BY_ID = {vector["id"]: vector for vector in VECTORS}
CERTIFIED = {"aws-sns", "paypal"}
UNUSED_SECRET = "not asked for by this handshake"

# A vector's scheme is a family; the row is the provider's own.
ROWS = {
    ("gitlab", "shared-token-header"): "gitlab-token",
    ("standard-webhooks", "standard-webhooks-v1"): "standard-webhooks",
    ("standard-webhooks", "standard-webhooks-v1a"): "standard-webhooks",
    ("didit", "didit-simple"): "didit-simple",
    ("adyen", "adyen-header-hmac"): "adyen-platform",
    ("discord", "handshake"): "discord-interactions",
    ("whatsapp", "hub-sha256-hex"): "meta",
    ("whatsapp", "handshake"): "meta",
}

# Why each of those that must not verify is refused; a vector that is not here is refused with `signature-mismatch`.
REASONS = {
    "sw-future-301s": "timestamp-future",
    "sw-missing-webhook-signature": "signature-missing",
    "sw-timestamp-not-a-number": "timestamp-malformed",
    "sw-signature-without-version": "signature-malformed",
    "sw-signature-not-base64": "signature-malformed",
    "sw-three-part-element": "signature-malformed",
    "sw-empty-signature": "signature-missing",
    "sw-v1a-stale": "timestamp-stale",
    "svix-stale": "timestamp-stale",
    "gitlab-token-wrong": "token-mismatch",
    "stripe-only-v0": "signature-version",
    "stripe-stale": "timestamp-stale",
    "stripe-missing-header": "signature-missing",
    "paddle-stale-6s": "timestamp-stale",
    "github-missing-header": "signature-missing",
    "github-non-ascii-signature": "signature-malformed",
    "intercom-missing": "signature-missing",
    "shopify-hex-instead-of-base64": "signature-mismatch",
    "slack-timestamp-not-a-number": "timestamp-malformed",
    "slack-stale": "timestamp-stale",
    "zoom-stale": "timestamp-stale",
    "linear-stale-61s": "timestamp-stale",
    "zendesk-stale": "timestamp-stale",
    "hubspot-stale": "timestamp-stale",
    "twilio-json-tampered": "body-mismatch",
    "mailgun-no-signature-block": "signature-missing",
    "discord-missing-header": "signature-missing",
    "discord-garbage-signature": "signature-malformed",
    "sns-foreign-cert-host": "certificate-url",
    "didit-v2-stale": "timestamp-stale",
    "didit-v2-replay-with-fresh-header": "timestamp-stale",
    "didit-v2-missing-signature": "signature-missing",
    "didit-v2-nan": "body-unreadable",
    "didit-v2-lone-surrogate": "body-unreadable",
    "didit-v2-signature-not-hex": "signature-malformed",
    "msgraph-mismatch": "token-mismatch",
    "msgraph-missing": "token-missing",
}


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_a_vector_gives_what_it_expects_at_the_door(vector: dict[str, Any], monkeypatch: Any) -> None:
    source = _source(vector)
    monkeypatch.setattr("webhooks.views.timezone.now", lambda: datetime.fromtimestamp(vector["now"], UTC))
    monkeypatch.setattr(certificates, "_fetch", lambda url: vector["secret"])
    if row_of(source.scheme).needs_certificate:
        monkeypatch.setattr(trusted_roots, "roots", lambda: trusting(vector["secret"]))
    certificates._kept.clear()
    answer = _send(vector)
    if "expect_response" in vector:
        _check_answer(answer, vector["expect_response"])
    if vector["expect"] == "invalid":
        _check_refused(vector, answer)
    elif Handshake.objects.exists():
        _check_handshake(vector, answer)
    else:
        _check_event(vector, answer, source)


def test_every_reason_belongs_to_a_vector_that_is_refused() -> None:
    assert {BY_ID[each]["expect"] for each in REASONS} == {"invalid"}


def test_there_are_as_many_vectors_as_were_published() -> None:
    assert len(BY_ID) == len(VECTORS) == 133


def _source(vector: dict[str, Any]) -> Source:
    slug = ROWS.get((vector["provider"], vector["scheme"]), vector["provider"])
    options: dict[str, Any] = {"public_url": vector["url"].partition("?")[0]}
    if slug == "aws-sns":
        options["account"] = "arn:aws:sns:us-east-1:123456789012:MyTopic"
    if slug == "paypal":
        options["account"] = vector["webhook_id"]
    is_token = slug == "meta" and vector.get("kind") == "handshake"
    secrets = vector.get("secrets") or [vector["secret"]]
    usual = "" if slug in CERTIFIED else UNUSED_SECRET if is_token else secrets[0] or UNUSED_SECRET
    source = create_source(
        name="Source", slug="abc", scheme=slug, secret=usual, options=options, actor="test"
    )
    if is_token:
        add_secret(
            source_id=source.id, secret=vector["secret"], actor="test", purpose=SecretPurpose.HANDSHAKE
        )
    for more in secrets[1:]:
        add_secret(source_id=source.id, secret=more, actor="test")
    return source


def _send(vector: dict[str, Any]) -> Any:
    query = urlsplit(vector["url"]).query
    headers = dict(vector["headers"])
    content_type = headers.pop("Content-Type", "application/octet-stream")
    return Client(raise_request_exception=True).generic(
        vector["method"], f"/in/abc?{query}", _body(vector), content_type=content_type, headers=headers
    )


def _body(vector: dict[str, Any]) -> bytes:
    if "body_b64" in vector:
        return base64.b64decode(vector["body_b64"])
    return str(vector["body"]).encode("utf-8", "surrogatepass")


def _check_answer(answer: Any, expected: dict[str, Any]) -> None:
    assert (answer.status_code, answer.content.decode()) == (expected["status"], expected["body"])
    for name, value in expected["headers"].items():
        given = answer.headers[name]
        assert given.partition(";")[0] == value if name == "Content-Type" else given == value
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def _check_refused(vector: dict[str, Any], answer: Any) -> None:
    assert not Event.objects.exists()
    if vector.get("kind") == "handshake":
        assert (Handshake.objects.get().last_status, answer.status_code) == (403, 403)
        return
    assert (answer.status_code, answer.json()) == (401, {"detail": "signature verification failed"})
    assert Refusal.objects.get().reason == REASONS.get(vector["id"], "signature-mismatch")


def _check_handshake(vector: dict[str, Any], answer: Any) -> None:
    assert answer.status_code in (200, 204)
    assert not Event.objects.exists() and not Refusal.objects.exists()
    handshake = Handshake.objects.get()
    assert handshake.count == 1
    assert handshake.last_id == vector.get("expect_event_id", "")


def _check_event(vector: dict[str, Any], answer: Any, source: Source) -> None:
    assert 200 <= answer.status_code < 300, Refusal.objects.values("reason", "detail")
    assert not Refusal.objects.exists()
    event = Event.objects.get()
    if "expect_event_id" in vector:
        assert event.external_id == vector["expect_event_id"]
    if "expect_event_type" in vector:
        assert event.event_type == vector["expect_event_type"]
    kept = bytes(EventBody.objects.get().body)
    assert kept == _body(vector) or event.verified_by.startswith("didit-v2")
    if row_of(source.scheme).needs_secret:
        matched = (vector.get("secrets") or [vector["secret"]])[-1]
        assert event.verified_by.endswith(f" …{matched[-4:]}")
