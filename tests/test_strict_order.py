"""In a strictly ordered lane one delivery is out at a time, in the order of routing, and none passes the head."""

import asyncio
import json
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from ipaddress import ip_network
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from deliveries.deciders.mixing import Room
from deliveries.deciders.ordering import whose_turn
from deliveries.dispatcher import claims, lanes, ordered, router, seats
from deliveries.dispatcher.routes import Routes
from deliveries.dispatcher.turn import Desk, Wish, Yield
from deliveries.models import Delivery, DeliveryState, Lane, Ordering, Phase, Subscription
from deliveries.services.replay import discard_delivery, replay_delivery
from deliveries.services.subscriptions import update_subscription
from tests import make
from tests.endpoints import Endpoint, Request, answers, never_answers
from tests.running import dispatchers, until

pytestmark = pytest.mark.django_db(transaction=True)
SOON, LATER = timedelta(seconds=5), timedelta(hours=1)


def strict(url: str = "http://127.0.0.1:9/hook", **options: Any) -> Subscription:
    return make.subscription(url, ordering=Ordering.STRICT, **options)


def switch(to: Subscription, ordering: Ordering) -> None:
    update_subscription(subscription_id=to.pk, actor="ada", ordering=ordering)


def route(holding: seats.Holding) -> None:
    router.route(holding=holding, routes=Routes(), now=make.now())


def owe(holding: seats.Holding, count: int) -> list[UUID]:
    """Events, routed together; the ids of the deliveries they made, in the order of the events."""
    events = [make.event().pk for _ in range(count)]
    route(holding)
    return list(Delivery.objects.filter(event__in=events).order_by("event_id").values_list("pk", flat=True))


def numbers(to: Subscription) -> list[int | None]:
    return list(Delivery.objects.filter(subscription=to).order_by("event_id").values_list("seq", flat=True))


def claim(holding: seats.Holding, to: Subscription, *, window: int = 1) -> list[UUID]:
    lanes.take(holding=holding, now=make.now(), most=100)
    is_ordered = Subscription.objects.get(pk=to.pk).ordering == Ordering.STRICT
    need = claims.Need(room=Room(window=window), in_hand=[], is_ordered=is_ordered)
    found = claims.claim(holding=holding, needs={to.pk: need}, now=make.now())
    return [row.delivery_id for row in found.deliveries]


def leave_pending(delivery: UUID, state: str) -> None:
    Delivery.objects.filter(pk=delivery).update(state=state, due_at=None)


def wait_for(delivery: UUID, due_in: timedelta) -> None:
    Delivery.objects.filter(pk=delivery).update(due_at=make.now() + due_in, phase=Phase.RETRY, attempts=1)


# -- numbers


def test_deliveries_are_numbered_in_the_order_of_their_events(holding) -> None:
    lane = strict()
    owe(holding, 3)
    owe(holding, 2)
    assert numbers(lane) == [1, 2, 3, 4, 5]
    assert Lane.objects.get(pk=lane.pk).last_seq == 5


def test_each_lane_counts_for_itself_and_an_unordered_one_not_at_all(holding) -> None:
    first, plain = strict(event_types=["a", "b"]), make.subscription()
    second = strict(event_types=["b"])
    for kind in "aab":
        make.event(type=kind)
    route(holding)
    assert (numbers(first), numbers(second), numbers(plain)) == ([1, 2, 3], [1], [None, None, None])
    assert Lane.objects.get(pk=plain.pk).last_seq == 0


def test_an_event_that_nobody_wanted_takes_no_number(holding) -> None:
    lane = strict(event_types=["a"])
    for kind in "aba":
        make.event(type=kind)
    route(holding)
    assert numbers(lane) == [1, 2]


def test_an_event_too_wide_for_one_transaction_goes_before_those_that_came_after_it(
    holding, monkeypatch
) -> None:
    monkeypatch.setattr(router, "DELIVERIES", 2)
    subscriptions = [strict() for _ in range(5)]
    first, second = make.event(), make.event()
    for _ in range(8):
        route(holding)
    for lane in subscriptions:
        rows = Delivery.objects.filter(subscription=lane).order_by("seq").values_list("event_id", "seq")
        assert list(rows) == [(first.pk, 1), (second.pk, 2)]


@pytest.mark.postgresql
def test_two_who_number_one_lane_at_once_never_give_one_number_twice() -> None:
    lane = strict()
    given_out: list[int] = []

    def number() -> None:
        for _ in range(20):
            with transaction.atomic():
                given_out.extend(ordered.number({lane.pk: 3})[lane.pk])
        connections.close_all()

    threads = [threading.Thread(target=number) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(given_out) == list(range(1, 241))


# -- whose turn it is


class Place(NamedTuple):
    delivery_id: UUID
    seq: int | None
    due_at: datetime


PLACES = st.lists(
    st.builds(
        Place,
        st.uuids(),
        st.none() | st.integers(min_value=1, max_value=2**62),
        st.datetimes(min_value=datetime(2026, 1, 1), max_value=datetime(2027, 1, 1)),
    ),
    unique_by=(lambda each: each.delivery_id, lambda each: each.seq or each.delivery_id),
)


@given(PLACES)
def test_nobody_with_a_number_goes_before_one_without_nor_a_higher_before_a_lower(places) -> None:
    turn = whose_turn(places)
    without = [each for each in places if each.seq is None]
    if without:
        assert turn in without
        assert turn.due_at == min(each.due_at for each in without)
    elif places:
        assert turn.seq == min(each.seq for each in places)
    else:
        assert turn is None


def test_only_the_head_is_claimed_however_much_is_due(holding) -> None:
    lane = strict()
    head, *_ = owe(holding, 5)
    assert claim(holding, lane, window=4) == [head]


def test_a_head_that_waits_for_its_retry_holds_up_all_others(holding) -> None:
    lane = strict()
    head, *_ = owe(holding, 5)
    wait_for(head, SOON)
    assert claim(holding, lane) == []


@pytest.mark.parametrize("state", ["delivered", "dead", "discarded", "superseded"])
def test_whatever_became_of_the_head_the_next_one_follows(holding, state) -> None:
    lane = strict()
    head, second, _ = owe(holding, 3)
    leave_pending(head, state)
    assert claim(holding, lane) == [second]


def test_an_older_one_that_is_replayed_is_the_head_again(holding) -> None:
    lane = strict()
    first, second, _ = owe(holding, 3)
    leave_pending(first, "dead")
    assert claim(holding, lane) == [second]
    assert replay_delivery(delivery_id=first, actor="ada").is_done
    assert claim(holding, lane) == [first]


def test_one_that_is_dead_from_the_start_holds_no_one_up_and_keeps_its_place(holding) -> None:
    lane = strict(filter="abs(data) > `0`")
    make.event(b'{"data":"no number"}')
    make.event(b'{"data":1}')
    route(holding)
    dead, sound = Delivery.objects.order_by("event_id")
    assert (dead.state, dead.seq, sound.seq) == (DeliveryState.DEAD, 1, 2)
    assert claim(holding, lane) == [sound.pk]
    replay_delivery(delivery_id=dead.pk, actor="ada")
    assert claim(holding, lane) == [dead.pk]


def test_fifty_strict_lanes_cost_no_more_statements_than_one(holding) -> None:
    subscriptions = [strict() for _ in range(50)]
    owe(holding, 2)
    lanes.take(holding=holding, now=make.now(), most=100)
    need = claims.Need(room=Room(window=1), in_hand=[], is_ordered=True)

    def statements(count: int) -> int:
        needs = {each.pk: need for each in subscriptions[:count]}
        with CaptureQueriesContext(connection) as asked:
            assert len(claims.claim(holding=holding, needs=needs, now=make.now()).deliveries) == count
        return len(asked)

    assert statements(50) == statements(1)


@pytest.mark.postgresql
def test_postgresql_finds_the_turn_by_the_indexes_of_the_queues_and_the_head(holding) -> None:
    lane = strict()
    make.deliveries(lane, 3000)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE deliveries_delivery d SET seq = v.seq FROM"
            " (SELECT id, row_number() OVER (ORDER BY id) AS seq FROM deliveries_delivery) v WHERE d.id = v.id"
        )
        cursor.execute("ANALYZE deliveries_delivery")
        with CaptureQueriesContext(connection) as asked:
            assert ordered.turns([lane.pk])[lane.pk].seq == 1
        cursor.execute("EXPLAIN " + asked[0]["sql"])
        plan = "\n".join(row[0] for row in cursor.fetchall())
    for index in ("first_due", "retry_due", "replay_due", "head"):
        assert f"delivery_{index}_idx" in plan


# -- asleep and awake


def sleep(holding: seats.Holding, lane: Subscription) -> lanes.Slept:
    lanes.take(holding=holding, now=make.now(), most=100)
    return lanes.sleep(holding=holding, lanes=[lane.pk], now=make.now())


def test_a_lane_sleeps_while_its_head_waits_though_others_are_due(holding) -> None:
    lane = strict()
    head, *_ = owe(holding, 3)
    wait_for(head, LATER)
    assert sleep(holding, lane).asleep == {lane.pk}
    assert Lane.objects.get().next_due_at == Delivery.objects.get(pk=head).due_at


def test_a_lane_whose_head_is_due_stays_awake(holding) -> None:
    lane = strict()
    owe(holding, 2)
    assert sleep(holding, lane).awake == {lane.pk}


def test_a_head_that_is_discarded_wakes_the_lane_it_held_up(holding) -> None:
    lane = strict()
    head, second = owe(holding, 2)
    wait_for(head, LATER)
    sleep(holding, lane)
    discard_delivery(delivery_id=head, actor="ada")
    assert Lane.objects.get().next_due_at <= make.now()
    assert claim(holding, lane) == [second]


# -- switched with a backlog


def test_what_was_owed_before_the_order_was_asked_for_goes_first_and_one_at_a_time(holding) -> None:
    lane = make.subscription()
    before = owe(holding, 2)
    switch(lane, Ordering.STRICT)
    after = owe(holding, 2)
    sent = []
    for _ in range(4):
        (turn,) = claim(holding, lane, window=4)
        sent.append(turn)
        leave_pending(turn, "delivered")
    assert sent == [*before, *after]


def test_nothing_with_a_number_passes_one_without_that_waits_for_its_retry(holding) -> None:
    lane = make.subscription()
    failed, due = owe(holding, 2)
    switch(lane, Ordering.STRICT)
    (numbered,) = owe(holding, 1)
    wait_for(failed, SOON)
    assert claim(holding, lane) == [due]
    leave_pending(due, "delivered")
    assert claim(holding, lane) == []
    wait_for(failed, -SOON)
    assert claim(holding, lane) == [failed]
    leave_pending(failed, "dead")
    assert claim(holding, lane) == [numbered]


def test_what_came_while_the_order_was_off_goes_in_between_when_it_is_on_again(holding) -> None:
    lane = strict()
    numbered = owe(holding, 2)
    switch(lane, Ordering.UNORDERED)
    plain = owe(holding, 2)
    switch(lane, Ordering.STRICT)
    last = owe(holding, 1)
    sent = []
    while turn := claim(holding, lane):
        sent += turn
        leave_pending(turn[0], "delivered")
    assert sent == [*numbered, *plain, *last]


def test_once_the_order_is_off_all_that_is_due_is_due_at_once(holding) -> None:
    lane = strict()
    head, *others = owe(holding, 3)
    wait_for(head, LATER)
    sleep(holding, lane)
    switch(lane, Ordering.UNORDERED)
    assert Lane.objects.get().next_due_at <= make.now()
    assert claim(holding, lane, window=4) == others


# -- with real dispatchers and endpoints


@pytest.fixture
def quick(settings) -> None:
    settings.HUB_EGRESS_ALLOW = [ip_network("127.0.0.0/8")]


def told(request: Request) -> int:
    return int(json.loads(request.body)["n"])


def tells(count: int) -> list[int]:
    for number in range(count):
        make.event(json.dumps({"n": number}).encode())
    return list(range(count))


def stumbles(every: int) -> Callable[[Request, asyncio.StreamWriter], Any]:
    """Fails each first try of every so many, and takes its time with the others."""
    failed: set[int] = set()

    async def behave(request: Request, writer: asyncio.StreamWriter) -> None:
        number = told(request)
        if number % every == 0 and number not in failed:
            failed.add(number)
            await answers(500)(request, writer)
        else:
            await asyncio.sleep(0.002)
            await answers(200)(request, writer)

    return behave


def pending() -> int:
    return Delivery.objects.filter(state=DeliveryState.PENDING).count()


def test_an_endpoint_that_stumbles_hears_of_each_event_before_the_next(quick) -> None:
    with Endpoint(stumbles(5)) as endpoint:
        strict(endpoint.url, retry_delays_s=[0.02, 0.02, 0.02])
        tells(20)
        with dispatchers():
            until(lambda: Delivery.objects.count() == 20 and not pending())
        heard = [told(request) for request in endpoint.requests]
    assert heard == sorted(heard)
    assert {number: heard.count(number) for number in heard} == {n: 2 - bool(n % 5) for n in range(20)}


def test_a_head_that_dies_lets_the_next_one_pass(quick) -> None:
    async def dislikes_the_first(request: Request, writer: asyncio.StreamWriter) -> None:
        await answers(200 if told(request) else 422)(request, writer)

    with Endpoint(dislikes_the_first) as endpoint:
        strict(endpoint.url, client_errors="once")
        tells(3)
        with dispatchers():
            until(lambda: Delivery.objects.count() == 3 and not pending())
        assert [told(request) for request in endpoint.requests] == [0, 1, 2]


@pytest.mark.postgresql
def test_the_order_holds_while_dispatchers_come_and_go(quick, settings) -> None:
    settings.HUB_SEATS = 2
    with Endpoint(stumbles(3)) as endpoint:
        strict(endpoint.url, retry_delays_s=[0.02, 0.02, 0.02])
        tells(60)
        for share in (10, 25, 45, 70):
            with dispatchers(2):
                endpoint.wait_for(share)
        with dispatchers(2):
            until(lambda: not pending())
        heard = [told(request) for request in endpoint.requests]
    assert heard == sorted(heard)
    assert set(heard) == set(range(60))


def test_what_was_in_flight_when_its_dispatcher_was_killed_is_sent_again_before_anything_else(quick) -> None:
    with Endpoint(never_answers) as endpoint:
        lane = strict(endpoint.url, timeout_s=20)
        tells(2)
        with dispatchers():
            endpoint.wait_for(1)
    with Endpoint(answers(200)) as endpoint:
        Subscription.objects.filter(pk=lane.pk).update(url=endpoint.url)
        with dispatchers():
            until(lambda: not pending())
        assert [told(request) for request in endpoint.requests] == [0, 1]


def test_what_is_out_when_the_order_is_switched_on_comes_back_before_anything_else_goes(quick) -> None:
    release = threading.Event()

    async def waits(request: Request, writer: asyncio.StreamWriter) -> None:
        while not release.is_set():
            await asyncio.sleep(0.01)
        await answers(200)(request, writer)

    with Endpoint(waits) as endpoint:
        lane = make.subscription(endpoint.url)
        tells(3)
        with dispatchers():
            endpoint.wait_for(3)
            switch(lane, Ordering.STRICT)
            make.event(b'{"n": 3}')
            make.event(b'{"n": 4}')
            until(lambda: Delivery.objects.count() == 5)
            assert len(endpoint.requests) == 3
            release.set()
            until(lambda: not pending())
        assert [told(request) for request in endpoint.requests][3:] == [3, 4]


def test_what_was_claimed_under_other_orders_is_called_back_before_it_is_sent(holding) -> None:
    lane = make.subscription()
    desk, wish = Desk(holding), partial(Wish, results=[], look_for_events=False, is_draining=False)
    owe(holding, 3)
    desk.turn(wish(look_for_lanes=True, now=make.now()), out := Yield())
    assert len(out.jobs) == 3
    switch(lane, Ordering.STRICT)
    owe(holding, 1)
    desk.book.stir([lane.pk])
    desk.turn(wish(look_for_lanes=False, now=make.now()), out := Yield())
    assert (set(out.recalled), out.jobs) == ({lane.pk}, [])
