"""The jump box: a pasted id leads to its thing, several to a list, none to a sentence; and it never scans."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext

from deliveries.models import (
    Alert,
    AlertChannel,
    AlertRule,
    Attempt,
    DeadLetter,
    Delivery,
    Issue,
    Notice,
    Replay,
    Subscription,
)
from deliveries.services.dead_letters import Death, bury
from deliveries.services.notices import notify
from hub import jump
from tests import alerting, make
from tests.callers import browser
from webhooks.ids import PREFIXES, public_id, uuid7
from webhooks.models import ApiKey, Event, EventType, Refusal, Source, Subscriber
from webhooks.services.keys import create_api_key

pytestmark = pytest.mark.django_db

GO = "/admin/go/"


@pytest.fixture
def chief() -> Client:
    return browser(is_superuser=True)


@pytest.fixture
def delivery() -> Delivery:
    return make.delivery(make.subscription(), make.event(state="routed", external_id="ord-1"))


def one_of_each(delivery: Delivery) -> dict[str, Model]:
    to = delivery.subscription
    Delivery.objects.filter(pk=delivery.pk).update(state="dead", due_at=None)
    death = Death(
        delivery_id=delivery.pk, subscription_id=to.pk, reason="exhausted", fingerprint="v1:1", status=503, error=""
    )  # fmt: skip
    bury(deaths=[death], now=make.now())
    notify(kind="x", object_kind="subscription", object_id=to.pk, text="look")
    key, _ = create_api_key(role="viewer", name="reader")
    return {
        "source": delivery.source,
        "event": delivery.event,
        "eventtype": EventType.objects.create(name="order.placed"),
        "refusal": Refusal.objects.create(source=delivery.source, reason="too-large", headers=[], body=b""),
        "subscriber": to.subscriber,
        "apikey": key,
        "subscription": to,
        "delivery": delivery,
        "attempt": Attempt.objects.create(
            delivery=delivery, number=1, phase=0, started_at=make.now(), duration_ms=5, outcome="ok"
        ),
        "deadletter": DeadLetter.objects.get(),
        "issue": Issue.objects.get(),
        "replay": Replay.objects.create(ordered_by="ada"),
        "notice": Notice.objects.get(),
        "alert": Alert.objects.create(rule="success", summary="It fails."),
        "alertrule": alerting.rule("one-more"),
        "alertchannel": alerting.channel(),
    }


def test_every_prefix_has_its_model() -> None:
    assert set(jump.MODELS) == set(PREFIXES)
    assert set(jump.MODELS.values()) == {
        Alert, AlertChannel, AlertRule, ApiKey, Attempt, DeadLetter, Delivery, Event, EventType, Issue, Notice, Refusal,
        Replay, Source, Subscriber, Subscription,
    }  # fmt: skip


@pytest.mark.parametrize("kind", PREFIXES)
def test_a_public_id_goes_straight_to_its_thing(chief: Client, delivery: Delivery, kind: str) -> None:
    row = one_of_each(delivery)[kind]
    answer = chief.get(GO, {"q": public_id(kind, row.pk)})
    place = f"/admin/{row._meta.app_label}/{row._meta.model_name}/{row.pk}/"
    address = place if kind == "replay" else f"{place}change/"  # a replay's page has a short address
    assert (answer.status_code, answer["Location"]) == (302, address)


SPELLINGS: dict[str, Callable[[Delivery], str]] = {
    "dashed": lambda delivery: str(delivery.pk),
    "bare": lambda delivery: delivery.pk.hex,
    "capitals": lambda delivery: public_id("delivery", delivery.pk).upper(),
    "spaces": lambda delivery: f"  {public_id('delivery', delivery.pk)}\n",
    "quotes": lambda delivery: f'"{public_id("delivery", delivery.pk)}"',
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_it_is_found_however_it_was_copied(chief: Client, delivery: Delivery, spelling: str) -> None:
    answer = chief.get(GO, {"q": SPELLINGS[spelling](delivery)})
    assert answer["Location"] == f"/admin/deliveries/delivery/{delivery.pk}/change/"


def test_a_sender_s_id_goes_to_its_event(chief: Client, delivery: Delivery) -> None:
    assert chief.get(GO, {"q": "ord-1"})["Location"] == f"/admin/webhooks/event/{delivery.event_id}/change/"


def test_a_sender_s_id_may_look_like_one_of_ours(chief: Client) -> None:
    event = make.event(external_id="evt_1Nx4aVGw")
    assert chief.get(GO, {"q": "evt_1Nx4aVGw"})["Location"] == f"/admin/webhooks/event/{event.pk}/change/"
    same = make.event(external_id=str(event.pk))
    page = chief.get(GO, {"q": str(event.pk)}).content.decode()
    assert public_id("event", event.pk) in page and public_id("event", same.pk) in page


def test_several_are_listed_the_newest_first(chief: Client) -> None:
    events = [make.event(external_id="ord-1", source=make.source(slug)) for slug in ("shop", "erp")]
    answer = chief.get(GO, {"q": "ord-1"})
    assert [each.id for each in answer.context["found"]] == [
        public_id("event", each.pk) for each in reversed(events)
    ]
    assert "2 events have this id" in answer.content.decode()


@pytest.mark.parametrize(
    ("term", "sentence"),
    [
        (f"dlv_{'0' * 32}", "a delivery with this id, and an event with this id at its sender"),
        (f"att_{'0' * 32}", "an attempt with this id, and an event with this id at its sender"),
        ("0" * 32, "anything with this id, and an event with this id at its sender"),
        ("dlv_12", "an event with this id at its sender"),
        ("order 66", "an event with this id at its sender"),
        ("x" * 501, "an event with this id at its sender"),
        ("a\x00b", "an event with this id at its sender"),
    ],
)
def test_nothing_is_said_plainly(chief: Client, term: str, sentence: str) -> None:
    answer = chief.get(GO, {"q": term})
    assert answer.status_code == 200
    assert f"Weir looked for {sentence}: " in answer.content.decode()


def test_without_a_term_it_says_what_may_be_pasted(chief: Client) -> None:
    page = chief.get(GO).content.decode()
    assert "Paste an id" in page and "Weir looked for" not in page


def test_a_term_is_text_on_the_page(chief: Client) -> None:
    page = chief.get(GO, {"q": "<script>alert(1)</script>"}).content.decode()
    assert "<script>alert(1)" not in page and "&lt;script&gt;alert(1)" in page


def test_what_one_may_not_see_is_as_if_it_were_not_there(delivery: Delivery) -> None:
    client = browser("webhooks.view_source")
    for term in (public_id("delivery", delivery.pk), str(delivery.pk), "ord-1"):
        answer = client.get(GO, {"q": term})
        assert answer.status_code == 200
        assert "There is none that you may see." in answer.content.decode()
    assert client.get(GO, {"q": public_id("source", delivery.source_id)}).status_code == 302


def test_a_stranger_is_sent_to_the_door(client: Client, delivery: Delivery) -> None:
    answer = client.get(GO, {"q": str(delivery.pk)})
    assert answer["Location"] == f"/admin/login/?next=/admin/go/%3Fq%3D{delivery.pk}"


def test_it_cannot_be_posted(chief: Client) -> None:
    assert chief.post(GO, {"q": "x"}).status_code == 405


def test_it_asks_by_equality_and_no_oftener_for_more(chief: Client) -> None:
    asked = []
    for more in (10, 60):
        for _ in range(more):
            make.event(external_id="ord-1")
        with CaptureQueriesContext(connection) as captured:
            found = chief.get(GO, {"q": "ord-1"}).context["found"]
        asked.append(len(captured))
    assert asked[0] == asked[1]
    assert len(found) == jump.MOST
    sql = [each["sql"] for each in captured if "external_id" in each["sql"]]
    assert len(sql) == 1 and "LIKE" not in sql[0].upper()


def test_a_bare_uuid_is_one_question_a_kind(chief: Client, django_assert_num_queries: Callable) -> None:
    with django_assert_num_queries(len(PREFIXES) + 4):
        assert jump.find(str(uuid7()), may=lambda model: True) == []
