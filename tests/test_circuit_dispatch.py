"""A failing endpoint's lane is parked, probed once and fed gently; no lane beside it notices."""

import asyncio
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext

from deliveries.deciders.outcome import Outcome
from deliveries.dispatcher import lanes, pace, seats
from deliveries.dispatcher.pacer import Pacer
from deliveries.models import (
    Attempt,
    Circuit,
    CircuitChange,
    Delivery,
    DeliveryState,
    Lane,
    LaneOrder,
    Notice,
    Subscription,
)
from deliveries.services import circuits
from deliveries.services.holds import pause, resume
from deliveries.services.lanes import wake_sleeping
from tests import make
from tests.desks import Table
from tests.endpoints import Endpoint, Request, answers, never_answers
from tests.running import dispatchers, until

pytestmark = pytest.mark.django_db(transaction=True)

FAILING, BLOCKED = Outcome.SERVER_ERROR, Outcome.BLOCKED
FIVE: dict[str, Any] = {"circuit_min_volume": 5, "circuit_cooldown_s": 60.0, "circuit_cooldown_cap_s": 240.0}
BRIEF: dict[str, Any] = {"circuit_min_volume": 5, "circuit_cooldown_s": 0.1, "circuit_cooldown_cap_s": 0.4}


@pytest.fixture(autouse=True)
def loopback(settings) -> None:
    settings.HUB_EGRESS_ALLOW = [ip_network("127.0.0.0/8")]
    settings.HUB_RETRY_FIRST_S = 0.05
    settings.HUB_RETRY_FACTOR = 1
    settings.HUB_RETRY_MAX_ATTEMPTS = 100


class Moody:
    """An endpoint's mood, set by the test, and how many requests it had at once."""

    def __init__(self, status: int = 500) -> None:
        self.status = status
        self.at_once = self.most_at_once = self.answered = 0
        self.bounds: list[tuple[int, int]] = []  # answered well before, and then at once

    async def __call__(self, request: Request, writer: asyncio.StreamWriter) -> None:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.bounds.append((self.answered, self.at_once))
        await asyncio.sleep(0.005)
        self.at_once -= 1
        self.answered += self.status == 200
        await answers(self.status)(request, writer)


def circuit(of: Subscription) -> str:
    return Lane.objects.values_list("circuit", flat=True).get(pk=of.pk)


def moves(of: Subscription) -> list[str]:
    changes = CircuitChange.objects.filter(subscription=of).order_by("at", "id")
    return [f"{change.before} → {change.after}" for change in changes]


def notices() -> list[str]:
    return list(Notice.objects.order_by("id").values_list("kind", flat=True))


def attempts_of(of: Subscription) -> list[int]:
    return sorted(Delivery.objects.filter(subscription=of).values_list("attempts", flat=True))


def drained(of: Subscription) -> bool:
    return not Delivery.objects.filter(subscription=of, state=DeliveryState.PENDING).exists()


# -- with real endpoints


def test_a_failing_endpoint_opens_its_circuit_at_the_threshold_and_the_rest_is_parked_unspent() -> None:
    with Endpoint(answers(500)) as failing, Endpoint(answers(200)) as healthy:
        sick = make.subscription(failing.url, window=1, **FIVE)
        well = make.subscription(healthy.url)
        make.deliveries(sick, 40)
        make.deliveries(well, 40)
        before = dict(Delivery.objects.filter(subscription=sick).values_list("id", "due_at"))
        with dispatchers():
            until(lambda: Lane.objects.filter(pk=sick.pk, seat=None, circuit=Circuit.OPEN).exists())
            until(lambda: drained(well))
        assert len(failing.requests) == 5
    assert sum(attempts_of(sick)) == 5
    parked = Delivery.objects.filter(subscription=sick, attempts=0)
    assert {each.id: each.due_at for each in parked} == {
        each: before[each] for each in parked.values_list("id", flat=True)
    }
    change = CircuitChange.objects.get()
    assert (change.subscription_id, change.before, change.after) == (sick.pk, "closed", "open")
    assert change.attempt_id == Attempt.objects.order_by("-id").filter(outcome="server_error").first().pk
    assert notices() == ["circuit-opened"]
    lane = Lane.objects.get(pk=sick.pk)
    assert lane.next_due_at == lane.cooldown_until
    assert timedelta(seconds=60) <= lane.cooldown_until - lane.circuit_since <= timedelta(seconds=66)
    assert (lane.cooldowns, lane.failing_since is not None) == (1, True)
    assert circuit(well) == Circuit.CLOSED


def test_requests_in_flight_when_it_opens_are_all_it_still_gets() -> None:
    with Endpoint(answers(500)) as failing:
        sick = make.subscription(failing.url, window=10, **FIVE)
        make.deliveries(sick, 200)
        with dispatchers():
            until(lambda: Lane.objects.filter(pk=sick.pk, seat=None, circuit=Circuit.OPEN).exists())
        assert 5 <= len(failing.requests) <= 14
        assert sum(attempts_of(sick)) == len(failing.requests)
    assert moves(sick) == ["closed → open"]


@pytest.mark.parametrize("seat_count", [1, pytest.param(3, marks=pytest.mark.postgresql)])
def test_exactly_one_probe_goes_out_in_the_whole_fleet(settings, seat_count) -> None:
    settings.HUB_SEATS = seat_count
    with Endpoint(never_answers) as endpoint:
        sick = make.subscription(endpoint.url, timeout_s=1.5, **BRIEF)
        make.deliveries(sick, 50)
        Lane.objects.filter(pk=sick.pk).update(circuit=Circuit.OPEN, cooldowns=1, cooldown_until=make.now())
        with dispatchers(seat_count):
            endpoint.wait_for(1)
            probe = Lane.objects.get(pk=sick.pk)
            assert (probe.circuit, probe.probe_id is not None) == (Circuit.HALF_OPEN, True)
            until(lambda: moves(sick) == ["open → half_open", "half_open → open"])
            assert len(endpoint.requests) == 1
    assert Lane.objects.get(pk=sick.pk).cooldowns == 2
    assert Delivery.objects.get(attempts=1).pk == probe.probe_id


def test_a_lane_recovers_one_success_at_a_time_up_to_its_cap_and_everything_arrives() -> None:
    mood = Moody()
    with Endpoint(mood) as endpoint:
        sick = make.subscription(endpoint.url, window=6, **BRIEF)
        make.deliveries(sick, 60)
        with dispatchers():
            until(lambda: "half_open → open" in moves(sick))
            mood.status, mood.bounds, mood.most_at_once = 200, [], 0
            until(lambda: drained(sick))
            until(lambda: circuit(sick) == Circuit.CLOSED)
        assert 1 < mood.most_at_once <= 6
        assert all(at_once <= 1 + answered for answered, at_once in mood.bounds)
    assert moves(sick)[-3:] == ["open → half_open", "half_open → recovering", "recovering → closed"]
    assert notices() == ["circuit-opened", "circuit-closed"]
    lane = Lane.objects.get(pk=sick.pk)
    assert (lane.cooldowns, lane.window, lane.cooldown_until, lane.failing_since) == (0, None, None, None)


def test_people_trip_probe_and_reset_a_circuit_though_nothing_is_due() -> None:
    lane = make.subscription(
        "http://127.0.0.1:9/hook", circuit_cooldown_s=600.0, circuit_cooldown_cap_s=600.0
    )
    with dispatchers():
        for act, expected in (
            (circuits.trip, "open"),
            (circuits.probe_now, "half_open"),
            (circuits.reset, "closed"),
        ):
            act(subscription_id=lane.pk, actor="Ada")
            until(Lane.objects.filter(pk=lane.pk, circuit=expected).exists)
    assert list(CircuitChange.objects.order_by("id").values_list("why", flat=True)) == [
        "Tripped by a person.", "A probe was asked for by a person.", "Reset by a person.",
    ]  # fmt: skip
    assert Lane.objects.values_list("order_number", "order_done").get() == (3, 3)


def test_a_tripped_lane_sends_nothing_until_it_is_reset_and_then_everything() -> None:
    with Endpoint(answers(200)) as endpoint, dispatchers():
        lane = make.subscription(endpoint.url, circuit_cooldown_s=600.0, circuit_cooldown_cap_s=600.0)
        circuits.trip(subscription_id=lane.pk, actor="Ada")
        until(lambda: circuit(lane) == Circuit.OPEN)
        make.deliveries(lane, 5)
        until(lambda: Lane.objects.filter(pk=lane.pk, seat=None).exists())
        assert endpoint.requests == []
        circuits.reset(subscription_id=lane.pk, actor="Ada")
        endpoint.wait_for(5)
        until(lambda: drained(lane))
    assert attempts_of(lane) == [1] * 5


# -- at the desk, with a clock of the test's own


def sick_table(**options) -> tuple[Subscription, Table]:
    lane = make.subscription(**(FIVE | {"retry_first_s": 0.01} | options))
    make.deliveries(lane, 60)
    table = Table()
    table.turn()
    return lane, table


def opened_table(**options) -> tuple[Subscription, Table]:
    lane, table = sick_table(**options)
    table.answer(table.begin(), FAILING)
    assert circuit(lane) == Circuit.OPEN
    return lane, table


def cool(table: Table) -> None:
    """Lets the cool-down pass, and the desk take the lane up again."""
    until_at = Lane.objects.get().cooldown_until
    assert until_at is not None
    table.now = until_at + timedelta(milliseconds=1)
    table.turn()


def test_what_was_buffered_goes_back_unspent_when_the_circuit_opens() -> None:
    lane, table = sick_table(rate_per_s=100.0)
    begun, waiting = table.jobs[:5], table.jobs[5:]
    table.jobs = waiting
    page = table.desk.book.lanes[lane.pk]
    table.answer(begun, FAILING)
    assert table.jobs == []
    assert attempts_of(lane) == [0] * 55 + [1] * 5
    assert page.in_hand == {}
    assert page.pace.tokens is not None
    assert page.pace.tokens.level == 95  # of a hundred, five began


@pytest.mark.parametrize("parked", [10, 1000])
def test_opening_and_closing_take_the_same_few_statements_however_many_are_parked(parked) -> None:
    lane = make.subscription(**FIVE)
    make.deliveries(lane, 5)
    table = Table()
    table.turn()
    begun = table.begin()
    make.deliveries(lane, parked)
    with CaptureQueriesContext(connection) as opening:
        table.answer(begun, FAILING)
        table.turn()
    assert Lane.objects.get().seat is None
    with CaptureQueriesContext(connection) as closing:
        circuits.reset(subscription_id=lane.pk, actor="Ada")
        table.catch_up()
        table.turn()
    assert circuit(lane) == Circuit.CLOSED
    changed = [q["sql"] for q in opening if q["sql"].lstrip().startswith("UPDATE deliveries_delivery")]
    assert len(changed) == 1  # the five that failed
    assert Delivery.objects.filter(attempts=0).count() == parked
    assert len(opening) <= 40
    assert len(closing) <= 50


def test_a_transition_that_is_rolled_back_is_not_believed_and_a_second_try_writes_it_once(
    monkeypatch,
) -> None:
    lane, table = sick_table()
    results = [table.result(job, FAILING) for job in table.begin()]
    whole = pace.write

    def broken(**arguments) -> None:
        whole(**arguments)
        monkeypatch.setattr(pace, "write", whole)
        raise OperationalError("the connection is gone")

    monkeypatch.setattr(pace, "write", broken)
    with pytest.raises(OperationalError):
        table.turn(results)
    assert (circuit(lane), moves(lane), notices()) == (Circuit.CLOSED, [], [])
    assert Attempt.objects.count() == 0
    assert table.desk.book.lanes[lane.pk].circuit.phase == "closed"
    table.turn(results)
    assert (circuit(lane), moves(lane), notices()) == (Circuit.OPEN, ["closed → open"], ["circuit-opened"])


def test_a_commit_that_was_heard_of_as_a_failure_doubles_nothing(monkeypatch) -> None:
    lane, table = sick_table()
    results = [table.result(job, FAILING) for job in table.begin()]
    accept = Pacer.accept

    def deaf(*arguments) -> None:
        monkeypatch.setattr(Pacer, "accept", accept)
        raise OperationalError("the connection is gone")

    monkeypatch.setattr(Pacer, "accept", deaf)
    with pytest.raises(OperationalError):
        table.turn(results)
    assert moves(lane) == ["closed → open"]
    table.turn(results)
    assert (moves(lane), notices()) == (["closed → open"], ["circuit-opened"])
    assert Attempt.objects.count() == 10
    cool(table)
    assert moves(lane) == ["closed → open", "open → half_open"]


@pytest.mark.parametrize("act", [circuits.trip, circuits.reset])
def test_an_order_whose_commit_was_heard_of_as_a_failure_is_carried_out_once(monkeypatch, act) -> None:
    lane, table = opened_table() if act is circuits.reset else sick_table()
    table.turn()
    before = len(moves(lane))
    act(subscription_id=lane.pk, actor="Ada")
    table.catch_up()
    accept = Pacer.accept

    def deaf(*arguments) -> None:
        monkeypatch.setattr(Pacer, "accept", accept)
        raise OperationalError("the connection is gone")

    monkeypatch.setattr(Pacer, "accept", deaf)
    with pytest.raises(OperationalError):
        table.turn()
    assert len(moves(lane)) == before + 1
    table.turn()
    assert len(moves(lane)) == before + 1
    assert circuit(lane) == circuits._LEADS_TO[LaneOrder.TRIP if act is circuits.trip else LaneOrder.RESET]


def test_each_failed_probe_makes_the_next_cool_down_longer_and_tells_nobody_again() -> None:
    lane, table = opened_table()
    lasts = []
    for _ in range(4):
        row = Lane.objects.get()
        lasts.append((row.cooldown_until - row.circuit_since).total_seconds())
        cool(table)
        (probe,) = table.begin()
        table.answer([probe], FAILING)
    assert [60 <= lasts[0] <= 66, 120 <= lasts[1] <= 132, 240 <= lasts[2] <= 264, 240 <= lasts[3] <= 264] == [
        True
    ] * 4
    assert notices() == ["circuit-opened"]
    assert sum(attempts_of(lane)) == 10 + 4
    assert CircuitChange.objects.filter(before="half_open", attempt_id=None).count() == 0


def test_late_answers_of_requests_begun_before_it_opened_say_nothing_of_the_recovery() -> None:
    lane, table = sick_table(window=10)
    begun = table.begin()
    table.answer(begun[:5], FAILING)
    table.turn()
    assert Lane.objects.get().seat_id is not None  # five are still in flight
    cool(table)
    assert table.begin() == []  # and fill the half-open lane's window
    table.answer(begun[5:9], Outcome.OK)
    assert circuit(lane) == Circuit.HALF_OPEN
    assert table.begin() == []
    table.answer(begun[9:], FAILING)
    assert circuit(lane) == Circuit.HALF_OPEN
    (probe,) = table.begin()
    assert Lane.objects.get().probe_id == probe.row.delivery_id
    table.answer([probe], Outcome.OK)
    assert circuit(lane) == Circuit.RECOVERING
    assert len(table.jobs) == 1


def test_a_probe_that_fails_by_our_own_fault_is_followed_by_another() -> None:
    lane, table = opened_table()
    cool(table)
    (probe,) = table.begin()
    table.answer([probe], BLOCKED)
    (other,) = table.begin()
    assert other.row.delivery_id != probe.row.delivery_id
    assert Lane.objects.get().probe_id == other.row.delivery_id
    assert moves(lane) == ["closed → open", "open → half_open"]


def test_a_probe_that_is_called_back_before_it_began_may_go_again() -> None:
    lane, table = opened_table()
    cool(table)
    (probe,) = table.jobs
    Subscription.objects.filter(pk=lane.pk).update(timeout_s=5)
    Lane.objects.update(revision=9)
    table.turn()
    table.turn()
    (again,) = table.jobs
    assert again.orders.timeout_s == 5
    assert Lane.objects.get().probe_id == again.row.delivery_id
    assert attempts_of(lane)[-1] == 1


def test_our_own_faults_open_no_circuit() -> None:
    lane, table = sick_table()
    for _ in range(3):
        table.answer(table.begin(), BLOCKED)
    assert (circuit(lane), moves(lane)) == (Circuit.CLOSED, [])
    assert Lane.objects.get().failing_since is None


def test_an_answer_about_one_payload_is_no_fault() -> None:
    lane, table = sick_table()
    for _ in range(3):
        table.answer(table.begin(), Outcome.CLIENT_ERROR)
    assert (circuit(lane), moves(lane)) == (Circuit.CLOSED, [])


def test_since_when_it_fails_is_noted_once_and_forgotten_at_the_first_answer() -> None:
    _, table = sick_table(circuit_min_volume=1000)
    table.turn()
    first = table.now
    for outcome, expected in ((FAILING, first), (FAILING, first), (BLOCKED, first), (Outcome.OK, None)):
        table.answer(table.begin()[:3], outcome)
        assert Lane.objects.get().failing_since == expected
        table.pass_s(1)


def test_a_healthy_batch_writes_no_lane() -> None:
    _, table = sick_table()
    begun = table.begin()
    with CaptureQueriesContext(connection) as queries:
        table.answer(begun)
    assert [q["sql"] for q in queries if q["sql"].lstrip().startswith("UPDATE deliveries_lane")] == []


def test_faults_and_what_was_good_before_them_open_it_together() -> None:
    lane, table = sick_table(circuit_min_volume=10)
    table.answer(table.begin())  # ten are good
    begun = table.begin()
    table.answer(begun[:9], FAILING)
    assert circuit(lane) == Circuit.CLOSED  # nine of nineteen
    table.answer(begun[9:], FAILING)
    assert circuit(lane) == Circuit.OPEN
    assert CircuitChange.objects.get().why == "10 of 20 attempts failed within 60 s."


def test_a_lane_that_sleeps_and_is_taken_by_another_keeps_its_circuit() -> None:
    lane, table = opened_table()
    table.turn()
    seats.leave(table.holding)
    other = Table(now=table.now)
    other.turn()
    assert Lane.objects.get().seat is None  # nobody need hold a parked lane
    cool(other)
    (probe,) = other.begin()
    other.pass_s(1)
    other.answer([probe], FAILING)
    assert Lane.objects.get().cooldowns == 2
    assert moves(lane) == ["closed → open", "open → half_open", "half_open → open"]


def test_a_half_open_lane_whose_owner_died_is_probed_by_its_next_owner() -> None:
    lane, table = opened_table()
    cool(table)
    assert len(table.begin()) == 1
    seats.leave(table.holding)
    other = Table(now=table.now)
    other.turn()
    (probe,) = other.begin()
    assert Lane.objects.get().probe_id == probe.row.delivery_id
    assert circuit(lane) == Circuit.HALF_OPEN
    assert other.turn().jobs == []


def test_faults_that_were_counted_outlive_their_owner() -> None:
    lane, table = sick_table()
    table.answer(table.begin()[:4], FAILING)
    seats.leave(table.holding)
    other = Table(now=table.now)
    other.turn()
    other.answer(other.begin()[:1], FAILING)
    assert moves(lane) == ["closed → open"]


def test_a_lane_that_is_paused_keeps_its_circuit() -> None:
    lane, table = opened_table()
    pause(subscription_id=lane.pk, actor="Ada")
    table.turn()
    table.pass_s(3600)
    table.turn()
    assert circuit(lane) == Circuit.OPEN
    resume(subscription_id=lane.pk, actor="Ada")
    table.turn()
    assert circuit(lane) == Circuit.HALF_OPEN
    assert len(table.begin()) == 1


def test_new_events_do_not_wake_a_parked_lane() -> None:
    lane, table = opened_table()
    table.turn()
    asleep = Lane.objects.get()
    assert (asleep.seat, asleep.next_due_at) == (None, asleep.cooldown_until)
    with transaction.atomic():
        assert wake_sleeping([lane.pk], at=table.now) == frozenset()
        Lane.objects.update(next_due_at=None)
        assert wake_sleeping([lane.pk], at=table.now) == {lane.pk}
    assert Lane.objects.get().next_due_at == asleep.cooldown_until


def test_an_order_given_while_its_lane_falls_asleep_is_not_slept_over() -> None:
    lane, table = sick_table()
    table.answer(table.begin()[:5], FAILING)
    circuits.reset(subscription_id=lane.pk, actor="Ada")
    slept = lanes.sleep(holding=table.holding, lanes=[lane.pk], now=make.now())
    assert slept.awake == {lane.pk}


def test_orders_carried_out_at_one_moment_are_listed_in_their_order() -> None:
    lane, table = sick_table()
    for act in (circuits.trip, circuits.probe_now, circuits.reset, circuits.trip):
        act(subscription_id=lane.pk, actor="Ada")
        Lane.objects.update(next_due_at=table.now)
        table.turn()
    afters = CircuitChange.objects.filter(subscription=lane).order_by("id").values_list("after", flat=True)
    assert list(afters) == ["open", "half_open", "closed", "open"]


def test_rules_that_a_person_changes_hold_at_once() -> None:
    lane, table = sick_table(circuit_min_volume=1000)
    table.answer(table.begin(), FAILING)
    assert circuit(lane) == Circuit.CLOSED
    Subscription.objects.update(circuit_min_volume=11, window=3)
    Lane.objects.update(revision=9)
    table.turn()
    table.turn()
    assert len(table.jobs) == 3
    table.answer(table.begin()[:1], FAILING)
    assert circuit(lane) == Circuit.OPEN
