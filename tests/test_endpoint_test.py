"""A person tests an endpoint: one signed ping, shown and audited, that is no delivery and no attempt."""

import json
from datetime import datetime
from ipaddress import ip_network
from typing import Any

import pytest
import standardwebhooks
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from deliveries.dispatcher.client import Client as Sender
from deliveries.dispatcher.client import Exchange
from deliveries.models import Attempt, Delivery, Lane, Subscription, SubscriptionSecret
from deliveries.services import ping
from deliveries.services.holds import Refused
from deliveries.services.ping import PingAnswer, ping_endpoint
from tests import make
from tests.callers import browser, with_key
from tests.endpoints import Behaviour, Endpoint, answers, never_answers
from webhooks.deciders.redaction import MASK
from webhooks.ids import public_id
from webhooks.models import AuditEntry

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def loopback(settings: Settings) -> None:
    settings.HUB_EGRESS_ALLOW = [ip_network("127.0.0.0/8")]


def sent(to: Subscription) -> PingAnswer:
    return ping_endpoint(subscription_id=to.pk, actor="ada", reason="is it back?")


def tried(behaviour: Behaviour, **options: Any) -> PingAnswer:
    with Endpoint(behaviour) as endpoint:
        return sent(make.subscription(endpoint.url, **options))


def test_one_signed_ping_goes_out_and_its_answer_is_told() -> None:
    with Endpoint(answers(200, {"x-by": "nginx"}, b"thanks")) as endpoint:
        to = make.subscription(endpoint.url, transform="data", headers='{"x-team": "billing"}')
        answer = sent(to)
    (request,) = endpoint.requests
    body = standardwebhooks.Webhook(to.secrets.get().sealed).verify(request.body, request.headers)
    name = request.headers["webhook-id"]
    assert name.startswith("test_")
    assert body == {
        "event_id": name,
        "event_type": "weir.test",
        "timestamp": body["timestamp"],
        "data": {"subscription": public_id("subscription", to.pk), "test": name},
    }
    at = datetime.fromisoformat(body["timestamp"])
    assert int(at.timestamp()) == int(request.headers["webhook-timestamp"])
    assert (request.headers["x-team"], request.headers["weir-attempt"]) == ("billing", "1")
    assert request.headers["content-type"] == "application/json"
    assert (answer.outcome, answer.status, answer.error, answer.is_truncated) == ("ok", 200, "", False)
    assert (answer.response_body, answer.request_body) == (b"thanks", request.body)
    assert ("x-by", "nginx") in answer.response_headers
    assert answer.sentence == f"The endpoint answered 200 (ok) after {answer.duration_ms} ms."


def test_a_test_is_audited_and_is_no_delivery() -> None:
    with Endpoint(answers(500)) as endpoint:
        to = make.subscription(endpoint.url)
        before = Lane.objects.values().get()
        answer = sent(to)
    assert not Delivery.objects.exists() and not Attempt.objects.exists()
    assert Lane.objects.values().get() == before
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.verb, entry.reason) == ("ada", "test", "is it back?")
    assert entry.after == {"outcome": "server_error", "status": 500, "duration_ms": answer.duration_ms}


@pytest.mark.parametrize("state", [{"hold": "paused"}, {"hold": "disabled"}, {"circuit": "open"}])
def test_it_works_whatever_the_lane_is_doing(state: dict[str, str]) -> None:
    with Endpoint(answers(204)) as endpoint:
        to = make.subscription(endpoint.url)
        Lane.objects.update(**state)
        assert sent(to).outcome == "ok"
    now = Lane.objects.get()
    assert {name: getattr(now, name) for name in state} == state


def test_a_410_to_a_test_disables_nobody() -> None:
    assert tried(answers(410)).outcome == "gone"
    assert Lane.objects.get().hold == ""


@pytest.mark.parametrize(
    ("circuit", "hold", "status", "is_ordered"),
    [
        ("open", "", 200, True),
        ("open", "", 500, False),
        ("open", "", 404, False),
        ("open", "paused", 200, False),
        ("open", "disabled", 200, False),
        ("closed", "", 200, False),
        ("half_open", "", 200, False),
        ("recovering", "", 200, False),
    ],
)
def test_a_2xx_from_behind_an_open_circuit_orders_a_probe(
    circuit: str, hold: str, status: int, is_ordered: bool
) -> None:
    with Endpoint(answers(status)) as endpoint:
        to = make.subscription(endpoint.url)
        Lane.objects.update(circuit=circuit, hold=hold)
        answer = sent(to)
    assert answer.has_ordered_probe is is_ordered
    assert ("A probe was ordered" in answer.sentence) is is_ordered
    assert Lane.objects.get().order == ("probe" if is_ordered else "")
    assert AuditEntry.objects.filter(verb="probe", reason=ping.PROBE_REASON).count() == is_ordered


def test_credentials_are_masked_on_both_sides() -> None:
    answer = tried(
        answers(200, {"set-cookie": "session=s3cret"}),
        headers='{"X-Team": "s3cret", "authorization": "s3cret"}',
    )
    assert (answer.request_headers["X-Team"], answer.request_headers["authorization"]) == (MASK, MASK)
    assert ("set-cookie", MASK) in answer.response_headers
    assert "s3cret" not in str(answer)


@pytest.mark.parametrize(("own", "limit_s"), [(0.1, 0.1), (10, 10), (30, 10)])
def test_nobody_waits_longer_than_ten_seconds(
    monkeypatch: pytest.MonkeyPatch, own: float, limit_s: float
) -> None:
    asked: list[float] = []
    send = Sender.send

    async def hasty(self: Sender, *, timeout_s: float, **request: Any) -> Exchange:
        asked.append(timeout_s)
        return await send(self, timeout_s=0.05, **request)

    monkeypatch.setattr(Sender, "send", hasty)
    answer = tried(never_answers, timeout_s=own)
    assert (answer.outcome, answer.status, asked) == ("timeout", None, [limit_s])
    assert answer.sentence.startswith("The endpoint did not answer (timeout) after ")


def test_a_private_address_is_refused_as_for_a_delivery(settings: Settings) -> None:
    settings.HUB_EGRESS_ALLOW = []
    with Endpoint(answers(200)) as endpoint:
        answer = sent(make.subscription(endpoint.url))
    assert (answer.outcome, endpoint.accepted) == ("blocked", 0)
    assert answer.error == "The address 127.0.0.1 is loopback; HUB_EGRESS_ALLOW does not list it."


def test_what_cannot_be_signed_is_refused(settings: Settings) -> None:
    with Endpoint(answers(200)) as endpoint:
        to = make.subscription(endpoint.url)
        settings.HUB_ENCRYPTION_KEYS = ["A" * 43 + "="]
        with pytest.raises(Refused, match="HUB_ENCRYPTION_KEYS"):
            sent(to)
    assert (endpoint.accepted, AuditEntry.objects.count()) == (0, 0)


def test_a_test_can_be_made_again_after_one_that_was_refused(settings: Settings) -> None:
    keys, to = settings.HUB_ENCRYPTION_KEYS, make.subscription()
    settings.HUB_ENCRYPTION_KEYS = ["A" * 43 + "="]
    with pytest.raises(Refused):
        sent(to)
    settings.HUB_ENCRYPTION_KEYS = keys
    assert sent(to).outcome == "refused"


def test_one_at_a_time() -> None:
    with Endpoint(answers(200)) as endpoint:
        to = make.subscription(endpoint.url)
        with ping._turn, pytest.raises(ping.Busy, match="Another test is under way"):
            sent(to)
        assert (endpoint.accepted, AuditEntry.objects.count()) == (0, 0)
        assert sent(to).outcome == "ok"


@pytest.mark.django_db(transaction=True)
def test_no_transaction_is_open_while_it_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    within: list[bool] = []
    send = Sender.send

    async def watched(self: Sender, **request: Any) -> Exchange:
        within.append(connection.in_atomic_block)
        return await send(self, **request)

    monkeypatch.setattr(Sender, "send", watched)
    with Endpoint(answers(200)) as endpoint:
        to = make.subscription(endpoint.url)
        assert rest(to).status_code == 200
        client = browser(is_superuser=True)
        assert client.post(reverse("admin:deliveries_subscription_test", args=[to.pk])).status_code == 200
    assert within == [False, False]


def rest(to: Subscription) -> Any:
    return with_key().post(
        f"/api/v1/subscriptions/{public_id('subscription', to.pk)}/test", {"reason": "drill"}
    )


def test_over_rest_the_answer_comes_back() -> None:
    with Endpoint(answers(503, {"x-by": "nginx"}, b"\xff</html>")) as endpoint:
        answer = rest(make.subscription(endpoint.url))
    shown = answer.json()
    took = shown["duration_ms"]
    assert answer.status_code == 200
    assert shown["detail"] == f"The endpoint answered 503 (server_error) after {took} ms."
    assert (shown["outcome"], shown["status"], shown["error"]) == ("server_error", 503, "")
    assert shown["probe_ordered"] is False
    assert shown["response"]["body"] == "\ufffd</html>" and shown["response"]["is_truncated"] is False
    assert ["x-by", "nginx"] in shown["response"]["headers"]
    assert json.loads(shown["request"]["body"])["event_type"] == "weir.test"
    assert shown["request"]["url"] == endpoint.url


def test_over_rest_a_second_test_is_429() -> None:
    to = make.subscription()
    with ping._turn:
        answer = rest(to)
    assert answer.status_code == 429
    assert answer.json()["detail"] == "Another test is under way; try again in a few seconds."


def test_over_rest_what_cannot_be_signed_is_409() -> None:
    to = make.subscription()
    SubscriptionSecret.objects.update(sealed="no secret at all")
    answer = rest(to)
    assert (answer.status_code, answer.json()["detail"]) == (409, "Its settings cannot be read.")


def on_console(client: Client, to: Subscription) -> Any:
    return client.post(reverse("admin:deliveries_subscription_test", args=[to.pk]), follow=True)


def test_on_the_console_the_answer_is_text_and_never_run() -> None:
    client = browser("deliveries.view_subscription", "deliveries.test_subscription")
    with Endpoint(answers(200, {"x-odd": "<i>"}, b"<script>alert(1)</script>")) as endpoint:
        to = make.subscription(endpoint.url, name="<b>hook</b>")
        page = on_console(client, to)
    shown = page.content.decode()
    assert "The endpoint answered 200 (ok) after" in shown
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown and "<script>alert" not in shown
    assert "<dt>x-odd</dt><dd>&lt;i&gt;</dd>" in shown and "<b>hook" not in shown
    assert LogEntry.objects.get().change_message == "Sent a test: ok."


def test_on_the_console_a_test_asks_for_permission_and_a_post() -> None:
    with Endpoint(answers(200)) as endpoint:
        to = make.subscription(endpoint.url)
        address = reverse("admin:deliveries_subscription_test", args=[to.pk])
        assert browser("deliveries.view_subscription").post(address).status_code == 403
        assert browser(is_superuser=True, name="bob").get(address).status_code == 200
    assert (endpoint.accepted, AuditEntry.objects.count()) == (0, 0)


def test_on_the_console_the_last_real_payload_goes_out_marked_and_recorded() -> None:
    client = browser("deliveries.view_subscription", "deliveries.test_subscription", "webhooks.view_payload")
    with Endpoint(answers(200)) as endpoint:
        to = make.subscription(endpoint.url)
        for name in ("order 1", "order 2"):
            last = make.delivery(to, make.event(name.encode(), type="order.paid", state="routed"))
        make.delivery(to, make.event(b"other", type="user.created", state="routed"))
        address = reverse("admin:deliveries_subscription_test", args=[to.pk])
        page = client.post(address, {"type": "order.paid", "body": "last"})
        nothing = client.post(address, {"type": "never.seen", "body": "last"})
    (request,) = endpoint.requests
    assert (request.body, request.headers["weir-test"]) == (b"order 2", "1")
    assert "order 2" in page.content.decode()
    assert [str(message) for message in nothing.context["messages"]] == [
        "None of its newest deliveries is of the type never.seen and has its body still."
    ]
    entry = AuditEntry.objects.get(verb="test")
    assert entry.criteria == {"type": "order.paid", "body_of": public_id("delivery", last.pk)}
    assert AuditEntry.objects.get(verb="open_payload").object_id == public_id("delivery", last.pk)
    assert Attempt.objects.count() == 0 and Delivery.objects.filter(attempts__gt=0).count() == 0


def test_on_the_console_a_real_payload_is_not_for_who_may_not_see_payloads() -> None:
    client = browser("deliveries.view_subscription", "deliveries.test_subscription")
    with Endpoint(answers(200)) as endpoint:
        to = make.subscription(endpoint.url)
        make.delivery(to, make.event(b"secret order", type="order.paid", state="routed"))
        address = reverse("admin:deliveries_subscription_test", args=[to.pk])
        assert 'value="last"' not in client.get(address).content.decode()
        assert client.post(address, {"type": "order.paid", "body": "last"}).status_code == 403
        client.post(address, {"type": "order.paid"})
    (request,) = endpoint.requests
    assert json.loads(request.body)["event_type"] == "order.paid" and b"secret" not in request.body


def test_on_the_console_a_second_test_is_told_to_wait() -> None:
    client, to = browser(is_superuser=True), make.subscription()
    with ping._turn:
        page = on_console(client, to)
    told = [str(message) for message in page.context["messages"]]
    assert told == ["Another test is under way; try again in a few seconds."]
