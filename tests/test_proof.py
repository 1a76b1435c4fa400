"""A subscription that asks to be proved gets nothing but pings until one is answered; nothing is lost meanwhile."""

import json
from datetime import datetime, timedelta
from ipaddress import ip_network
from typing import Any

import pytest

from deliveries.deciders.outcome import Outcome
from deliveries.models import Delivery, Hold, Lane, Subscription
from deliveries.services import holds, subscriptions
from deliveries.services.circuits import probe_now
from deliveries.services.holds import Refused
from deliveries.services.proving import prove, prove_waiting
from tests import make
from tests.callers import browser, with_key
from tests.desks import Table
from tests.endpoints import Endpoint, answers, takes_turns
from tests.running import dispatchers, until
from webhooks.deciders import standard
from webhooks.deciders.times import zulu
from webhooks.ids import public_id
from webhooks.models import AuditEntry

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def loopback(settings: Any) -> None:
    settings.HUB_EGRESS_ALLOW = [ip_network("127.0.0.0/8")]


def create(url: str = "http://127.0.0.1:9/", **more: Any) -> Subscription:
    wanted = {"name": "hook", "url": url, "event_types": ["*"], "prove": True, **more}
    made = subscriptions.create_subscription(subscriber=make.subscriber(), actor="ada", **wanted)
    return made.subscription


def hold_of(subscription: Subscription) -> str:
    return Lane.objects.get(pk=subscription.pk).hold


def test_what_is_owed_waits_until_a_ping_is_answered_and_then_goes_out() -> None:
    with Endpoint(takes_turns(answers(503), answers(204))) as endpoint, dispatchers():
        secret = standard.new_secret()
        subscription = create(endpoint.url, secret=secret)
        make.event()
        until(lambda: Delivery.objects.filter(state="pending").exists())
        failed = prove(subscription_id=subscription.pk, actor="ada")
        assert (failed.is_ordered, hold_of(subscription)) == (False, Hold.UNPROVED)
        assert "Not proved. The endpoint answered 503" in failed.sentence
        proved = prove(subscription_id=subscription.pk, actor="ada")
        assert (proved.is_ordered, proved.sentence) == (True, "Proved: what waited goes out now.")
        _, ping, delivered = endpoint.wait_for(3)
    said = json.loads(ping.body)
    assert (said["event_type"], list(said)) == (
        "weir.ping", ["event_id", "event_type", "timestamp", "data"],
    )  # fmt: skip
    assert said["event_id"] == ping.headers["webhook-id"]
    at = datetime.fromisoformat(said["timestamp"])
    assert (zulu(at), int(at.timestamp())) == (said["timestamp"], int(ping.headers["webhook-timestamp"]))
    assert ping.headers["weir-test"] == "1"
    assert standard.verify(
        secrets=[secret],
        message_id=ping.headers["webhook-id"],
        timestamp=ping.headers["webhook-timestamp"],
        signature=ping.headers["webhook-signature"],
        body=ping.body,
        now=float(ping.headers["webhook-timestamp"]),
    ).is_valid
    assert delivered.body == make.BODY
    assert list(AuditEntry.objects.filter(verb="prove").order_by("pk").values_list("after__is_proved", flat=True)) == [
        False, True,
    ]  # fmt: skip


def test_a_dispatcher_sends_nothing_to_what_is_not_proved() -> None:
    subscription = create()
    make.deliveries(subscription, 3)
    table = Table()
    table.turn()
    assert table.jobs == []
    assert Delivery.objects.filter(state="pending").count() == 3


def test_by_default_it_is_live_at_once() -> None:
    subscription = create(prove=False)
    assert hold_of(subscription) == Hold.NONE
    assert prove(subscription_id=subscription.pk, actor="ada").sentence == "It does not ask to be proved."


def test_a_new_address_is_proved_anew() -> None:
    with Endpoint(answers(200)) as endpoint:
        subscription = create(endpoint.url)
        prove(subscription_id=subscription.pk, actor="ada")
        assert hold_of(subscription) == Hold.NONE
        subscriptions.update_subscription(subscription_id=subscription.pk, actor="ada", name="other")
        assert hold_of(subscription) == Hold.NONE
        moved = endpoint.url + "/new"
        subscriptions.update_subscription(subscription_id=subscription.pk, actor="ada", url=moved)
        assert hold_of(subscription) == Hold.UNPROVED
        assert prove(subscription_id=subscription.pk, actor="ada").is_ordered
    subscription.refresh_from_db()
    assert subscription.proved_at is not None


def test_asking_for_a_proof_later_holds_it_and_no_longer_asking_lets_it_go() -> None:
    subscription = create(prove=False)
    subscriptions.update_subscription(subscription_id=subscription.pk, actor="ada", prove=True)
    assert hold_of(subscription) == Hold.UNPROVED
    subscriptions.update_subscription(subscription_id=subscription.pk, actor="ada", prove=False)
    assert hold_of(subscription) == Hold.NONE


@pytest.mark.parametrize(("hold", "release"), [("pause", "resume"), ("disable", "enable")])
def test_nobody_gets_round_it_by_another_hold(hold: str, release: str) -> None:
    subscription = create()
    getattr(holds, hold)(subscription_id=subscription.pk, actor="ada")
    assert hold_of(subscription) in (Hold.PAUSED, Hold.DISABLED)
    getattr(holds, release)(subscription_id=subscription.pk, actor="ada")
    assert hold_of(subscription) == Hold.UNPROVED


def test_a_pause_for_a_time_ends_in_waiting_for_the_proof() -> None:
    subscription = create()
    holds.pause(subscription_id=subscription.pk, actor="ada", until=make.now() + timedelta(minutes=1))
    assert holds.resume_due(now=make.now() + timedelta(minutes=2)) == 1
    assert hold_of(subscription) == Hold.UNPROVED


def test_a_proof_leaves_other_holds_alone() -> None:
    with Endpoint(answers(200)) as endpoint:
        subscription = create(endpoint.url)
        holds.pause(subscription_id=subscription.pk, actor="ada")
        verdict = prove(subscription_id=subscription.pk, actor="ada")
    assert (verdict.is_ordered, hold_of(subscription)) == (True, Hold.PAUSED)
    holds.resume(subscription_id=subscription.pk, actor="ada")
    assert hold_of(subscription) == Hold.NONE


def test_a_ping_to_an_address_that_was_changed_meanwhile_proves_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    subscription = create()

    def answer_and_move(**given: Any) -> Any:
        subscriptions.update_subscription(
            subscription_id=subscription.pk, actor="eve", url="http://127.0.0.1:9/elsewhere"
        )
        return type("Answer", (), {"outcome": Outcome.OK, "status": 200, "sentence": ""})

    monkeypatch.setattr("deliveries.services.ping.send_one", answer_and_move)
    verdict = prove(subscription_id=subscription.pk, actor="ada")
    assert (verdict.is_ordered, hold_of(subscription)) == (False, Hold.UNPROVED)


def test_for_an_hour_weir_asks_by_itself_and_only_a_proof_is_recorded() -> None:
    with Endpoint(takes_turns(answers(500), answers(200))) as endpoint:
        subscription = create(endpoint.url)
        assert prove_waiting(now=make.now()) == 0
        assert prove_waiting(now=make.now() + timedelta(hours=2)) == 0
        assert len(endpoint.requests) == 1
        assert prove_waiting(now=make.now()) == 1
    assert hold_of(subscription) == Hold.NONE
    assert AuditEntry.objects.get(verb="prove").actor == "weir"


def test_no_probe_is_sent_meanwhile() -> None:
    subscription = create()
    Lane.objects.filter(pk=subscription.pk).update(circuit="open")
    with pytest.raises(Refused, match="waits for its proof"):
        probe_now(subscription_id=subscription.pk, actor="ada")


def test_over_the_api_it_is_asked_for_seen_and_proved() -> None:
    with Endpoint(takes_turns(answers(404), answers(200))) as endpoint:
        caller = with_key()
        wanted = {
            "subscriber": public_id("subscriber", make.subscriber().pk), "name": "hook", "url": endpoint.url,
            "event_types": ["*"], "prove": True,
        }  # fmt: skip
        made = caller.post("/api/v1/subscriptions", wanted).json()
        assert (made["hold"], made["prove"], made["proved_at"]) == ("unproved", True, None)
        home = f"/api/v1/subscriptions/{made['id']}"
        first = caller.post(f"{home}/prove")
        assert (first.status_code, first.json()["is_proved"]) == (200, False)
        second = caller.post(f"{home}/prove", {"reason": "mended"}).json()
        assert (second["is_proved"], second["hold"], second["proved_at"] is None) == (True, "", False)
        assert with_key("viewer").post(f"{home}/prove").status_code == 403


def test_on_the_console_it_says_what_it_waits_for_and_a_button_proves_it() -> None:
    with Endpoint(answers(200)) as endpoint:
        subscription = create(endpoint.url)
        make.delivery(subscription)
        chief = browser(is_superuser=True)
        page = f"/admin/deliveries/subscription/{subscription.pk}/change/"
        shown = chief.get(page).content.decode()
        assert "Waits for its proof since" in shown and "Prove now" in shown
        assert (
            "Waits for its proof"
            in chief.get("/admin/deliveries/subscription/?state=unproved").content.decode()
        )
        assert "Held" in chief.get("/admin/deliveries/delivery/").content.decode()
        done = chief.post(
            f"/admin/deliveries/subscription/{subscription.pk}/do/prove/", {"post": "yes"}, follow=True
        )
        assert "Proved: what waited goes out now." in done.content.decode()
    assert hold_of(subscription) == Hold.NONE
