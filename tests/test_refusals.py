"""Requests that fail verification are kept, for a person to mend the cause; the sender learns nothing."""

import json
import time
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from webhooks.deciders.standard import new_secret, sign
from webhooks.models import Event, Refusal, Source
from webhooks.services.sources import add_secret, create_source, expire_secret, update_source

pytestmark = pytest.mark.django_db

SECRET = new_secret()
BODY = b'{"type":"user.created"}'


@pytest.fixture
def source() -> Source:
    return create_source(name="Shop", slug="shop", scheme="standard-webhooks", secret=SECRET, actor="test")


def send(secret: str, *, message_id: str = "m1", query: str = "", **more: str) -> Any:
    now = int(time.time())
    headers = {
        "webhook-id": message_id,
        "webhook-timestamp": str(now),
        "webhook-signature": sign(secrets=[secret], message_id=message_id, timestamp=now, body=BODY),
    }
    address = f"/in/shop?{query}"
    return Client().post(address, BODY, content_type="application/json", headers=headers | more)


def test_a_signed_request_is_taken_and_says_which_secret_matched(source: Source) -> None:
    assert send(SECRET).status_code == 202
    assert Event.objects.get().verified_by == f"standard-webhooks …{SECRET[-4:]}"
    assert not Refusal.objects.exists()


def test_a_bad_signature_is_answered_without_a_hint(source: Source) -> None:
    answer = send(new_secret())
    assert (answer.status_code, answer.json()) == (401, {"detail": "signature verification failed"})
    assert not Event.objects.exists()


def test_what_was_refused_is_kept_as_it_came(source: Source) -> None:
    send(new_secret(), query="a=1", **{"x-shop": "42"})
    refusal = Refusal.objects.get()
    assert (refusal.source, refusal.reason, bytes(refusal.body)) == (source, "signature-mismatch", BODY)
    assert (refusal.method, refusal.query, refusal.remote_address) == ("POST", "a=1", "127.0.0.1")
    assert dict(refusal.headers)["x-shop"] == "42"
    assert dict(refusal.headers)["webhook-signature"].startswith("v1,")
    assert (refusal.event, refusal.accepted_at, refusal.credentials) == (None, None, "")


def test_credentials_are_masked_on_the_row_and_sealed_beside_it(source: Source) -> None:
    send(new_secret(), query="access_token=s3cret&a=1", authorization="Bearer s3cret")
    refusal = Refusal.objects.get()
    assert dict(refusal.headers)["authorization"] == "••••••"
    assert refusal.query == "access_token=••••••&a=1"
    assert json.loads(refusal.credentials) == {
        "authorization": "Bearer s3cret",
        "?": "access_token=s3cret&a=1",
    }
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM webhooks_refusal")
        assert "s3cret" not in repr(cursor.fetchone())


def test_only_the_latest_of_a_source_are_kept(source: Source, settings: Any) -> None:
    settings.HUB_REFUSALS_PER_SOURCE = 3
    others = create_source(name="Other", slug="other", actor="test")
    Refusal.objects.create(source=others, reason="x", headers=[], body=b"")
    for number in range(5):
        send(new_secret(), message_id=str(number))
    kept = Refusal.objects.filter(source=source).order_by("id")
    assert [dict(refusal.headers)["webhook-id"] for refusal in kept] == ["2", "3", "4"]
    assert Refusal.objects.filter(source=others).count() == 1


def test_what_is_kept_of_a_source_is_bounded_in_bytes(source: Source, settings: Any) -> None:
    send(new_secret(), message_id="0")
    size = Refusal.objects.get().size
    assert len(BODY) + 100 < size < len(BODY) + 2_000
    settings.HUB_REFUSAL_BYTES_PER_SOURCE = 3 * size
    for number in range(1, 5):
        send(new_secret(), message_id=str(number))
    kept = Refusal.objects.filter(source=source).order_by("id")
    assert [dict(refusal.headers)["webhook-id"] for refusal in kept] == ["2", "3", "4"]


def test_the_very_latest_is_kept_whatever_its_size(source: Source, settings: Any) -> None:
    settings.HUB_REFUSAL_BYTES_PER_SOURCE = 0
    for number in range(2):
        send(new_secret(), message_id=str(number))
    assert dict(Refusal.objects.get().headers)["webhook-id"] == "1"


def test_an_id_that_cannot_be_kept_is_refused_with_its_reason() -> None:
    create_source(name="Open", slug="open", actor="test")
    answer = Client().post("/in/open", b'{"id":"\\u0000"}', content_type="application/json")
    assert answer.status_code == 422
    assert answer.json() == {"detail": "The event id holds a control character or half a character."}
    assert Refusal.objects.get().reason == "identity-invalid"


def test_a_replaced_secret_is_dead_and_its_successor_alive_at_once(source: Source) -> None:
    assert send(SECRET, message_id="m1").status_code == 202
    successor = new_secret()
    update_source(source_id=source.id, secret=successor, actor="test")
    assert send(SECRET, message_id="m2").status_code == 401
    assert send(successor, message_id="m3").status_code == 202


def test_secrets_overlap_while_a_sender_rotates(source: Source) -> None:
    send(SECRET, message_id="m1")
    added = new_secret()
    add_secret(source_id=source.id, secret=added, actor="test")
    assert [send(SECRET, message_id="m2").status_code, send(added, message_id="m3").status_code] == [202, 202]
    expire_secret(secret_id=source.secrets.earliest("id").id, actor="test")
    assert [send(SECRET, message_id="m4").status_code, send(added, message_id="m5").status_code] == [401, 202]


def test_a_secret_dies_on_time_without_a_change(source: Source) -> None:
    expire_secret(secret_id=source.secrets.get().id, at=timezone.now() - timedelta(seconds=1), actor="test")
    assert send(SECRET).status_code == 401
    assert Refusal.objects.get().reason == "secret-missing"


def test_a_scheme_that_is_switched_on_holds_from_the_next_request(source: Source) -> None:
    update_source(source_id=source.id, scheme="none", actor="test")
    assert send(new_secret(), message_id="m1").status_code == 202
    update_source(source_id=source.id, scheme="standard-webhooks", actor="test")
    assert send(new_secret(), message_id="m2").status_code == 401


def test_a_repeat_under_a_dead_secret_is_refused_not_called_a_duplicate(source: Source) -> None:
    send(SECRET)
    update_source(source_id=source.id, secret=new_secret(), actor="test")
    assert send(SECRET).status_code == 401
