"""Lanes fall asleep and wake, and no lane sleeps over due work, in whichever order things happen."""

import threading
from datetime import timedelta

import pytest
from django.db import connection, connections, transaction

from deliveries.dispatcher import lanes, seats
from deliveries.models import Delivery, DeliveryState, Hold, Lane
from deliveries.services.lanes import hold_lanes, wake_sleeping
from tests import make

pytestmark = pytest.mark.django_db(transaction=True)


def take(holding: seats.Holding, most: int = 100) -> set:
    return {lane.subscription_id for lane in lanes.take(holding=holding, now=make.now(), most=most)}


def put_to_sleep(holding: seats.Holding, *subscriptions) -> lanes.Slept:
    return lanes.sleep(holding=holding, lanes=[each.pk for each in subscriptions], now=make.now())


def test_a_lane_with_due_work_is_taken_and_one_without_is_not(holding) -> None:
    busy, idle = make.subscription(), make.subscription()
    make.delivery(busy)
    assert take(holding) == {busy.pk}
    assert Lane.objects.get(pk=idle.pk).seat is None


def test_a_lane_that_has_an_owner_is_not_taken_again(holding, settings) -> None:
    settings.HUB_SEATS = 2
    busy = make.subscription()
    make.delivery(busy)
    assert take(holding) == {busy.pk}
    assert take(make.seat()) == set()


def test_a_lane_of_a_bygone_epoch_is_free(holding) -> None:
    busy = make.subscription()
    make.delivery(busy)
    take(holding)
    seats.leave(holding)
    assert take(make.seat()) == {busy.pk}


@pytest.mark.parametrize("hold", [Hold.PAUSED, Hold.DISABLED])
def test_a_held_lane_is_not_taken(holding, hold) -> None:
    held = make.subscription()
    make.delivery(held)
    Lane.objects.update(hold=hold)
    assert take(holding) == set()


def test_an_idle_lane_sleeps_until_its_next_retry(holding) -> None:
    lane = make.subscription()
    make.delivery(lane)
    take(holding)
    later = make.now() + timedelta(hours=1)
    Delivery.objects.update(due_at=later, phase=1)
    assert put_to_sleep(holding, lane).asleep == {lane.pk}
    asleep = Lane.objects.get()
    assert (asleep.seat_id, asleep.seat_epoch, asleep.next_due_at) == (None, None, later)
    assert lanes.next_wake(make.now()) == later


def test_an_endpoint_that_asked_for_quiet_is_not_woken_before(holding) -> None:
    lane = make.subscription()
    make.delivery(lane)
    take(holding)
    quiet = make.now() + timedelta(minutes=5)
    lanes.quiet(holding=holding, until={lane.pk: quiet})
    lanes.quiet(holding=holding, until={lane.pk: quiet - timedelta(minutes=1)})
    put_to_sleep(holding, lane)
    assert Lane.objects.get().next_due_at == quiet


def test_a_lane_with_due_work_stays_awake(holding) -> None:
    lane = make.subscription()
    make.delivery(lane)
    take(holding)
    assert put_to_sleep(holding, lane) == lanes.Slept(asleep=frozenset(), awake=frozenset({lane.pk}))
    assert Lane.objects.get().seat_id == holding.number


def test_a_released_lane_may_be_taken_at_once_although_it_has_work(holding) -> None:
    lane = make.subscription()
    make.delivery(lane)
    take(holding)
    lanes.release(holding=holding, lanes=[lane.pk])
    assert take(holding) == {lane.pk}


def test_a_seat_holds_no_more_than_its_share_of_the_lanes(holding, settings) -> None:
    settings.HUB_SEATS = 2
    for _ in range(5):
        make.delivery(make.subscription())
    assert lanes.quota(make.now()) == 5
    make.seat()
    assert lanes.quota(make.now()) == 3


def add_work(subscription) -> None:
    """What a router does to a lane, in its order."""
    hold_lanes(connection, [subscription.pk])
    make.delivery(subscription)
    wake_sleeping([subscription.pk], at=make.now())


def beside(work) -> threading.Thread:
    def run() -> None:
        try:
            work()
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.mark.postgresql
def test_work_that_is_being_added_while_a_lane_falls_asleep_keeps_it_awake(holding) -> None:
    lane = make.subscription()
    make.delivery(lane)
    take(holding)
    Delivery.objects.update(state=DeliveryState.DELIVERED, due_at=None)
    slept: list[lanes.Slept] = []
    with transaction.atomic():
        add_work(lane)
        sleeper = beside(lambda: slept.append(put_to_sleep(holding, lane)))
        sleeper.join(0.3)
        assert sleeper.is_alive(), "the sleeper must wait for the router"
    sleeper.join()
    assert slept[0].awake == {lane.pk}


@pytest.mark.postgresql
def test_work_that_is_added_while_a_lane_has_just_fallen_asleep_wakes_it(holding) -> None:
    lane = make.subscription()
    make.delivery(lane)
    take(holding)
    Delivery.objects.update(state=DeliveryState.DELIVERED, due_at=None)

    def route() -> None:
        with transaction.atomic():
            add_work(lane)

    with transaction.atomic():
        put_to_sleep(holding, lane)
        router = beside(route)
        router.join(0.3)
        assert router.is_alive(), "the router must wait for the sleeper"
    router.join()
    asleep = Lane.objects.get()
    assert asleep.seat is None
    assert asleep.next_due_at <= make.now()


@pytest.mark.sqlite
@pytest.mark.parametrize("router_first", [True, False])
def test_a_lane_is_awake_or_due_in_both_orders(holding, router_first) -> None:
    lane = make.subscription()
    make.delivery(lane)
    take(holding)
    Delivery.objects.update(state=DeliveryState.DELIVERED, due_at=None)
    steps = [lambda: add_work(lane), lambda: put_to_sleep(holding, lane)]
    for step in steps if router_first else reversed(steps):
        step()
    after = Lane.objects.get()
    assert after.seat_id == holding.number if router_first else after.next_due_at <= make.now()
