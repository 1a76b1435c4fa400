"""One event's page: what came and who vouches for it, whether it was known, what caused it and what it caused."""

import hmac
import json
import re
import time
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from deliveries.models import Cascade
from tests import make
from tests.callers import browser
from webhooks.ids import parse_id, public_id
from webhooks.models import AuditEntry, Event, EventBody
from webhooks.services.sources import create_source

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def chief() -> Client:
    return browser(is_superuser=True)


def page(event: Event) -> str:
    return f"/admin/webhooks/event/{event.pk}/change/"


def text(answer: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


def test_a_payload_is_shown_to_whom_it_may_be_and_each_opening_is_recorded() -> None:
    event = make.event(b'{"order": 66}')
    EventBody.objects.update(headers=[["x-shop", "north"], ["authorization", "••••••"]])
    helper = browser("webhooks.view_event", "webhooks.view_payload", name="eve")
    shown = text(helper.get(page(event)))
    assert "order" in shown and "66" in shown and "north" in shown and "••••••" in shown
    assert list(AuditEntry.objects.values_list("actor", "verb", "object_id")) == [
        ("eve", "open_payload", public_id("event", event.pk))
    ]
    viewer = browser("webhooks.view_event", name="bob")
    hidden = viewer.get(page(event))
    assert "66" not in re.sub(r"<svg.*?</svg>", "", text(hidden)[text(hidden).index("What came") :])
    assert "north" not in text(hidden) and "x-shop" not in text(hidden)
    assert "shown to those who may see payloads" in text(hidden)
    assert AuditEntry.objects.count() == 1


def test_half_a_character_in_a_body_stays_the_escape_that_it_came_as(chief: Client) -> None:
    answer = chief.get(page(make.event(b'{"n":"\\ud800"}')))
    assert answer.status_code == 200
    assert "&quot;\\ud800&quot;" in answer.content.decode()


def test_a_body_that_is_a_script_is_text_and_one_of_bytes_is_a_hash(chief: Client) -> None:
    event = make.event(b'{"name": "<script>alert(2)</script>"}')
    assert "<script>alert(2)" not in chief.get(page(event)).content.decode()
    binary = make.event(bytes(range(256)))
    assert "256 bytes that are no text. SHA-256" in text(chief.get(page(binary)))
    assert '{"event_id"' in text(chief.get(page(make.event()) + "?raw=1")).replace("&quot;", '"')


def test_what_retention_dropped_is_said_and_the_page_stays(chief: Client) -> None:
    event = make.event()
    EventBody.objects.all().delete()
    assert "dropped by retention" in text(chief.get(page(event)))
    assert not AuditEntry.objects.exists()


def test_who_vouches_for_it_is_named_with_the_secret_and_its_clock(chief: Client) -> None:
    create_source(name="Shop", slug="shop", scheme="generic-hmac", secret="abcdefgh", actor="ada", options={
        "signature": "header:x-signature", "signed": "{ts}.{body}", "timestamp": "header:x-time",
    })  # fmt: skip
    event = make.event(verified_by="generic-hmac …efgh")
    EventBody.objects.update(headers=[["x-time", str(int(time.time()) - 40)]])
    shown = text(chief.get(page(event)))
    assert "HMAC, as filled in: verified by the secret that ends with efgh" in shown
    published = text(chief.get(page(make.event(verified_by="api-key"))))
    assert "Published over the API" in published
    assert "lets anyone send" in text(chief.get(page(make.event(verified_by="none"))))


def test_whether_it_was_known_is_told_with_its_repeats_and_conflicts(chief: Client) -> None:
    create_source(name="Shop", slug="shop", actor="ada")

    def send(**body: Any) -> None:
        Client().post("/in/shop", json.dumps({"event_id": "a", **body}), content_type="application/json")

    for more in ({}, {}, {"n": 1}):
        send(**more)
    answer = chief.get(page(Event.objects.get()))
    assert "Known by its event id" in text(answer) and "It came 1 time more" in text(answer)
    assert len(answer.context["conflicts"]) == 1
    assert "1 request came with this id and another body" in text(answer)
    Client().post("/in/shop", b"[1]", content_type="application/json")
    unnamed = Event.objects.exclude(external_id="a").get()
    assert "Known by its body fingerprint" in text(chief.get(page(unnamed)))


def test_a_body_that_came_before_under_another_id_is_pointed_out_where_no_id_is_signed(chief: Client) -> None:
    secret = "a secret of github"
    create_source(name="Forge", slug="forge", scheme="github", secret=secret, actor="ada")

    def send(name: str, body: bytes) -> Event:
        signature = f"sha256={hmac.new(secret.encode(), body, 'sha256').hexdigest()}"
        headers = {"x-github-delivery": name, "x-github-event": "push", "x-hub-signature-256": signature}
        answer = Client().post("/in/forge", body, content_type="application/json", headers=headers)
        return Event.objects.get(pk=parse_id("event", answer.json()["event"]))

    first, other = send("a", b'{"n": 1}'), send("b", b'{"n": 2}')
    again = send("c", b'{"n": 1}')
    assert [twin.event_id for twin in chief.get(page(again)).context["twins"]] == [first.pk]
    assert "under another id, and its sender signs no id" in text(chief.get(page(again)))
    assert [chief.get(page(each)).context["twins"] for each in (first, other)] == [[], []]


def test_what_didit_tells_twice_under_two_ids_are_two_events_of_which_the_later_says_so(
    chief: Client,
) -> None:
    secret, at = "a secret of didit", int(make.now().timestamp())
    create_source(name="Didit", slug="didit", scheme="didit", secret=secret, actor="ada")

    def send(**said: Any) -> Event:
        body = json.dumps(
            {"session_id": "s", "webhook_type": "status.updated", "timestamp": at} | said
        ).encode()
        signature = hmac.new(secret.encode(), body, "sha256").hexdigest()
        headers = {"x-signature": signature, "x-timestamp": str(said.get("timestamp", at))}
        answer = Client().post("/in/didit", body, content_type="application/json", headers=headers)
        return Event.objects.get(pk=parse_id("event", answer.json()["event"]))

    first, other = send(event_id="1", status="Approved"), send(event_id="2", status="Declined")
    again = send(event_id="3", status="Approved", timestamp=at + 1)
    assert [twin.event_id for twin in chief.get(page(again)).context["twins"]] == [first.pk]
    assert "its sender may have told one fact twice" in text(chief.get(page(again)))
    assert [chief.get(page(each)).context["twins"] for each in (first, other)] == [[], []]


def test_cause_and_effects_are_links(chief: Client) -> None:
    to, root = make.subscription(name="ERP core"), make.event(type="order.placed", state="routed")
    cause = make.delivery(to, root)
    child = make.event(
        type="invoice.issued", state="routed", cause_id=cause.pk, trace_id=root.trace_id, depth=1
    )
    Cascade.objects.create(trace_id=root.trace_id, root=root, events=2, depth=1)
    shown = chief.get(page(child)).content.decode()
    assert f"/admin/deliveries/delivery/{cause.pk}/change/" in shown
    assert f"/admin/deliveries/cascade/{root.trace_id}/change/" in shown
    assert page(child) in chief.get(page(root)).content.decode()


def test_a_delivery_of_a_cascade_leads_to_it(chief: Client) -> None:
    root = make.event(type="order.placed", state="routed")
    delivery = make.delivery(make.subscription(), root)
    address = f"/admin/deliveries/delivery/{delivery.pk}/change/"
    assert chief.get(address).context["cascade"] is None
    Cascade.objects.create(trace_id=root.trace_id, root=root, events=2, depth=1)
    assert f"/admin/deliveries/cascade/{root.trace_id}/change/" in chief.get(address).content.decode()


def test_the_page_asks_as_much_for_one_delivery_as_for_thirty(chief: Client) -> None:
    event = make.event(state="routed")

    def asked() -> int:
        chief.get(page(event))
        with CaptureQueriesContext(connection) as queries:
            chief.get(page(event))
        return len(queries)

    make.delivery(make.subscription(name="0"), event)
    few = asked()
    for number in range(1, 30):
        make.delivery(make.subscription(name=str(number)), event)
    assert asked() == few


def test_an_event_that_does_not_exist_is_404_whatever_stands_in_the_address(chief: Client) -> None:
    for key in ("x", "evt_" + "0" * 32, "%00"):
        assert chief.get(f"/admin/webhooks/event/{key}/change/").status_code == 404
