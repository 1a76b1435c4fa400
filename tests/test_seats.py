"""A seat is held under a lease and an epoch; whoever lost it settles nothing."""

import os
import socket
from datetime import timedelta

import pytest
from django.db import transaction
from django.db.models.functions import Now
from django_q.models import OrmQ

from deliveries.dispatcher import seats
from deliveries.models import Seat
from tests import make

pytestmark = pytest.mark.django_db(transaction=True)

DEAD_PID = 2**22 - 7  # above what this kernel gives out


def expire(holding: seats.Holding) -> None:
    Seat.objects.filter(number=holding.number).update(leased_until=Now() - timedelta(seconds=1), pid=None)


def test_the_first_to_come_sits_and_the_next_finds_no_seat() -> None:
    assert seats.sit() == seats.Holding(number=1, epoch=1)
    assert seats.sit() is None
    assert seats.alive()


def test_a_successor_sits_while_its_predecessor_drains() -> None:
    first = make.seat()
    seats.drain(first)
    assert seats.sit() == seats.Holding(number=2, epoch=1)
    assert seats.renew(first)


def test_a_seat_that_was_left_is_free_under_a_new_epoch() -> None:
    seats.leave(make.seat())
    assert not seats.alive()
    assert seats.sit() == seats.Holding(number=1, epoch=3)


def test_an_expired_lease_is_taken_over_and_cannot_be_renewed() -> None:
    frozen = make.seat()
    expire(frozen)
    taken = make.seat()
    assert taken == seats.Holding(number=1, epoch=2)
    assert not seats.renew(frozen)
    assert seats.renew(taken)


def test_who_lost_the_seat_is_stopped_by_the_fence() -> None:
    frozen = make.seat()
    expire(frozen)
    make.seat()
    with pytest.raises(seats.SeatLost), transaction.atomic():
        seats.fence(frozen)


def test_a_holder_that_died_on_this_host_is_not_waited_for() -> None:
    holding = make.seat()
    Seat.objects.filter(number=holding.number).update(pid=DEAD_PID)
    assert seats.reap() == 1
    assert Seat.objects.get(number=1).epoch == 2


@pytest.mark.parametrize(
    ("host", "pid"),
    [("elsewhere", DEAD_PID), (seats._here(), os.getpid()), (socket.gethostname(), DEAD_PID)],
    ids=["another host", "alive here", "this host, by its name alone"],
)
def test_a_holder_that_may_live_keeps_its_lease(host: str, pid: int) -> None:
    holding = make.seat()
    Seat.objects.filter(number=holding.number).update(host=host, pid=pid)
    assert seats.reap() == 0
    assert seats.renew(holding)


def test_the_steward_queues_a_dispatcher_only_while_a_seat_is_empty(queued) -> None:
    seats.steward()
    assert queued() == 1
    seats.steward()
    assert queued() == 1


def test_the_steward_queues_a_dispatcher_for_each_empty_seat_at_once(queued, settings) -> None:
    settings.HUB_SEATS = 3
    make.seat()
    seats.steward()
    assert queued() == 2


def test_the_steward_rests_while_the_seats_are_taken(queued) -> None:
    make.seat()
    seats.steward()
    assert queued() == 0


@pytest.fixture
def queued():
    return OrmQ.objects.count
