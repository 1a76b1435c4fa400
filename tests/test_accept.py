"""A refused request is taken after all: as at the door, by today's secrets, once, and with a record of who did it."""

import base64
import hmac
import json
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connections
from django.test import Client
from django.utils import timezone

from tests import make
from webhooks.deciders.standard import new_secret, sign
from webhooks.ids import public_id
from webhooks.models import AuditEntry, Event, EventBody, EventKey, Refusal, Source
from webhooks.services.accept import Acceptance, Prospect, accept, try_again
from webhooks.services.publications import Said
from webhooks.services.publish import publish
from webhooks.services.sources import add_secret, create_source, update_source

pytestmark = pytest.mark.django_db

SECRET, OTHER = new_secret(), new_secret()
BODY = b'{"type":"user.created"}'


@pytest.fixture
def shop() -> Source:
    return create_source(name="Shop", slug="shop", scheme="standard-webhooks", secret=SECRET, actor="test")


def send(secret: str = OTHER, *, message_id: str = "m1", body: bytes = BODY, age_s: int = 0) -> int:
    at = int(time.time()) - age_s
    signature = sign(secrets=[secret], message_id=message_id, timestamp=at, body=body)
    headers = {"webhook-id": message_id, "webhook-timestamp": str(at), "webhook-signature": signature}
    answer = Client().post("/in/shop", body, content_type="application/json", headers=headers)
    return answer.status_code


def latest() -> Refusal:
    return Refusal.objects.select_related("source").latest("id")


def prospect() -> Prospect:
    return try_again(latest(), now=timezone.now()).prospect


def take(pk: UUID | None = None, **more: Any) -> Acceptance:
    return accept(refusal_id=pk or latest().pk, actor="ada", **more)


def mend(source: Source) -> None:
    add_secret(source_id=source.pk, secret=OTHER, actor="test")


class TestMended:
    def test_it_becomes_the_event_that_the_door_would_have_made(self, shop: Source) -> None:
        assert send() == 401
        mend(shop)
        assert prospect() is Prospect.NEW
        taken = take()
        event, refusal = Event.objects.get(), latest()
        assert taken == Acceptance(
            is_done=True, sentence=f"It is event {public_id('event', event.pk)} now.", event_id=event.pk
        )
        assert (event.external_id, event.event_type, event.state) == ("m1", "user.created", "received")
        assert event.verified_by == f"standard-webhooks …{OTHER[-4:]}"
        assert event.received_at == refusal.received_at
        assert bytes(EventBody.objects.get().body) == BODY
        assert refusal.event == event and refusal.accepted_at is not None

    def test_the_act_is_recorded_with_who_why_and_what_came_of_it(self, shop: Source) -> None:
        send()
        mend(shop)
        take(reason="the new secret was missing")
        entry = AuditEntry.objects.get(verb="accept")
        assert (entry.actor, entry.reason) == ("ada", "the new secret was missing")
        assert entry.object_id == public_id("refusal", latest().pk)
        assert entry.before["reason"] == "signature-mismatch"
        assert entry.after["events"] == [public_id("event", Event.objects.get().pk)]

    def test_a_second_time_is_told_and_makes_nothing(self, shop: Source) -> None:
        send()
        mend(shop)
        take()
        assert take() == Acceptance(is_done=False, sentence="It was accepted before.")
        assert (Event.objects.count(), AuditEntry.objects.filter(verb="accept").count()) == (1, 1)

    def test_what_the_sender_sent_again_meanwhile_is_not_made_twice(self, shop: Source) -> None:
        send()
        mend(shop)
        assert send() == 202
        assert prospect() is Prospect.DUPLICATE
        event = Event.objects.get()
        assert take().sentence == f"Its event was here already, as {public_id('event', event.pk)}."
        assert latest().event == event and Event.objects.count() == 1

    def test_a_credential_that_was_sealed_is_verified_again(self) -> None:
        made = create_source(name="S", slug="shop", scheme="api-key", secret="old", actor="test")
        Client().post("/in/shop", b"{}", content_type="application/json", headers={"x-api-key": "new-key"})
        add_secret(source_id=made.pk, secret="new-key", actor="test")
        assert take().is_done
        assert dict(EventBody.objects.get().headers)["x-api-key"] == "••••••"

    def test_a_batch_becomes_all_of_its_events(self) -> None:
        made = create_source(name="S", slug="shop", scheme="microsoft-graph", secret="old", actor="test")
        items = [{"id": each, "clientState": "new", "changeType": "created"} for each in "ab"]
        Client().post("/in/shop", json.dumps({"value": items}), content_type="application/json")
        add_secret(source_id=made.pk, secret="new", actor="test")
        assert take().sentence == "It is 2 events now."
        assert set(Event.objects.values_list("external_id", flat=True)) == {"a", "b"}


class TestNotMended:
    def test_a_bad_signature_is_refused_again_whatever_is_waived(self, shop: Source) -> None:
        send()
        assert prospect() is Prospect.REFUSED
        told = take(any_age=True, as_own=True, reason="I insist")
        assert not told.is_done
        assert told.sentence == (
            "It would be refused again: The signature fits none of this source's live secrets."
        )
        assert not Event.objects.exists() and latest().accepted_at is None
        assert not AuditEntry.objects.filter(verb="accept").exists()

    def test_a_secret_that_was_live_then_and_is_not_now_counts_for_nothing(self, shop: Source) -> None:
        send(SECRET, age_s=400)
        update_source(source_id=shop.pk, secret=OTHER, actor="test")
        assert prospect() is Prospect.REFUSED

    def test_a_handshake_is_over(self) -> None:
        made = create_source(name="S", slug="shop", scheme="intercom", secret="old", actor="test")
        body = b'{"topic":"ping"}'
        headers = {"x-hub-signature": "sha1=" + hmac.new(b"new", body, "sha1").hexdigest()}
        Client().post("/in/shop", body, content_type="application/json", headers=headers)
        add_secret(source_id=made.pk, secret="new", actor="test")
        assert prospect() is Prospect.HANDSHAKE
        assert not take().is_done and not Event.objects.exists()

    def test_a_disabled_source_takes_nothing(self, shop: Source) -> None:
        send()
        mend(shop)
        update_source(source_id=shop.pk, is_enabled=False, actor="test")
        assert take().sentence == "Its source is disabled: enable it first."
        assert latest().accepted_at is None


class TestAge:
    def test_what_was_fresh_when_it_came_is_not_stale_because_a_person_took_a_day(self, shop: Source) -> None:
        send(age_s=86_400)
        Refusal.objects.update(received_at=make.now() - timedelta(seconds=86_400))
        mend(shop)
        assert prospect() is Prospect.NEW
        assert take().is_done

    def test_what_was_stale_when_it_came_needs_a_waiver_and_a_reason(self, shop: Source) -> None:
        send(SECRET, age_s=400)
        assert latest().reason == "timestamp-stale"
        assert prospect() is Prospect.STALE
        told = take()
        assert not told.is_done
        assert re.search(r"40[0-2] s behind this hub's clock; 300 s are allowed", told.sentence)
        assert take(any_age=True).sentence == "Say why: a waiver needs a reason."
        assert not Event.objects.exists()
        assert take(any_age=True, reason="their clock was wrong").is_done
        assert AuditEntry.objects.get(verb="accept").after["waived"] == ["age"]


class TestConflicts:
    @pytest.fixture(autouse=True)
    def conflicting(self, shop: Source) -> None:
        send(SECRET)
        send(SECRET, body=b'{"type":"user.deleted"}')
        assert latest().reason == "id-conflict"

    def test_it_is_never_taken_without_saying_so(self) -> None:
        assert prospect() is Prospect.CONFLICT
        told = take()
        assert not told.is_done and "another body" in told.sentence
        assert (Event.objects.count(), EventKey.objects.get().conflicts) == (1, 1)

    def test_it_becomes_an_event_of_its_own_under_the_same_sender_s_id(self) -> None:
        first = Event.objects.get()
        assert take(as_own=True, reason="they reuse ids").is_done
        both = Event.objects.order_by("id")
        assert [event.external_id for event in both] == ["m1", "m1"]
        assert [event.event_type for event in both] == ["user.created", "user.deleted"]
        assert latest().event == both[1] != first

    def test_the_same_conflict_accepted_twice_is_one_event(self) -> None:
        send(SECRET, body=b'{"type":"user.deleted"}')
        for refusal in Refusal.objects.all():
            take(refusal.pk, as_own=True, reason="they reuse ids")
        assert Event.objects.count() == 2
        assert not Refusal.objects.filter(accepted_at=None).exists()


def test_an_address_of_any_length_is_judged_again_whole_where_it_is_signed() -> None:
    address = "https://hub.example/in/square"
    square = create_source(
        name="Square",
        slug="square",
        scheme="square",
        secret="old",
        options={"public_url": address},
        actor="test",
    )
    query, body = f"a={'b' * 2_500}", b'{"event_id":"e1","type":"t"}'
    signature = hmac.digest(b"new", f"{address}?{query}".encode() + body, "sha256")
    headers = {"x-square-hmacsha256-signature": base64.b64encode(signature).decode()}
    answer = Client().post(f"/in/square?{query}", body, content_type="application/json", headers=headers)
    assert (answer.status_code, latest().query) == (401, query[:2_000])
    add_secret(source_id=square.pk, secret="new", actor="test")
    assert take().is_done
    assert Event.objects.get().external_id == "e1"


def test_a_conflict_that_was_published_over_the_api_is_taken_without_a_signature(shop: Source) -> None:
    for data in ({"amount": 1}, {"amount": 2}):
        publish(Said(source=shop, event_id="a1", event_type="order.paid", data=data))
    assert prospect() is Prospect.CONFLICT
    assert take(as_own=True, reason="both are true").is_done
    event = Event.objects.latest("id")
    assert (event.external_id, event.event_type, event.verified_by) == ("a1", "order.paid", "api-key")


@pytest.mark.django_db(transaction=True)
def test_8_people_at_once_make_one_event() -> None:
    source = make.source("shop")
    refusal = Refusal.objects.create(source=source, reason="x", headers=[], body=b'{"id":"a"}')
    start = threading.Barrier(8)

    def one(_: int) -> Acceptance:
        try:
            start.wait()
            return take(refusal.pk)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(one, range(8)))
    assert sum(each.is_done for each in told) == 1
    assert {each.sentence for each in told if not each.is_done} == {"It was accepted before."}
    assert (Event.objects.count(), AuditEntry.objects.filter(verb="accept").count()) == (1, 1)
