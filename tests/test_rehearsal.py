"""What the door would make of a request is told with settings that are not saved, and nothing is stored for it."""

import time
from typing import Any

import pytest
from django.test import Client

from tests import make
from webhooks.deciders.arrival import Arrival
from webhooks.deciders.standard import new_secret, sign
from webhooks.models import Event, EventKey, Refusal, Source
from webhooks.services.rehearse import Rehearsal, check_overrides, rehearse
from webhooks.services.sources import create_source

pytestmark = pytest.mark.django_db

BODY = b'{"id":"a","type":"t","user":{"id":"u1","v":7},"at":1767225600,"op":"o-1"}'
OVERRIDES = {
    "id_from": "join('-', [user.id, op])",
    "type_from": "header:x-kind",
    "operation_from": "op",
    "entity_from": "user.id",
    "version_from": "user.v",
    "time_from": "at",
}


@pytest.fixture
def source() -> Source:
    return create_source(name="S", slug="shop", actor="test")


def ask(source: Source, body: bytes = BODY, headers: dict[str, str] | None = None, **more: Any) -> Rehearsal:
    arrival = Arrival(
        method="POST", headers=headers or {}, body=body, query="", remote_address="", received_at=make.now()
    )
    return rehearse(source=source, arrival=arrival, now=make.now(), **more)


def test_every_part_of_its_identity_can_be_looked_for_elsewhere(source: Source) -> None:
    told = ask(source, headers={"x-kind": "user.changed"}, overrides=OVERRIDES)
    fact = told.events[0].fact
    assert (fact.external_id, fact.event_type, fact.operation_id) == ("u1-o-1", "user.changed", "o-1")
    assert (fact.entity, fact.entity_version) == ("u1", 7)
    assert fact.occurred_at is not None and fact.occurred_at.timestamp() == 1767225600
    source.refresh_from_db()
    assert (source.id_from, source.options) == ("", {})
    assert not Event.objects.exists() and not EventKey.objects.exists()


def test_saved_they_do_the_same_at_the_door(source: Source) -> None:
    options = {name: place for name, place in OVERRIDES.items() if name not in ("id_from", "type_from")}
    create_source(
        name="T",
        slug="saved",
        id_from=OVERRIDES["id_from"],
        type_from="header:x-kind",
        options=options,
        actor="t",
    )
    Client().post("/in/saved", BODY, content_type="text/plain", headers={"x-kind": "user.changed"})
    event = Event.objects.get()
    assert (event.external_id, event.event_type, event.operation_id) == ("u1-o-1", "user.changed", "o-1")
    assert (event.entity, event.entity_version) == ("u1", 7)
    assert event.occurred_at is not None and event.occurred_at.timestamp() == 1767225600


def test_a_known_id_is_told_with_its_event(source: Source) -> None:
    Client().post("/in/shop", BODY, content_type="text/plain")
    event = Event.objects.get()
    again, other = ask(source).events[0], ask(source, BODY + b" ").events[0]
    assert (again.seen, again.event_id) == ("duplicate", event.pk)
    assert (other.seen, other.event_id) == ("conflict", event.pk)
    assert EventKey.objects.get().duplicates == 0


def signed(secret: str, *, age_s: int = 0) -> dict[str, str]:
    at = int(time.time()) - age_s
    made = sign(secrets=[secret], message_id="m", timestamp=at, body=BODY)
    return {"webhook-id": "m", "webhook-timestamp": str(at), "webhook-signature": made}


def test_a_signature_is_judged_by_the_source_s_secrets_and_the_reason_told() -> None:
    secret = new_secret()
    made = create_source(name="S", slug="s", scheme="standard-webhooks", secret=secret, actor="test")
    good, bad = ask(made, headers=signed(secret)), ask(made, headers=signed(new_secret()))
    assert (good.verdict, good.verified_by) == ("verified", f"standard-webhooks …{secret[-4:]}")
    assert (bad.verdict, bad.reason) == ("refused", "signature-mismatch")
    assert bad.events[0].fact.external_id == "m"  # what it would hold, were it genuine
    stale = ask(made, headers=signed(secret, age_s=900))
    assert stale.reason == "timestamp-stale" and stale.sentence.endswith("Its signature fits.")
    assert ask(made, headers=signed(new_secret()), is_genuine=True).verdict == "assumed"
    assert not Refusal.objects.exists()


def test_a_batch_is_told_item_by_item() -> None:
    made = create_source(name="S", slug="s", scheme="microsoft-graph", secret="t", actor="test")
    body = b'{"value":[{"id":"a","clientState":"t"},{"id":"b","clientState":"t"}]}'
    assert [each.fact.external_id for each in ask(made, body).events] == ["a", "b"]


def test_a_handshake_is_told_as_one() -> None:
    made = create_source(name="S", slug="s", scheme="microsoft-graph", secret="t", actor="test")
    arrival = Arrival(
        method="POST",
        headers={},
        body=b"",
        query="validationToken=x",
        remote_address="",
        received_at=make.now(),
    )
    told = rehearse(source=made, arrival=arrival, now=make.now())
    assert (told.verdict, told.sentence) == (
        "handshake",
        "The handshake “msgraph”, answered with 200; no event.",
    )


@pytest.mark.parametrize("body", [b"[" * 10_000, b"\xff\xfe", b"", b"9" * 6_000, b'{"a":NaN}'])
def test_garbage_is_told_and_never_raises(source: Source, body: bytes) -> None:
    assert ask(source, body, overrides=OVERRIDES).events[0].fact.kind == "fingerprint"


def test_a_flaw_is_told_at_its_field(source: Source) -> None:
    flaws = check_overrides(
        source, {"id_from": "a.[", "entity_from": "header:", "time_from": "b.[", "type_from": ""}
    )
    assert set(flaws) == {"id_from", "entity_from", "time_from"}
    assert flaws["id_from"].startswith("The expression is not valid JMESPath")
