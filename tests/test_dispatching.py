"""A dispatcher carries events to the endpoints that want them, retries, and gives up where it should."""

import json
from datetime import timedelta
from ipaddress import ip_network

import pytest
from standardwebhooks import Webhook

from deliveries.models import (
    Attempt,
    DeadLetter,
    Delivery,
    DeliveryState,
    Exchange,
    Hold,
    Issue,
    Lane,
    Notice,
    RouteRevision,
)
from deliveries.services.replay import replay_delivery
from deliveries.services.subscriptions import pause, resume, rotate_secret, update_subscription
from tests import make
from tests.endpoints import Endpoint, answers, never_answers, says_and_resets, takes_turns
from tests.running import dispatchers, until
from webhooks.models import Event, EventState

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def loopback(settings) -> None:
    settings.HUB_EGRESS_ALLOW = [ip_network("127.0.0.0/8")]
    settings.HUB_RETRY_FIRST_S = 0.05
    settings.HUB_RETRY_FACTOR = 1


def settled() -> bool:
    waiting = Event.objects.filter(state=EventState.RECEIVED)
    return not waiting.exists() and not Delivery.objects.filter(state=DeliveryState.PENDING).exists()


def attempts() -> list[tuple]:
    return list(Attempt.objects.order_by("number").values_list("number", "outcome", "status"))


def test_an_event_reaches_every_subscription_that_wants_it_byte_for_byte() -> None:
    body = b'{"a": 1,\r\n "b": "\\u00e9"}\xff'
    with (
        Endpoint(answers(200)) as billing,
        Endpoint(answers(204)) as shipping,
        Endpoint(answers(200)) as other,
    ):
        make.subscription(billing.url, event_types=["user.*"])
        make.subscription(shipping.url)
        make.subscription(other.url, event_types=["order.*"])
        event = make.event(body, type="user.created")
        with dispatchers():
            until(settled)
    assert [request.body for request in billing.requests + shipping.requests] == [body, body]
    assert other.requests == []
    assert Event.objects.get().state == EventState.ROUTED
    assert set(event.deliveries.values_list("state", "attempts")) == {("delivered", 1)}


def test_what_goes_out_verifies_with_the_standard_library_of_receivers() -> None:
    with Endpoint(answers(200)) as endpoint:
        subscription = make.subscription(endpoint.url)
        make.event()
        with dispatchers():
            until(settled)
    headers = endpoint.requests[0].headers
    secret = subscription.secrets.get().sealed
    assert Webhook(secret).verify(endpoint.requests[0].body, headers) == json.loads(make.BODY)
    assert headers["webhook-id"] == f"dlv_{Delivery.objects.get().id.hex}" == headers["idempotency-key"]
    assert headers["weir-attempt"] == "1"
    assert headers["traceparent"].split("-")[1] == Event.objects.get().trace_id.hex


def test_during_a_rotation_a_delivery_verifies_with_every_live_secret() -> None:
    with Endpoint(answers(200)) as endpoint:
        subscription = make.subscription(endpoint.url)
        old = subscription.secrets.get().sealed
        with dispatchers():
            make.event()
            until(settled)
            new = rotate_secret(subscription_id=subscription.pk, actor="test").secret
            make.event()
            until(lambda: len(endpoint.requests) == 2)
    for secret in (old, new):
        assert Webhook(secret).verify(endpoint.requests[1].body, endpoint.requests[1].headers)


def test_an_event_nobody_wants_is_kept_and_says_so() -> None:
    make.subscription(event_types=["order.*"])
    make.event(type="user.created")
    with dispatchers():
        until(lambda: Event.objects.filter(state=EventState.UNMATCHED).exists())
    assert Delivery.objects.count() == 0
    assert Event.objects.get().routed_at is not None


def test_a_failure_is_retried_with_the_same_id_and_bytes_until_it_succeeds() -> None:
    with Endpoint(takes_turns(answers(500), says_and_resets(), answers(200))) as endpoint:
        make.subscription(endpoint.url)
        make.event()
        with dispatchers():
            until(settled)
    assert attempts() == [(1, "server_error", 500), (2, "reset", None), (3, "ok", 200)]
    assert len({(request.headers["webhook-id"], request.body) for request in endpoint.requests}) == 1
    assert [request.headers["weir-attempt"] for request in endpoint.requests] == ["1", "2", "3"]


def test_an_exhausted_delivery_becomes_a_dead_letter_and_an_issue() -> None:
    with Endpoint(answers(503, body=b"down")) as endpoint:
        make.subscription(endpoint.url, retry_max_attempts=3)
        make.event()
        with dispatchers():
            until(settled)
    assert Delivery.objects.values_list("state", "attempts", "last_outcome", "last_status").get() == (
        "dead", 3, "server_error", 503,
    )  # fmt: skip
    assert DeadLetter.objects.values_list("reason", "resolved_at").get() == ("exhausted", None)
    assert Issue.objects.values_list("state", "status").get() == ("open", 503)
    assert bytes(Exchange.objects.order_by("pk").first().response_body) == b"down"


def test_a_replayed_dead_letter_gets_a_new_budget_and_its_numbers_go_on() -> None:
    with Endpoint(takes_turns(answers(422), answers(422), answers(200))) as endpoint:
        make.subscription(endpoint.url, client_errors="once")
        make.event()
        with dispatchers():
            until(settled)
            replay_delivery(delivery_id=Delivery.objects.get().pk, actor="test")
            until(settled)
            assert Issue.objects.get().dead_letters.get().resolved_at is None
            replay_delivery(delivery_id=Delivery.objects.get().pk, actor="test")
            until(settled)
    assert attempts() == [(1, "client_error", 422), (2, "client_error", 422), (3, "ok", 200)]
    assert len({request.headers["webhook-id"] for request in endpoint.requests}) == 1
    assert DeadLetter.objects.get().resolution == "replayed"


def test_gone_kills_the_delivery_disables_the_subscription_and_holds_what_comes_later() -> None:
    with Endpoint(answers(410)) as endpoint:
        make.subscription(endpoint.url)
        make.event()
        with dispatchers():
            until(settled)
            make.event()
            until(lambda: Delivery.objects.filter(state=DeliveryState.PENDING).exists())
    assert Lane.objects.get().hold == Hold.DISABLED
    assert Notice.objects.values_list("kind", flat=True).get() == "subscription-disabled"
    assert len(endpoint.requests) == 1


def test_a_paused_lane_holds_everything_and_a_resumed_one_sends_it() -> None:
    with Endpoint(answers(200)) as endpoint:
        subscription = make.subscription(endpoint.url)
        with dispatchers():
            pause(subscription_id=subscription.pk, actor="test")
            for _ in range(3):
                make.event()
            until(lambda: Delivery.objects.filter(state=DeliveryState.PENDING).count() == 3)
            assert endpoint.requests == []
            resume(subscription_id=subscription.pk, actor="test")
            endpoint.wait_for(3)
            until(settled)


def test_retry_after_keeps_the_whole_lane_quiet() -> None:
    with Endpoint(takes_turns(answers(429, {"Retry-After": "30"}), answers(200))) as endpoint:
        make.subscription(endpoint.url, window=1)
        first, second = make.event(), make.event()
        with dispatchers():
            until(lambda: Attempt.objects.exists())
            until(lambda: Lane.objects.filter(seat=None, next_due_at__isnull=False).exists())
    assert len(endpoint.requests) == 1
    assert Attempt.objects.get().outcome == "throttled"
    quiet = Lane.objects.get().not_before - make.now()
    assert timedelta(seconds=20) < quiet <= timedelta(seconds=30)
    assert Delivery.objects.filter(state=DeliveryState.PENDING).count() == 2
    assert {first.pk, second.pk} == set(Event.objects.values_list("pk", flat=True))


def test_a_transform_makes_the_body_once_and_every_retry_sends_the_same() -> None:
    with Endpoint(takes_turns(answers(500), answers(200))) as endpoint:
        subscription = make.subscription(endpoint.url, transform="{who: data.name}")
        make.event()
        with dispatchers():
            endpoint.wait_for(1)
            update_subscription(subscription_id=subscription.pk, actor="test", transform="{other: data.name}")
            until(settled)
    assert [request.body for request in endpoint.requests] == [b'{"who":"Ada"}'] * 2


def test_a_transform_that_fails_is_a_dead_letter_without_an_attempt() -> None:
    with Endpoint(answers(200)) as endpoint:
        make.subscription(endpoint.url, transform="abs(data.name)")
        make.subscription(endpoint.url)
        make.event()
        with dispatchers():
            until(settled)
    assert sorted(Delivery.objects.values_list("state", "attempts")) == [("dead", 0), ("delivered", 1)]
    assert DeadLetter.objects.get().reason == "transform_failed"
    assert len(endpoint.requests) == 1


def test_a_filter_chooses_and_one_that_fails_harms_only_its_own_delivery() -> None:
    with Endpoint(answers(200)) as endpoint:
        ada = make.subscription(endpoint.url, filter="data.name == 'Ada'")
        make.subscription(endpoint.url, filter="data.name == 'Grace'")
        broken = make.subscription(endpoint.url, filter="abs(data.name) > `1`")
        event = make.event()
        with dispatchers():
            until(settled)
    assert dict(event.deliveries.values_list("subscription", "state")) == {
        ada.pk: "delivered",
        broken.pk: "dead",
    }
    assert DeadLetter.objects.values_list("reason", "delivery__attempts").get() == ("filter_failed", 0)


def test_loopback_is_refused_unless_it_is_allowed(settings) -> None:
    settings.HUB_EGRESS_ALLOW = []
    with Endpoint(answers(200)) as endpoint:
        make.subscription(endpoint.url)
        make.event()
        with dispatchers():
            until(settled)
    assert endpoint.accepted == 0
    assert DeadLetter.objects.get().reason == "blocked"


def test_a_subscription_made_while_a_dispatcher_runs_gets_the_next_event() -> None:
    with Endpoint(answers(200)) as endpoint, dispatchers():
        make.event()
        until(lambda: Event.objects.filter(state=EventState.UNMATCHED).exists())
        make.subscription(endpoint.url)
        RouteRevision.objects.update_or_create(id=1, defaults={"revision": 7})
        make.event()
        endpoint.wait_for(1)
        until(settled)


def test_one_hanging_endpoint_does_not_keep_the_others_waiting() -> None:
    with Endpoint(never_answers) as hanging, Endpoint(answers(200)) as healthy:
        make.subscription(hanging.url, timeout_s=20)
        make.subscription(healthy.url)
        with dispatchers():
            for _ in range(30):
                make.event()
            healthy.wait_for(30)
            assert len(hanging.requests) == 10
    assert Delivery.objects.filter(state=DeliveryState.DELIVERED).count() == 30


def test_a_dispatcher_that_is_stopped_leaves_nothing_held_and_nothing_lost() -> None:
    with Endpoint(never_answers) as endpoint:
        make.subscription(endpoint.url)
        make.event()
        with dispatchers():
            endpoint.wait_for(1)
    assert Delivery.objects.values_list("state", "attempts").get() == ("pending", 0)
    with Endpoint(answers(200)) as again:
        update_subscription(subscription_id=Lane.objects.get().pk, actor="test", url=again.url)
        with dispatchers():
            until(settled)
        assert again.requests[0].headers["webhook-id"] == endpoint.requests[0].headers["webhook-id"]


def test_a_person_who_discards_a_delivery_in_flight_is_heard_and_its_attempt_recorded() -> None:
    with Endpoint(never_answers) as endpoint:
        make.subscription(endpoint.url, timeout_s=0.5)
        make.event()
        with dispatchers():
            endpoint.wait_for(1)
            Delivery.objects.update(state=DeliveryState.DISCARDED, due_at=None)
            until(lambda: Attempt.objects.exists())
    assert Delivery.objects.values_list("state", "due_at", "attempts").get() == ("discarded", None, 1)
