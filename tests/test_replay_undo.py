"""A replay that is undone before it is sent: all is as it was. Of an undo and a claim one is first, and both know."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from deliveries.deciders.undoing import UNDO_FOR
from deliveries.dispatcher import undoing
from deliveries.dispatcher.lanes import sleep
from deliveries.models import Attempt, DeadLetter, Delivery, Hold, Issue, Lane, Phase, ReplayItem
from deliveries.services import replay_packs
from deliveries.services.dead_letters import Death, bury
from deliveries.services.rearming import disarm
from deliveries.services.replay import Answer, ReplayVerdict, discard_delivery, replay_delivery
from deliveries.services.replay_undo import undo_replay
from deliveries.services.retrying import retry_now
from tests import make
from tests.desks import Table
from tests.replaying import started
from webhooks.ids import public_id, uuid7
from webhooks.models import AuditEntry

pytestmark = pytest.mark.django_db(transaction=True)


def dead(**options: Any) -> Delivery:
    """Dead after three attempts of its second budget, as a settlement would have left it."""
    to = options.pop("to", None) or make.subscription()
    long_ago = make.now() - timedelta(hours=1)
    values: dict[str, Any] = {
        "attempts": 12,
        "phase": Phase.RETRY,
        "budget_from": 9,
        "budget_at": long_ago,
        "settled_at": long_ago,
    }
    made = make.delivery(to, state="dead", **(values | options))
    bury(deaths=[death(made)], now=long_ago)
    return made


def death(of: Delivery) -> Death:
    return Death(
        delivery_id=of.pk, subscription_id=of.subscription_id, reason="exhausted", fingerprint="v1:1", status=503,
        error="",
    )  # fmt: skip


def replay(delivery: Delivery) -> ReplayVerdict:
    return replay_delivery(delivery_id=delivery.pk, actor="ada", wait=UNDO_FOR)


def undo(delivery: Delivery, **named: Any) -> ReplayVerdict:
    """Of its present budget, as a page names it, unless another is named."""
    named.setdefault("replayed_at", Delivery.objects.get(pk=delivery.pk).budget_at)
    return undo_replay(delivery_id=delivery.pk, actor=named.pop("actor", "bob"), **named)


def rows() -> list[list[dict[str, Any]]]:
    tables: tuple[Any, ...] = (Delivery, DeadLetter, Issue, Attempt)
    return [list(table.objects.order_by("pk").values()) for table in tables]


def test_it_is_due_in_five_seconds_with_a_fresh_budget() -> None:
    delivery, before = dead(), make.now()
    assert replay(delivery) == ReplayVerdict(answer=Answer.DONE, sentence="It will be sent in 5 s.")
    row = Delivery.objects.get()
    assert (row.state, row.phase, row.settled_at, row.attempts, row.budget_from) == (
        "pending",
        2,
        None,
        12,
        12,
    )
    assert before <= row.budget_at <= make.now()
    assert row.due_at == row.budget_at + timedelta(seconds=5)
    assert Lane.objects.get().next_due_at == row.due_at


@pytest.mark.parametrize("state", ["open", "acknowledged", "regressed", "ignored"])
def test_undone_all_is_as_it_was(state: str) -> None:
    delivery = dead()
    until = make.now() + timedelta(hours=1) if state == "ignored" else None
    Issue.objects.update(state=state, state_at=make.now(), state_by="eve", ignored_until=until)
    before = rows()
    assert replay(delivery).is_done and rows() != before
    assert undo(delivery) == ReplayVerdict(
        answer=Answer.DONE, sentence="It is dead as before; nothing was sent."
    )
    assert rows() == before


@pytest.mark.parametrize("state", ["delivered", "discarded", "superseded"])
def test_whatever_it_was_it_is_that_again(state: str) -> None:
    delivery = make.delivery(make.subscription(), state=state, settled_at=make.now())
    before = rows()
    replay(delivery)
    assert undo(delivery).sentence == f"It is {state} as before; nothing was sent."
    assert rows() == before


def test_an_issue_with_other_dead_letters_is_left_alone() -> None:
    to = make.subscription()
    first, _ = dead(to=to), dead(to=to)
    before = rows()
    replay(first)
    undo(first)
    assert rows() == before


def test_an_issue_that_moved_meanwhile_is_not_moved_back() -> None:
    to = make.subscription()
    delivery, other = dead(to=to), make.delivery(to, state="dead")
    replay(delivery)
    bury(deaths=[death(other)], now=make.now())
    undo(delivery)
    assert Issue.objects.get().state == "regressed"
    assert DeadLetter.objects.filter(resolved_at=None).count() == 2


def test_an_issue_that_was_resolved_otherwise_is_open_again() -> None:
    delivery = dead()
    replay(delivery)
    Issue.objects.update(state_at=make.now())
    undo(delivery)
    assert Issue.objects.get().state == "open"


def test_both_acts_are_recorded() -> None:
    delivery = dead()
    replay(delivery)
    row = Delivery.objects.get()
    undo(delivery)
    replayed, undone = AuditEntry.objects.order_by("pk")
    assert (replayed.verb, replayed.before["state"], replayed.before["issue"]["state"]) == (
        "replay",
        "dead",
        "open",
    )
    assert (undone.actor, undone.verb, undone.object_id) == (
        "bob",
        "undo",
        public_id("delivery", delivery.pk),
    )
    assert undone.before == replayed.after == {"state": "pending", "budget_at": row.budget_at.isoformat()}
    assert undone.after == {"state": "dead"}


def refused(delivery: Delivery, sentence: str, **named: Any) -> None:
    before, acts = rows(), AuditEntry.objects.count()
    assert undo(delivery, **named) == ReplayVerdict(answer=Answer.LATE, sentence=sentence)
    assert (rows(), AuditEntry.objects.count()) == (before, acts)


def test_a_second_undo_is_told_who_was_first() -> None:
    delivery = dead()
    replay(delivery)
    at = Delivery.objects.get().budget_at
    undo(delivery, actor="eve")
    refused(delivery, "It was undone already, by eve.", replayed_at=at)


def test_the_button_of_one_replay_does_not_undo_the_next() -> None:
    delivery = dead()
    replay(delivery)
    at = Delivery.objects.get().budget_at
    undo(delivery)
    replay(delivery)
    refused(delivery, "It was undone already, by bob.", replayed_at=at)
    assert undo(delivery).is_done


def test_a_replay_that_was_to_go_at_once_cannot_be_undone() -> None:
    delivery = dead()
    replay_delivery(delivery_id=delivery.pk, actor="ada")
    refused(delivery, "There is no such replay to undo.")


def test_what_was_discarded_meanwhile_stays_so() -> None:
    delivery = dead()
    replay(delivery)
    discard_delivery(delivery_id=delivery.pk, actor="eve")
    refused(delivery, "Too late: it is discarded.")


def test_an_unknown_delivery_is_missing() -> None:
    verdict = undo_replay(delivery_id=uuid7(), replayed_at=make.now(), actor="bob")
    assert verdict == ReplayVerdict(answer=Answer.MISSING, sentence="There is no such delivery.")


def test_it_can_be_undone_though_somebody_had_it_tried_at_once_as_long_as_it_was_not() -> None:
    delivery = dead()
    before = rows()
    replay(delivery)
    retry_now(delivery_id=delivery.pk, actor="eve")
    assert undo(delivery).is_done
    assert rows() == before


def test_a_held_lane_keeps_it_undoable() -> None:
    delivery = dead()
    Lane.objects.update(hold=Hold.PAUSED)
    assert replay(delivery).sentence == "It is pending, and waits because its subscription is paused."
    table = Table()
    table.pass_s(3600)
    table.turn()
    assert undo(delivery).is_done


def test_an_open_circuit_is_said() -> None:
    delivery = dead()
    Lane.objects.update(circuit="open")
    assert replay(delivery).sentence == "It is pending, and waits because its circuit is open."


def test_a_replay_of_many_that_begins_meanwhile_leaves_it_out_and_undone_it_is_free() -> None:
    to = make.subscription()
    delivery, other = dead(to=to), dead(to=to)
    replay(delivery)
    many = started()
    replay_packs.unpack()
    assert list(ReplayItem.objects.values_list("delivery_id", flat=True)) == [other.pk]
    assert undo(delivery).is_done
    assert many.total == 1
    assert replay_delivery(delivery_id=delivery.pk, actor="ada").sentence == "It is due now."


def test_what_a_running_replay_has_chosen_is_left_to_it() -> None:
    delivery = dead()
    started()
    assert replay(delivery).sentence == "A replay that is still running has chosen it already."
    assert (Delivery.objects.get().state, AuditEntry.objects.filter(object_kind="delivery").count()) == (
        "dead",
        0,
    )


# -- the dispatcher


def sent(table: Table, delivery: Delivery) -> bool:
    return delivery.pk in [job.row.delivery_id for job in table.jobs]


def test_before_it_is_due_nothing_is_sent_and_then_it_is() -> None:
    delivery, table = dead(), Table()
    replay(delivery)
    for after, is_sent in ((0, False), (4.9, False), (0.2, True)):
        table.catch_up()
        table.pass_s(after)
        table.turn()
        assert sent(table, delivery) is is_sent


def test_a_claim_ends_what_can_be_undone_and_the_undo_is_told_so() -> None:
    delivery, table = dead(), Table()
    replay(delivery)
    replayed_at = Delivery.objects.get().budget_at
    table.pass_s(6)
    table.turn()
    refused(delivery, "Too late: it is being sent.", replayed_at=replayed_at)
    row = Delivery.objects.get()
    assert row.budget_at == row.due_at == replayed_at + UNDO_FOR
    table.now = replayed_at.replace(microsecond=0) + timedelta(seconds=7)
    table.answer(table.begin())
    refused(delivery, f"Too late: it was sent at {table.now:%H:%M:%S} UTC.", replayed_at=replayed_at)
    assert Delivery.objects.get().state == "delivered"


def test_a_dispatcher_whose_clock_is_an_hour_ahead_sends_and_the_undo_is_told_so() -> None:
    delivery, table = dead(), Table()
    table.pass_s(3600)
    replay(delivery)
    replayed_at = Delivery.objects.get().budget_at
    table.turn()
    assert sent(table, delivery)
    refused(delivery, "Too late: it is being sent.", replayed_at=replayed_at)


def test_what_is_undone_between_the_claims_read_and_its_word_is_not_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    delivery, table = dead(), Table()
    replay(delivery)
    take_up, answers = undoing.take_up, []

    def late(**given: Any) -> set[Any]:
        answers.append(undo(delivery).answer)
        return take_up(**given)

    monkeypatch.setattr(undoing, "take_up", late)
    table.pass_s(6)
    table.turn()
    assert answers == [Answer.DONE]
    assert table.jobs == []
    assert Delivery.objects.get().state == "dead"


def test_what_nobody_could_undo_costs_the_claim_no_statement() -> None:
    to = make.subscription()
    make.delivery(to)
    replay_delivery(delivery_id=dead(to=to).pk, actor="ada")
    table = Table()
    table.catch_up()
    table.turn()
    rows_in_hand = [job.row for job in table.jobs]
    assert len(rows_in_hand) == 2
    with connection.execute_wrapper(_forbid):
        assert undoing.take_up(holding=table.holding, rows=rows_in_hand, now=table.now) == set()


def _forbid(*_: Any) -> None:
    raise AssertionError("it asked")


@pytest.mark.postgresql  # SQLite has one writer at a time
def test_a_claim_waits_for_no_undo_that_is_under_way_and_sends_what_came_of_none() -> None:
    delivery, table = dead(), Table()
    replay(delivery)
    table.pass_s(6)

    def turn() -> None:
        table.turn()
        connection.close()

    with transaction.atomic():
        was = AuditEntry.objects.get(verb="replay").before
        assert disarm(delivery.pk, rearmed_at=Delivery.objects.get().budget_at, was=was)
        claim = threading.Thread(target=turn)
        claim.start()
        claim.join(10)
        assert not claim.is_alive() and table.jobs == []
        transaction.set_rollback(True)
    table.turn()
    assert sent(table, delivery)


@pytest.mark.parametrize("round_", range(5))
def test_of_many_undos_and_a_claim_exactly_one_is_first(round_: int) -> None:
    delivery, table = dead(), Table()
    replay(delivery)
    replayed_at = Delivery.objects.get().budget_at
    table.pass_s(6)
    start_, answers = threading.Barrier(5), []

    def run(act: Callable[[], object]) -> None:
        try:
            start_.wait()
            act()
        finally:
            connection.close()

    clicks = [lambda: answers.append(undo(delivery, replayed_at=replayed_at).answer)] * 4
    threads = [threading.Thread(target=run, args=[act]) for act in (*clicks, table.turn)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    table.turn()
    is_sent = sent(table, delivery)
    assert sorted(answers) == sorted([Answer.LATE] * 4 if is_sent else [Answer.DONE, *[Answer.LATE] * 3])
    assert Delivery.objects.get().state == ("pending" if is_sent else "dead")


def test_in_a_strict_lane_it_has_its_turn_and_undone_the_others_go_on() -> None:
    to = make.subscription(ordering="strict")
    first, second = dead(to=to, seq=1), make.delivery(to, seq=2)
    table = Table()
    replay(first)
    table.catch_up()
    table.turn()
    assert table.jobs == []
    slept = sleep(holding=table.holding, lanes=[to.pk], now=table.now)
    assert slept.asleep and Lane.objects.get().next_due_at == Delivery.objects.get(pk=first.pk).due_at
    undo(first)
    assert Lane.objects.get().next_due_at <= make.now()
    other = Table(holding=table.holding)
    other.turn()
    assert [job.row.delivery_id for job in other.jobs] == [second.pk]


def test_where_only_the_latest_is_wanted_what_a_newer_version_overtook_stays_superseded() -> None:
    to = make.subscription(latest_only=True)
    old = make.event(type="t", state="routed", entity="order/1", entity_version=1)
    delivery = make.delivery(to, old, state="delivered", settled_at=make.now())
    replay(delivery)
    replayed_at = Delivery.objects.get().budget_at
    make.delivery(to, make.event(type="t", state="routed", entity="order/1", entity_version=2))
    table = Table()
    table.pass_s(6)
    table.turn()
    refused(delivery, "Too late: it is superseded.", replayed_at=replayed_at)
