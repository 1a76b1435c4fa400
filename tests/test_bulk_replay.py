"""A replay of many: what was previewed is frozen and sent, at its rate, behind live traffic, until it stops."""

from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import pytest

from deliveries.deciders.delivery_query import DeliveryQuery, Status
from deliveries.deciders.outcome import Outcome
from deliveries.deciders.replay_choice import Choice
from deliveries.models import DeadLetter, Delivery, Issue, Lane, Replay, ReplayItem, ReplayLane, Seat
from deliveries.services import replays
from deliveries.services.replay import discard_delivery
from tests import make
from tests.desks import Table
from tests.endpoints import Endpoint, answers, takes_turns
from tests.replaying import DEAD, dead, items, soon, start, started
from tests.running import dispatchers, until
from webhooks.models import AuditEntry, EventBody

pytestmark = pytest.mark.django_db(transaction=True)


def run_dry(table: Table, outcome: Outcome = Outcome.OK, *, within: int = 200) -> list[Any]:
    """Answers everything, a second a turn, until nothing comes any more; returns what was sent, in its order."""
    sent = []
    for _ in range(within):
        table.turn()
        begun = table.begin()
        sent += [job.row.delivery_id for job in begun]
        if begun:
            table.answer(begun, outcome)
        elif not Replay.objects.filter(state="running").exists():
            return sent
        table.pass_s(1)
    return sent


def test_what_was_previewed_is_frozen_and_sent_oldest_first() -> None:
    to = make.subscription()
    made = dead(to, 7)
    make.delivery(to, state="delivered", attempts=1)
    now = soon()
    choice = Choice(query=DEAD).frozen(now)
    assert replays.estimate(choice, now).count == 7
    replay = started(rate_per_s=2)
    assert (replay.total, replay.waiting, items(replay)) == (7, 7, ["waiting"] * 7)
    assert Delivery.objects.filter(state="pending").count() == 0  # nothing is pending before it is admitted
    table = Table()
    assert run_dry(table) == [each.pk for each in made]
    replay.refresh_from_db()
    assert (replay.state, replay.delivered, replay.done) == ("finished", 7, 7)
    assert items(replay) == ["delivered"] * 7
    assert not DeadLetter.objects.filter(resolved_at=None).exists()
    assert Issue.objects.get().state == "resolved"


def test_it_goes_at_its_rate_and_with_half_of_the_window_at_most() -> None:
    to = make.subscription(window=6)
    dead(to, 20)
    started(rate_per_s=2)
    table = Table()
    sent = []
    for _ in range(5):
        table.turn()
        begun = table.begin()
        table.answer(begun)
        sent.append(len(begun))
        table.pass_s(1)
    assert sum(sent) in (9, 10, 11)  # one at once, then two a second
    started(DeliveryQuery(statuses=(Status.DELIVERED,), since="all"), rate_per_s=100)
    for _ in range(3):
        table.pass_s(1)
        table.turn()
    assert len(table.jobs) == 3  # nobody answers, so half of six is all it gets


def test_live_traffic_goes_first_and_is_never_starved() -> None:
    to = make.subscription(window=4)
    dead(to, 30)
    started()
    table = Table()
    make.deliveries(to, 30)
    table.catch_up()
    table.turn()
    assert sorted(job.row.phase for job in table.jobs) == [0, 0, 2, 2]
    for _ in range(6):
        table.answer(table.begin())
        assert [job.row.phase for job in table.jobs].count(2) <= 2
    assert Delivery.objects.filter(state="delivered", phase=0).count() >= 12


def test_one_goes_first_and_the_others_after_its_2xx_alone() -> None:
    to = make.subscription()
    dead(to, 5)
    replay = started(sends_one_first=True)
    table = Table()
    for _ in range(4):
        table.turn()
        table.pass_s(1)
    assert len(table.jobs) == 1
    table.answer(table.begin())
    table.pass_s(1)
    table.turn()
    assert len(table.jobs) == 4
    assert ReplayLane.objects.get(replay=replay).is_proved


def test_a_first_one_that_fails_stops_it() -> None:
    to = make.subscription(name="ERP core")
    dead(to, 5)
    replay = started(sends_one_first=True)
    table = Table()
    table.turn()
    table.answer(table.begin(), Outcome.SERVER_ERROR)
    for _ in range(3):
        table.pass_s(1)
        table.turn()
    replay.refresh_from_db()
    assert (replay.state, replay.stop_reason) == (
        "stopped",
        "The one that was sent first to ERP core failed: 500",
    )
    assert items(replay) == ["failed", *["waiting"] * 4]
    assert [answer["status"] for answer in replay.answers] == [500]


def test_it_stops_by_itself_at_the_eleventh_failure_and_goes_on_when_told() -> None:
    to = make.subscription(circuit_min_volume=1000)
    dead(to, 40)
    replay = started(stops_itself=True)
    table = Table()
    run_dry(table, Outcome.CLIENT_ERROR)
    replay.refresh_from_db()
    assert (replay.state, replay.failed) == ("stopped", replay.failed)
    assert replay.stop_reason.startswith("11 of the last 11 failed")
    assert 11 <= replay.failed <= 15 and replay.admitted == 0
    assert len(replay.answers) == 5
    assert replays.resume(replay_id=replay.pk, actor="ada").is_done
    table.catch_up()
    run_dry(table)
    replay.refresh_from_db()
    assert (replay.state, replay.failed + replay.delivered) == ("finished", 40)


def test_a_circuit_that_opens_stops_it_or_holds_its_items() -> None:
    for stops in (True, False):
        to = make.subscription(name=f"lane {stops}", circuit_min_volume=3, circuit_failure_rate=0.5)
        dead(to, 9)
        query = DeliveryQuery(statuses=(Status.DEAD,), subscriptions=(to.pk,), since="all")
        replay = started(query, stops_itself=stops)
        table = Table()
        table.turn()
        table.answer(table.begin(), Outcome.SERVER_ERROR)
        for _ in range(3):
            table.turn()
        replay.refresh_from_db()
        assert Lane.objects.get(pk=to.pk).circuit == "open"
        assert replay.state == ("stopped" if stops else "running")
        assert replay.stop_reason == (f"The circuit of {to.name} opened." if stops else "")
        assert replay.waiting == 9 - replay.failed > 0 and not table.jobs
        Seat.objects.update(epoch=99, leased_until=None)


@pytest.mark.parametrize("hold", ["paused", "disabled"])
def test_a_lane_that_is_held_admits_nothing(hold: str) -> None:
    to = make.subscription()
    dead(to, 3)
    replay = started()
    table = Table()
    Lane.objects.update(hold=hold, revision=9)
    for _ in range(3):
        table.turn()
        table.pass_s(1)
    assert not table.jobs and items(replay) == ["waiting"] * 3


def test_a_dispatcher_that_dies_leaves_it_where_it_stood() -> None:
    to = make.subscription(window=4)
    dead(to, 6)
    replay = started()
    first = Table()
    first.turn()
    begun = first.begin()
    assert len(begun) == 2
    Seat.objects.update(leased_until=None)  # killed: its lease is over, and it settles nothing
    second = Table(now=first.now + timedelta(seconds=60))
    sent = run_dry(second)
    assert len(sent) == 6 and set(sent) >= {job.row.delivery_id for job in begun}
    replay.refresh_from_db()
    assert (replay.state, replay.delivered) == ("finished", 6)


def test_paused_it_admits_nothing_resumed_it_goes_on() -> None:
    to = make.subscription(window=4)
    dead(to, 6)
    replay = started()
    table = Table()
    table.turn()
    begun = table.begin()
    paused = replays.pause(replay_id=replay.pk, actor="ada", reason="lunch")
    assert paused.sentence == "It is paused; 2 under way will still be sent."
    table.answer(begun)
    table.pass_s(1)
    table.turn()
    assert not table.jobs and items(replay).count("waiting") == 4
    again = replays.pause(replay_id=replay.pk, actor="bob")
    assert (again.is_done, again.sentence) == (False, "It is paused already.")
    assert replays.resume(replay_id=replay.pk, actor="bob").is_done
    table.catch_up()
    run_dry(table)
    replay.refresh_from_db()
    assert (replay.state, replay.delivered) == ("finished", 6)
    acts = AuditEntry.objects.filter(object_kind="replay").order_by("pk").values_list("actor", "verb")
    assert list(acts) == [("ada", "start-replay"), ("ada", "pause-replay"), ("bob", "resume-replay")]


def test_cancelled_it_gives_back_what_waits_and_says_what_is_under_way() -> None:
    to = make.subscription(window=4)
    made = dead(to, 6)
    replay = started()
    table = Table()
    table.turn()
    begun = table.begin()
    verdict = replays.cancel(replay_id=replay.pk, actor="ada", reason="wrong set")
    assert verdict.sentence == "It is cancelled and gives back 4; 2 under way will still be sent."
    replay.refresh_from_db()
    assert (replay.state, replay.returned, replay.admitted, replay.waiting) == ("cancelled", 4, 2, 0)
    table.answer(begun)
    replay.refresh_from_db()
    assert (replay.delivered, replay.admitted) == (2, 0)
    assert Delivery.objects.filter(state="dead").count() == 4
    assert start().is_done  # the rest may be chosen anew
    assert [each.pk for each in made[2:]] == list(
        ReplayItem.objects.exclude(replay=replay).order_by("pk").values_list("delivery_id", flat=True)
    )


def test_another_rate_is_gone_by_at_once_and_above_the_limit_only_by_who_may() -> None:
    to = make.subscription(rate_per_s=5)
    dead(to, 3)
    replay = started(rate_per_s=1)
    refused = replays.set_rate(replay_id=replay.pk, rate_per_s=9, may_exceed=False, actor="ada")
    assert refused.sentence == "Above 5 a second, which a subscription allows, only a lead may go."
    replay.refresh_from_db()
    assert (replay.rate_per_s, replay.exceeds_limits) == (1, False)
    assert replays.set_rate(replay_id=replay.pk, rate_per_s=9, may_exceed=True, actor="eve").is_done
    replay.refresh_from_db()
    assert (replay.rate_per_s, replay.exceeds_limits) == (9, True)
    assert replays.set_rate(replay_id=replay.pk, rate_per_s=0, may_exceed=True, actor="eve").is_done is False


def test_one_that_may_exceed_lets_its_lane_go_faster_for_as_long_as_it_runs() -> None:
    to = make.subscription(rate_per_s=1, window=40)
    dead(to, 30)
    started(rate_per_s=10, may_exceed=True)
    table = Table()
    sent = []
    for _ in range(4):
        table.turn()
        begun = table.begin()
        table.answer(begun)
        sent.append(len(begun))
        table.pass_s(1)
    assert sum(sent) >= 21


def test_a_delivery_has_one_active_replay() -> None:
    to = make.subscription()
    dead(to, 3)
    started()
    now = soon()
    estimate = replays.estimate(Choice(query=DEAD).frozen(now), now)
    assert (estimate.count, [(each.reason, each.count) for each in estimate.left_out]) == (0, [("chosen", 3)])
    assert start(actor="bob").answer == replays.Answer.NOTHING
    assert ReplayItem.objects.count() == 3


def test_the_same_person_is_shown_what_runs_already_and_another_person_is_not() -> None:
    to = make.subscription()
    dead(to, 2)
    replay = started()
    dead(to, 2)
    again = start()
    assert (again.answer, again.replay_id) == (replays.Answer.RUNNING, replay.pk)
    assert start(actor="bob").is_done
    assert Replay.objects.count() == 2


def test_a_set_that_changed_since_it_was_seen_is_not_started() -> None:
    to = make.subscription()
    dead(to, 3)
    verdict = start(seen=5)
    assert verdict.sentence == "You saw 5; it is 3 now. Nothing was started: look again."
    assert not Replay.objects.exists() and not ReplayItem.objects.exists() and not AuditEntry.objects.exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"reason": " "}, "Say why: a reason is needed."),
        ({"rate_per_s": -1.0}, "A rate is more than 0 and at most 10,000 a second."),
        ({"rate_per_s": 6.0}, "Above 5 a second, which a subscription allows, only a lead may go."),
        ({"seen": 200_001}, "At most 200,000 at once; narrow what is chosen."),
    ],
)
def test_what_must_not_be_started_is_not(options: dict[str, Any], sentence: str) -> None:
    dead(make.subscription(rate_per_s=5), 2)
    assert start(**options).sentence == sentence
    assert not Replay.objects.exists() and not ReplayItem.objects.exists() and not AuditEntry.objects.exists()


def test_what_is_discarded_meanwhile_is_skipped() -> None:
    to = make.subscription(window=4)
    made = dead(to, 4)
    replay = started()
    table = Table()
    table.turn()
    for each in (made[0], made[3]):  # one under way, one waiting
        assert discard_delivery(delivery_id=each.pk, actor="bob").is_done
    run_dry(table)
    replay.refresh_from_db()
    assert (replay.state, replay.delivered, replay.skipped) == ("finished", 2, 2)
    assert Delivery.objects.filter(state="discarded").count() == 2


def test_what_lost_its_body_meanwhile_is_skipped() -> None:
    to = make.subscription()
    made = dead(to, 2)
    replay = started()
    EventBody.objects.filter(event_id=made[0].event_id).delete()
    run_dry(Table())
    replay.refresh_from_db()
    assert (replay.state, replay.delivered, replay.skipped) == ("finished", 1, 1)


def test_a_strict_lane_replays_one_at_a_time_in_its_order() -> None:
    to = make.subscription(ordering="strict")
    made = [dead(to, seq=number)[0] for number in (1, 2, 3)]
    replay = started()
    assert run_dry(Table()) == [each.pk for each in made]
    replay.refresh_from_db()
    assert replay.state == "finished"


def test_a_hub_without_a_replay_asks_nothing_for_it(django_assert_num_queries: Any) -> None:
    to = make.subscription()
    make.deliveries(to, 3)
    table = Table()
    table.turn()
    with django_assert_num_queries(0):
        table.desk._feeder.feed(table.now)


def test_a_real_dispatcher_sends_it_to_a_real_endpoint(settings: Any) -> None:
    settings.HUB_EGRESS_ALLOW = [ip_network("127.0.0.0/8")]
    with Endpoint(takes_turns(answers(200), answers(422), answers(200))) as endpoint:
        to = make.subscription(endpoint.url, client_errors="once", window=40)
        dead(to, 60)
        replay = started(rate_per_s=100, sends_one_first=True, stops_itself=True)
        with dispatchers():
            until(lambda: Replay.objects.get().state != "running", within_s=30)
        replay.refresh_from_db()
        assert (replay.state, replay.stop_reason) == ("finished", "")
        assert (replay.delivered, replay.failed, len(endpoint.requests)) == (59, 1, 60)
