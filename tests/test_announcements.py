"""Subscribers hear what happened to them as events of Weir's own: with the fact, and never of themselves."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from deliveries.deciders.outcome import Outcome
from deliveries.deciders.own_types import DELIVERY_DEAD
from deliveries.dispatcher import router
from deliveries.dispatcher.routes import Routes
from deliveries.models import Delivery, Lane, Replay, ReplayLane, Subscription
from deliveries.services import endurance, holds, replays
from deliveries.services.announcements import announce
from deliveries.services.dead_letters import Death, bury
from deliveries.services.replay import replay_delivery
from tests import make, replaying
from tests.callers import browser, with_key
from tests.desks import Table
from webhooks.deciders.own import OWN_SOURCE
from webhooks.deciders.times import zulu
from webhooks.ids import public_id
from webhooks.models import Event, Source
from webhooks.services.publications import Said
from webhooks.services.publish import publish
from webhooks.services.sources import update_source

pytestmark = pytest.mark.django_db(transaction=True)


def listener(*patterns: str, owner: str = "billing", **options: Any) -> Subscription:
    patterns = patterns or ("weir.*",)
    return make.subscription(
        name="ear", subscriber=make.subscriber(owner), event_types=list(patterns), **options
    )


def told() -> list[tuple[str, Any]]:
    events = Event.objects.filter(source_id=OWN_SOURCE).order_by("pk").select_related("content")
    return [(each.event_type, json.loads(bytes(each.content.body))["data"]) for each in events]


def kill(delivery: Delivery, **more: Any) -> None:
    death = Death(
        delivery_id=delivery.pk,
        subscription_id=delivery.subscription_id,
        reason="client_error",
        fingerprint="f" * 40,
        status=422,
        error="",
        **more,
    )
    bury(deaths=[death], now=make.now())


def dead(to: Subscription) -> Delivery:
    return make.delivery(to, state="dead", settled_at=make.now())


def route() -> None:
    router.route(holding=make.seat(), routes=Routes(), now=make.now())


# -- who hears -----------------------------------------------------------------------------------------


def test_a_dead_letter_is_told_to_its_subscriber_and_to_nobody_else() -> None:
    ear, other = listener(), listener(owner="shipping")
    victim = make.subscription(name="orders", event_types=["order.*"])
    delivery = dead(victim)
    kill(delivery)
    ((kind, data),) = told()
    assert kind == "weir.delivery.dead"
    assert data == {
        "subscription": public_id("subscription", victim.pk),
        "name": "orders",
        "delivery": public_id("delivery", delivery.pk),
        "event": public_id("event", delivery.event_id),
        "event_id": delivery.external_id,
        "event_type": "user.created",
        "attempts": 0,
        "reason": "client_error",
        "status": 422,
        "error": "",
    }
    route()
    owed = Delivery.objects.filter(source_id=OWN_SOURCE)
    assert list(owed.values_list("subscription_id", flat=True)) == [ear.pk]
    assert other.pk != ear.pk


def test_who_wants_everything_did_not_ask_for_what_weir_tells_of_itself() -> None:
    victim = make.subscription(event_types=["*"])
    kill(dead(victim))
    assert told() == []
    ear = listener("weir.delivery.*")
    kill(dead(victim))
    route()
    owed = Delivery.objects.filter(source_id=OWN_SOURCE)
    assert list(owed.values_list("subscription_id", flat=True)) == [ear.pk]


def test_whoever_names_the_source_hears_all_of_it() -> None:
    listener("weir.replay.finished")
    victim = make.subscription(event_types=["user.*"])
    kill(dead(victim))
    assert told() == []  # nobody named this type; nothing was written
    listener()
    kill(dead(victim))
    ear = make.subscription(source=Source.objects.get(pk=OWN_SOURCE), event_types=["*"])
    kill(dead(victim))
    route()
    assert Delivery.objects.filter(source_id=OWN_SOURCE, subscription=ear).count() == 2


def test_a_provider_cannot_speak_as_weir() -> None:
    listener()
    make.event(type="weir.delivery.dead")
    route()
    assert not Delivery.objects.exists()


def test_where_nobody_listens_it_costs_one_question() -> None:
    delivery = dead(make.subscription(event_types=["order.*"]))
    with CaptureQueriesContext(connection) as asked:
        kill(delivery)
    about = [each["sql"] for each in asked if "event_types" in each["sql"]]
    assert (len(about), told()) == (1, [])
    assert not Source.objects.filter(pk=OWN_SOURCE).exists()


# -- never of itself -----------------------------------------------------------------------------------


def test_an_announcement_that_dies_is_told_to_nobody() -> None:
    mixed = listener("weir.*", "order.*")
    kill(dead(make.subscription(event_types=["user.*"])))
    route()
    (announced,) = Delivery.objects.filter(subscription=mixed)
    Delivery.objects.filter(pk=announced.pk).update(state="dead", due_at=None)
    kill(announced)
    assert len(told()) == 1


def test_a_subscription_that_wants_only_announcements_is_not_announced() -> None:
    ear, second = listener(), listener()
    holds.disable(subscription_id=ear.pk, actor="ada", reason="quiet, please")
    assert (told(), second.pk != ear.pk) == ([], True)


# -- what is told --------------------------------------------------------------------------------------


def test_that_a_subscription_was_disabled_by_a_person_or_by_its_endpoint() -> None:
    listener()
    first, second = (make.subscription(name=name, event_types=["order.*"]) for name in "ab")
    holds.disable(subscription_id=first.pk, actor="ada", reason="it moved")
    with transaction.atomic():
        holds.disable_gone(subscription_id=second.pk, now=make.now())
        holds.disable_gone(subscription_id=second.pk, now=make.now())
    assert [(kind, data["name"], data["reason"]) for kind, data in told()] == [
        ("weir.subscription.disabled", "a", "it moved"),
        ("weir.subscription.disabled", "b", "Its endpoint answered 410 Gone."),
    ]


def test_that_it_keeps_failing_and_when_it_will_be_disabled() -> None:
    listener()
    failing = make.subscription(event_types=["order.*"], disable_after_s=3_600)
    make.delivery(failing)
    Lane.objects.filter(pk=failing.pk).update(failing_since=make.now() - timedelta(minutes=55))
    endurance.contain_failing(now=make.now())
    endurance.contain_failing(now=make.now())
    ((kind, data),) = told()
    assert kind == "weir.subscription.failing"
    failing_since = Lane.objects.get(pk=failing.pk).failing_since
    assert failing_since is not None
    assert data["failing_since"] == zulu(failing_since)
    assert data["disabled_at"] > zulu(make.now())


def test_that_its_circuit_opened_and_that_it_closed_again() -> None:
    listener()
    failing = make.subscription(event_types=["order.*"], circuit_cooldown_s=0.5, window=10)
    make.deliveries(failing, 30)
    table = Table()
    table.turn()
    table.answer(table.begin(), Outcome.SERVER_ERROR)
    assert [kind for kind, _ in told()] == ["weir.subscription.failing"]
    for _ in range(30):
        table.pass_s(5)
        table.turn()
        table.answer(table.begin(), Outcome.OK)
    assert [kind for kind, _ in told()] == ["weir.subscription.failing", "weir.subscription.recovered"]


def test_that_a_delivery_died_in_a_settle_and_dies_again_after_a_replay() -> None:
    listener()
    victim = make.subscription(event_types=["user.*"], retry_max_attempts=1)
    delivery = make.delivery(victim)
    table = Table()
    table.turn()
    table.answer(table.begin(), Outcome.SERVER_ERROR)
    assert [(kind, data["delivery"]) for kind, data in told()] == [
        ("weir.delivery.dead", public_id("delivery", delivery.pk))
    ]
    replay_delivery(delivery_id=delivery.pk, actor="ada")
    table.catch_up()
    table.pass_s(1)
    table.turn()
    table.answer(table.begin(), Outcome.SERVER_ERROR)
    assert len(told()) == 2


def over() -> list[tuple[str, Any]]:
    return [(data["state"], data["delivered"] + data["failed"]) for kind, data in told() if "replay" in data]


def sending(number: int = 6) -> tuple[Replay, Table]:
    """A replay of so many, two of them under way at a time; somebody listens."""
    listener("weir.replay.finished")
    replaying.dead(make.subscription(event_types=["user.*"], window=4, circuit_min_volume=1_000), number)
    replay, table = replaying.started(stops_itself=True), Table()
    table.turn()
    return replay, table


def test_that_a_replay_is_over_is_told_once_to_whom_it_sent_something() -> None:
    replay, table = sending(2)
    other = make.subscription(name="other", event_types=["user.*"], subscriber=make.subscriber("shipping"))
    Lane.objects.filter(pk=other.pk).update(hold="paused")
    ReplayLane.objects.create(replay=replay, subscription=other, is_done=True)  # nothing of it was sent
    listener("weir.replay.*", owner="shipping")
    table.answer(table.begin(), Outcome.OK)
    replay.refresh_from_db()
    ((kind, data),) = told()
    assert (kind, replay.state) == ("weir.replay.finished", "finished")
    assert data == {
        "replay": public_id("replay", replay.pk),
        "state": "finished",
        "subscriptions": [public_id("subscription", ReplayLane.objects.earliest("pk").subscription_id)],
        "delivered": 2,
        "failed": 0,
        "skipped": 0,
        "discarded": 0,
    }


def test_that_a_replay_was_cancelled_is_told_once_nothing_of_it_is_under_way() -> None:
    replay, table = sending()
    begun = table.begin()
    replays.cancel(replay_id=replay.pk, actor="ada")
    assert over() == []
    table.answer(begun, Outcome.OK)
    assert over() == [("cancelled", 2)]
    table.turn()
    assert len(over()) == 1


def test_that_a_replay_was_cancelled_while_nothing_was_under_way_is_told_at_once() -> None:
    replay, table = sending()
    replays.pause(replay_id=replay.pk, actor="ada")
    table.answer(table.begin(), Outcome.OK)
    replays.cancel(replay_id=replay.pk, actor="ada")
    assert over() == [("cancelled", 2)]
    replays.cancel(replay_id=replay.pk, actor="ada")
    assert len(over()) == 1


def test_a_replay_that_was_cancelled_before_it_sent_anything_is_told_to_nobody() -> None:
    listener("weir.replay.finished")
    replaying.dead(make.subscription(event_types=["user.*"]), 3)
    replay = replaying.started()
    replays.cancel(replay_id=replay.pk, actor="ada")
    replay.refresh_from_db()
    assert (replay.state, told()) == ("cancelled", [])


def test_that_a_replay_stopped_is_told_each_time_and_its_end_besides() -> None:
    replay, table = sending(40)
    for outcome, states in (
        (Outcome.CLIENT_ERROR, ["stopped"]),
        (Outcome.CLIENT_ERROR, ["stopped", "stopped"]),
        (Outcome.OK, ["stopped", "stopped", "finished"]),
    ):
        replays.resume(replay_id=replay.pk, actor="ada")
        table.catch_up()
        for _ in range(30):
            table.turn()
            if begun := table.begin():
                table.answer(begun, outcome)
            table.pass_s(1)
        assert [state for state, _ in over()] == states
    assert over()[-1] == ("finished", 40)


def test_the_fact_and_its_announcement_stand_or_fall_together() -> None:
    listener()
    victim = make.subscription(event_types=["user.*"])
    with pytest.raises(RuntimeError), transaction.atomic():
        kill(dead(victim))
        raise RuntimeError
    assert told() == []


def test_others_announce_by_one_function() -> None:
    ear = listener()
    assert announce(kind="weir.alert.opened", subscriber=ear.subscriber_id, data={"rule": "r"})
    assert not announce(kind="weir.alert.opened", subscriber=make.subscriber("deaf").pk, data={})
    assert told() == [("weir.alert.opened", {"rule": "r"})]


def test_what_is_told_twice_under_one_key_is_one_event() -> None:
    ear = listener()
    for _ in range(2):
        announce(kind=DELIVERY_DEAD, subscriber=ear.subscriber_id, data={}, key="k")
    assert len(told()) == 1


# -- its source ----------------------------------------------------------------------------------------


@pytest.fixture
def own(request: pytest.FixtureRequest) -> Source:
    announce(kind=DELIVERY_DEAD, subscriber=listener().subscriber_id, data={})
    return Source.objects.get(pk=OWN_SOURCE)


def test_nobody_else_writes_by_it(own: Source) -> None:
    with pytest.raises(ValidationError, match="This source is Weir's own"):
        publish(Said(source=own, event_id="a1", event_type="t", data=1))
    said = {"source": own.slug, "event_type": "t", "data": 1}
    assert with_key().post("/api/v1/events", said).status_code == 400
    assert with_key().post("/api/v1/events/batch", {"events": [said]}).status_code == 400
    assert Client().post(f"/in/{own.slug}", {"a": 1}, content_type="application/json").status_code == 404
    assert Event.objects.count() == 1


def test_nobody_changes_it(own: Source) -> None:
    with pytest.raises(ValidationError, match="This source is Weir's own"):
        update_source(source_id=own.pk, is_enabled=False, actor="ada")
    assert with_key().patch(f"/api/v1/sources/{own.slug}", {"name": "Mine"}).status_code == 400
    chief = browser(is_superuser=True)
    assert chief.get(f"/admin/webhooks/source/{own.pk}/edit/").status_code == 403
    assert chief.get(f"/admin/webhooks/source/{own.pk}/change/").status_code == 200
    own.refresh_from_db()
    assert (own.name, own.is_enabled) == ("Weir itself", True)


def test_a_slug_that_a_person_has_taken_is_left_to_him() -> None:
    mine = make.source("weir")
    announce(kind=DELIVERY_DEAD, subscriber=listener().subscriber_id, data={})
    assert Source.objects.get(pk=OWN_SOURCE).slug == "weir-itself"
    mine.refresh_from_db()
    assert mine.pk != OWN_SOURCE
