"""A subscription may ask for CloudEvents: the same facts, structured, signed over what is sent."""

import base64
import json
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Any

import pytest

from deliveries.deciders.cloudevents import NO_TYPE, Told, source_of, wrap
from deliveries.services import ping, subscriptions
from tests import make
from tests.callers import with_key
from tests.endpoints import Endpoint, Request, answers, takes_turns
from tests.running import dispatchers
from webhooks.deciders import standard
from webhooks.ids import public_id

AT = datetime(2026, 1, 1, 12, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def loopback(settings: Any) -> None:
    settings.HUB_EGRESS_ALLOW = [ip_network("127.0.0.0/8")]


TOLD = Told(event_type="order.placed", source="/in/shop", at=AT, entity="order-7")


def put(body: bytes, content_type: str = "application/json", told: Told = TOLD) -> dict[str, Any]:
    wrapped = wrap(message_id="dlv_1", told=told, body=body, content_type=content_type)
    read: dict[str, Any] = json.loads(wrapped)
    return read


def test_the_attributes_say_what_the_row_says() -> None:
    assert put(b'{"n":1}') == {
        "specversion": "1.0",
        "id": "dlv_1",
        "source": "/in/shop",
        "type": "order.placed",
        "time": "2026-01-01T12:30:00Z",
        "subject": "order-7",
        "datacontenttype": "application/json",
        "data": {"n": 1},
    }


def test_json_stays_byte_for_byte_what_it_was() -> None:
    body = '{"price": 1.10, "big":12345678901234567890123, "é":"\\u00e9"}'.encode()
    assert wrap(message_id="dlv_1", told=TOLD, body=body, content_type="application/json").endswith(
        b',"data":' + body + b"}"
    )


def test_text_is_data_and_bytes_are_base64() -> None:
    text = put(b"a=1&b=2", "application/x-www-form-urlencoded")
    assert (text["data"], text["datacontenttype"]) == ("a=1&b=2", "application/x-www-form-urlencoded")
    raw = put(b"\xff\xfe", "")
    assert base64.b64decode(raw["data_base64"]) == b"\xff\xfe"
    assert "data" not in raw and "datacontenttype" not in raw


def test_an_event_without_a_type_or_a_subject_is_one_all_the_same() -> None:
    plain = put(b"1", told=Told(event_type="", source="/in/shop", at=AT))
    assert (plain["type"], "subject" in plain) == (NO_TYPE, False)


def test_the_source_is_where_such_events_come_in() -> None:
    assert source_of("https://hub.example.com/", "shop") == "https://hub.example.com/in/shop"
    assert source_of("", "shop") == "/in/shop"


def signed(secret: str, request: Request) -> bool:
    return standard.verify(
        secrets=[secret],
        message_id=request.headers["webhook-id"],
        timestamp=request.headers["webhook-timestamp"],
        signature=request.headers["webhook-signature"],
        body=request.body,
        now=float(request.headers["webhook-timestamp"]),
    ).is_valid


@pytest.mark.django_db(transaction=True)
def test_it_is_sent_signed_as_it_is_and_the_same_on_every_attempt() -> None:
    with Endpoint(takes_turns(answers(500), answers(200))) as endpoint, dispatchers():
        made = subscriptions.create_subscription(
            subscriber=make.subscriber(), actor="ada", name="hook", url=endpoint.url, event_types=["*"],
            format="cloudevents", transform="{who: data.name}", retry_first_s=0.01,
        )  # fmt: skip
        event = make.event(entity="user-1")
        first, second = endpoint.wait_for(2)
    assert first.headers["content-type"] == "application/cloudevents+json"
    read = json.loads(first.body)
    assert read["data"] == {"who": "Ada"}
    assert (read["id"], read["type"], read["source"], read["subject"]) == (
        first.headers["webhook-id"], "user.created", "/in/shop", "user-1",
    )  # fmt: skip
    assert datetime.fromisoformat(read["time"]) == event.received_at
    assert first.body == second.body
    assert signed(made.secret, first) and signed(made.secret, second)


@pytest.mark.django_db(transaction=True)
def test_a_test_has_the_form_that_its_subscription_wants() -> None:
    with Endpoint(answers(200)) as endpoint:
        subscription = make.subscription(endpoint.url, format="cloudevents")
        ping.ping_endpoint(subscription_id=subscription.pk, actor="ada")
    read = json.loads(endpoint.requests[0].body)
    assert (read["type"], read["data"]["event_type"]) == ("weir.test", "weir.test")


@pytest.mark.django_db
def test_the_form_is_set_over_the_api_and_what_is_no_form_is_refused() -> None:
    subscription = make.subscription()
    home = f"/api/v1/subscriptions/{public_id('subscription', subscription.pk)}"
    assert with_key().patch(home, {"format": "cloudevents"}).json()["format"] == "cloudevents"
    assert with_key().patch(home, {"format": "xml"}).status_code == 400
