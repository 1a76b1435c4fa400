"""Refused requests over the API: listed, looked at with credentials masked, accepted after all."""

import time
from typing import Any

import pytest
from django.test import Client

from tests import make
from tests.answers import fields, sentence
from tests.callers import Caller, with_key
from webhooks.deciders.standard import new_secret, sign
from webhooks.ids import public_id
from webhooks.models import AuditEntry, Event, Refusal, Source
from webhooks.services.sources import add_secret, create_source

pytestmark = pytest.mark.django_db

HOME = "/api/v1/refusals"
SECRET, OTHER = new_secret(), new_secret()
BODY = b'{"type":"user.created"}'


@pytest.fixture
def caller() -> Caller:
    return with_key()


@pytest.fixture
def shop() -> Source:
    return create_source(name="Shop", slug="shop", scheme="standard-webhooks", secret=SECRET, actor="test")


def post(secret: str = OTHER, body: bytes = BODY, *, age_s: int = 0) -> None:
    at = int(time.time()) - age_s
    headers = {
        "webhook-id": "m1",
        "webhook-timestamp": str(at),
        "webhook-signature": sign(secrets=[secret], message_id="m1", timestamp=at, body=body),
        "authorization": "Bearer hush-hush",
    }
    Client().post("/in/shop?token=hush-hush", body, content_type="application/json", headers=headers)


def send(secret: str = OTHER, body: bytes = BODY, *, age_s: int = 0) -> Refusal:
    """What the door makes of a request that it does not take."""
    post(secret, body, age_s=age_s)
    return Refusal.objects.latest("id")


def home(refusal: Refusal, part: str = "") -> str:
    return f"{HOME}/{public_id('refusal', refusal.pk)}{part}"


def test_the_list_narrows_by_state_source_reason_and_senders_id(caller: Caller, shop: Source) -> None:
    mine = send()
    create_source(name="Till", slug="till", scheme="api-key", secret="k1", actor="test")
    Client().post("/in/till", b"{}", content_type="application/json")
    Refusal.objects.exclude(pk=mine.pk).update(accepted_at=make.now())
    for query in (
        "state=waiting",
        "source=shop",
        "reason=signature-mismatch",
        "claimed_id=m1",
        "source=shop&state=all",
        "source=shop&since=2026-01-01T00:00:00Z&until=2999-01-01T00:00:00Z",
    ):
        found = caller.get(f"{HOME}?{query}").json()["results"]
        assert [each["id"] for each in found] == [public_id("refusal", mine.pk)], query
    sizes = [len(caller.get(f"{HOME}?{each}").json()["results"]) for each in ("", "state=accepted")]
    assert sizes == [2, 1]
    brief = caller.get(f"{HOME}?source=shop").json()["results"][0]
    assert (brief["size"], brief["source"], brief["event"]) == (mine.size, "shop", None)
    assert not {"body", "headers"} & set(brief)


@pytest.mark.parametrize("query", ["state=lost", "source=nowhere", "reason=%00", "colour=red"])
def test_a_filter_that_makes_no_sense_is_named(caller: Caller, query: str) -> None:
    answer = caller.get(f"{HOME}?{query}")
    assert (answer.status_code, list(fields(answer))) == (400, [query.partition("=")[0]])


def test_one_is_shown_as_it_came_but_for_its_credentials(caller: Caller, shop: Source) -> None:
    refusal = send(body=b'{"type":"t","clientState":"hush-hush"}')
    answer = caller.get(home(refusal))
    told = answer.json()
    assert (told["reason"], told["query"]) == ("signature-mismatch", "token=••••••")
    assert told["body"] == '{"type":"t","clientState":"••••••"}'
    headers = {name.lower(): value for name, value in told["headers"]}
    assert (headers["authorization"], headers["webhook-id"]) == ("••••••", "m1")
    assert told["cause"].startswith("Usually the sender signs with a secret that this source does not hold")
    assert "hush-hush" not in answer.content.decode()


def test_bytes_that_are_no_text_come_in_base64(caller: Caller, shop: Source) -> None:
    told = caller.get(home(send(body=b"\xff\x00"))).json()
    assert (told["body"], told["body_base64"]) == (None, "/wA=")


def test_an_operator_alone_is_told_what_would_come_of_it(caller: Caller, shop: Source) -> None:
    refusal = send()
    assert caller.get(home(refusal)).json()["trial"]["prospect"] == "refused"
    add_secret(source_id=shop.pk, secret=OTHER, actor="test")
    assert caller.get(home(refusal)).json()["trial"] == {
        "prospect": "new",
        "sentence": f"It would be taken now by standard-webhooks …{OTHER[-4:]}: 1 event.",
        "needs_reason": False,
    }
    assert with_key("viewer").get(home(refusal)).json()["trial"] is None


def test_it_is_accepted_once_its_secret_is_known(caller: Caller, shop: Source) -> None:
    refusal = send()
    answer = caller.post(home(refusal, "/accept"))
    assert answer.status_code == 409
    assert sentence(answer).startswith("It would be refused again: ")
    assert (Event.objects.count(), Refusal.objects.get().accepted_at) == (0, None)
    add_secret(source_id=shop.pk, secret=OTHER, actor="test")
    answer = caller.post(home(refusal, "/accept"), {"reason": "the new secret was missing"})
    name = public_id("event", Event.objects.get().pk)
    assert (answer.status_code, answer.json()["event"]) == (200, name)
    assert answer.json()["detail"] == f"It is event {name} now."
    assert AuditEntry.objects.get(verb="accept").reason == "the new secret was missing"
    answer = caller.post(home(refusal, "/accept"))
    assert (answer.status_code, sentence(answer)) == (409, "It was accepted before.")
    assert Event.objects.count() == 1


def test_its_age_is_waived_with_a_reason_alone(caller: Caller, shop: Source) -> None:
    refusal = send(SECRET, age_s=4_000)
    assert caller.get(home(refusal)).json()["trial"]["needs_reason"] is True
    bodies: list[dict[str, Any]] = [
        {}, {"any_age": True}, {"any_age": True, "reason": " "}, {"as_own": True}, {"age": 1},
    ]  # fmt: skip
    refused = [caller.post(home(refusal, "/accept"), body).status_code for body in bodies]
    assert (refused, Event.objects.count()) == ([409, 400, 400, 400, 400], 0)
    answer = caller.post(home(refusal, "/accept"), {"any_age": True, "reason": "We were down."})
    assert answer.status_code == 200
    assert AuditEntry.objects.get(verb="accept").after["waived"] == ["age"]


def test_another_body_under_a_known_id_becomes_an_event_of_its_own(caller: Caller, shop: Source) -> None:
    post(SECRET)
    refusal = send(SECRET, b'{"type":"user.deleted"}')
    assert refusal.reason == "id-conflict"
    answer = caller.post(home(refusal, "/accept"), {"as_own": True, "reason": "Two facts."})
    assert (answer.status_code, Event.objects.count()) == (200, 2)


def test_none_is_discarded_here(caller: Caller, shop: Source) -> None:
    refusal = send()
    assert caller.post(home(refusal, "/discard"), {"reason": "x"}).status_code == 404
    assert caller.delete(home(refusal)).status_code == 405
    assert Refusal.objects.exists()
