"""A person sends one delivery again, or lets it rest: what changes, what is refused, and what is recorded."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from deliveries.models import (
    DeadLetter,
    Delivery,
    DeliveryBody,
    DeliveryState,
    Hold,
    Issue,
    Lane,
    Phase,
    Replay,
    ReplayItem,
    Seat,
)
from deliveries.services.dead_letters import Death, bury
from deliveries.services.replay import Answer, ReplayVerdict, discard_delivery, replay_delivery
from tests import make
from webhooks.ids import public_id, uuid7
from webhooks.models import AuditEntry, EventBody

pytestmark = pytest.mark.django_db


def dead(**options: Any) -> Delivery:
    delivery = make.delivery(
        options.pop("to", None) or make.subscription(), state=DeliveryState.DEAD, attempts=12, **options
    )
    bury(
        deaths=[
            Death(
                delivery_id=delivery.pk,
                subscription_id=delivery.subscription_id,
                reason="exhausted",
                fingerprint="v1:1",
                status=503,
                error="",
            )
        ],
        now=make.now(),
    )
    return delivery


def replay(delivery: Delivery) -> ReplayVerdict:
    return replay_delivery(delivery_id=delivery.pk, actor="ada", reason="mended")


def state_of(delivery: Delivery) -> str:
    return Delivery.objects.values_list("state", flat=True).get(pk=delivery.pk)


def test_a_dead_delivery_becomes_due_now_with_a_fresh_budget() -> None:
    delivery, before = dead(), make.now()
    assert replay(delivery) == ReplayVerdict(answer=Answer.DONE, sentence="It is due now.")
    delivery.refresh_from_db()
    assert (delivery.state, delivery.phase, delivery.settled_at) == ("pending", Phase.REPLAY, None)
    assert (delivery.attempts, delivery.budget_from) == (12, 12)
    assert delivery.due_at == delivery.budget_at
    assert before <= delivery.budget_at <= make.now()


@pytest.mark.parametrize("state", ["delivered", "dead", "discarded", "superseded"])
def test_whatever_is_settled_can_be_replayed(state: str) -> None:
    delivery = make.delivery(make.subscription(), state=state)
    assert replay(delivery).is_done
    assert state_of(delivery) == "pending"


def test_what_is_pending_is_left_as_it_is() -> None:
    due = make.now() + timedelta(hours=1)
    delivery = make.delivery(make.subscription(), due_at=due)
    verdict = replay(delivery)
    assert verdict.answer == Answer.PENDING
    assert (
        verdict.sentence == f"It is pending already; its next attempt is due at {due:%Y-%m-%d %H:%M:%S} UTC."
    )
    delivery.refresh_from_db()
    assert (delivery.due_at, delivery.phase) == (due, Phase.FIRST)
    assert not AuditEntry.objects.exists()


def test_of_two_clicks_the_second_is_told() -> None:
    delivery = dead()
    assert [replay(delivery).answer, replay(delivery).answer] == [Answer.DONE, Answer.PENDING]
    assert AuditEntry.objects.filter(verb="replay").count() == 1


def test_what_was_superseded_stays_so_where_only_the_latest_is_wanted() -> None:
    delivery = make.delivery(make.subscription(latest_only=True), state="superseded")
    assert replay(delivery).answer == Answer.SUPERSEDED
    assert state_of(delivery) == "superseded"


def test_what_has_no_body_left_is_not_replayed() -> None:
    delivery = dead()
    EventBody.objects.all().delete()
    assert replay(delivery).sentence == "Its body is past retention, so there is nothing to send."
    assert state_of(delivery) == "dead"


def test_the_bytes_a_transform_made_are_body_enough() -> None:
    delivery = dead()
    EventBody.objects.all().delete()
    DeliveryBody.objects.create(delivery=delivery, body=b"{}")
    assert replay(delivery).is_done


def test_what_a_running_replay_has_chosen_is_left_to_it() -> None:
    delivery = dead()
    ReplayItem.objects.create(
        replay=Replay.objects.create(ordered_by="bob"),
        event=delivery.event,
        subscription=delivery.subscription,
        delivery=delivery,
    )
    assert replay(delivery).sentence == "A replay that is still running has chosen it already."
    assert state_of(delivery) == "dead"


def test_an_unknown_delivery_is_said_to_be_missing() -> None:
    verdict = replay_delivery(delivery_id=uuid7(), actor="ada")
    assert verdict == ReplayVerdict(answer=Answer.MISSING, sentence="There is no such delivery.")


def test_the_dead_letter_and_its_issue_are_resolved() -> None:
    delivery = dead()
    replay(delivery)
    letter = DeadLetter.objects.get(delivery=delivery)
    assert (letter.resolution, letter.resolved_at is None) == ("replayed", False)
    assert letter.issue.state == "resolved"


def test_an_issue_stays_open_while_one_of_its_dead_letters_does() -> None:
    to = make.subscription()
    first, second = dead(to=to), dead(to=to)
    replay(first)
    assert Issue.objects.get().state == "open"
    replay(second)
    assert Issue.objects.get().state == "resolved"


def test_an_ignored_issue_stays_ignored() -> None:
    delivery = dead()
    Issue.objects.update(state="ignored", ignored_until=make.now() + timedelta(hours=1))
    replay(delivery)
    assert Issue.objects.get().state == "ignored"


def test_a_sleeping_lane_wakes_and_one_that_is_served_is_not_written() -> None:
    asleep, served = dead(to=make.subscription(name="a")), dead(to=make.subscription(name="b"))
    seat = Seat.objects.create(number=1, epoch=1)
    Lane.objects.filter(pk=served.subscription_id).update(seat=seat, seat_epoch=1)
    replay(asleep)
    replay(served)
    asleep.refresh_from_db()
    lanes = dict(Lane.objects.values_list("pk", "next_due_at"))
    assert lanes == {asleep.subscription_id: asleep.due_at, served.subscription_id: None}


def test_a_replay_into_a_paused_lane_says_that_it_waits() -> None:
    delivery = dead()
    Lane.objects.update(hold=Hold.PAUSED)
    assert replay(delivery).sentence == "It is pending, and waits because its subscription is paused."


def test_a_replay_is_recorded_with_who_and_why() -> None:
    delivery = dead()
    replay(delivery)
    entry = AuditEntry.objects.get(verb="replay")
    assert (entry.actor, entry.reason, entry.object_id) == (
        "ada",
        "mended",
        public_id("delivery", delivery.pk),
    )
    assert (entry.before, entry.after) == ({"state": "dead"}, {"state": "pending"})


@pytest.mark.parametrize("state", ["pending", "dead"])
def test_what_is_owed_or_dead_can_be_discarded(state: str) -> None:
    delivery = make.delivery(make.subscription(), state=state)
    assert discard_delivery(delivery_id=delivery.pk, actor="ada").is_done
    delivery.refresh_from_db()
    assert (delivery.state, delivery.due_at, delivery.settled_at is None) == ("discarded", None, False)


def test_a_discarded_dead_letter_is_resolved() -> None:
    discard_delivery(delivery_id=dead().pk, actor="ada")
    assert DeadLetter.objects.get().resolution == "discarded"
    assert Issue.objects.get().state == "resolved"


def test_what_was_delivered_cannot_be_discarded() -> None:
    delivery = make.delivery(make.subscription(), state="delivered")
    verdict = discard_delivery(delivery_id=delivery.pk, actor="ada")
    assert verdict.sentence == "It is delivered, so there is nothing to discard."
    assert state_of(delivery) == "delivered"


@pytest.mark.django_db(transaction=True)
def test_eight_clicks_at_once_make_one_replay() -> None:
    delivery, start = dead(), threading.Barrier(8)
    answers: list[Answer] = []

    def click() -> None:
        start.wait()
        answers.append(replay(delivery).answer)
        connection.close()

    threads = [threading.Thread(target=click) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [Answer.DONE, *[Answer.PENDING] * 7]
    assert AuditEntry.objects.filter(verb="replay").count() == 1


def test_the_command_replays_what_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    delivery = dead()
    name = public_id("delivery", delivery.pk)
    call_command("replay", name, "--reason", "mended")
    assert capsys.readouterr().out.splitlines() == [f"{name}  It is due now.", "1 replayed, 0 left out."]
    assert AuditEntry.objects.get(verb="replay").reason == "mended"


def test_the_command_replays_what_is_dead_in_one_subscription(capsys: pytest.CaptureFixture[str]) -> None:
    to = make.subscription(name="a")
    mine, other = [dead(to=to), dead(to=to)], dead(to=make.subscription(name="b"))
    call_command("replay", "--dead", "--subscription", public_id("subscription", to.pk))
    assert capsys.readouterr().out.splitlines()[-1] == "2 replayed, 0 left out."
    assert [state_of(each) for each in (*mine, other)] == ["pending", "pending", "dead"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "Name deliveries, or give --dead with --subscription."),
        (["--dead"], "Name deliveries, or give --dead with --subscription."),
        (["dlv_x"], "This is not a delivery id: expected dlv_ and 32 hex digits."),
        (
            ["--dead", "--subscription", "x"],
            "This is not a subscription id: expected sub_ and 32 hex digits.",
        ),
    ],
)
def test_the_command_refuses_what_it_cannot_read(words: list[str], sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        call_command("replay", *words)
    assert not AuditEntry.objects.exists()


def test_the_command_fails_when_nothing_could_be_replayed() -> None:
    delivery = make.delivery(make.subscription())
    with pytest.raises(CommandError, match="Nothing was replayed."):
        call_command("replay", str(delivery.pk))
