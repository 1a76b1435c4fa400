"""A clock that jumps an hour forth or back makes no lane sleep for ever and lets no storm loose."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, transaction

from deliveries.deciders.outcome import Outcome
from deliveries.dispatcher import lanes as leases
from deliveries.dispatcher import seats
from deliveries.models import Circuit, CircuitChange, Delivery, Lane
from deliveries.services.lanes import wake_sleeping
from tests import make
from tests.desks import Table

pytestmark = pytest.mark.django_db(transaction=True)

HOUR = timedelta(hours=1)
RULES: dict[str, Any] = {"circuit_min_volume": 5, "circuit_cooldown_s": 10.0, "circuit_cooldown_cap_s": 80.0}


def long_due(lanes: int) -> Table:
    """A desk at which much is due, however the clock may jump."""
    for number in range(lanes):
        make.deliveries(make.subscription(name=f"hook {number}", **RULES), 30)
    Delivery.objects.update(due_at=make.now() - 2 * HOUR)
    return Table()


def parked(lanes: int) -> Table:
    """A desk whose lanes all sleep behind an open circuit."""
    table = long_due(lanes)
    table.turn()
    table.answer(table.begin(), Outcome.SERVER_ERROR)
    assert Lane.objects.filter(circuit=Circuit.OPEN, seat=None).count() == lanes
    return table


def test_an_hour_forth_lets_one_probe_out_per_lane() -> None:
    table = parked(3)
    table.now += HOUR
    table.turn()
    assert len({job.row.lane_id for job in table.jobs}) == len(table.jobs) == 3


def test_an_hour_back_keeps_a_sleeping_lane_no_longer_than_a_cool_down() -> None:
    table = parked(2)
    table.now -= HOUR
    table.turn()  # notices, and wakes the sleepers
    table.turn()
    waits = [lane.next_due_at - table.now for lane in Lane.objects.all()]
    assert all(timedelta(0) < wait <= timedelta(seconds=11) for wait in waits)
    assert CircuitChange.objects.exclude(after="open").count() == 0
    assert table.jobs == []
    table.pass_s(11.1)
    table.turn()
    assert Lane.objects.filter(circuit=Circuit.HALF_OPEN).count() == 2
    assert len(table.jobs) == 2


def test_an_hour_back_keeps_a_lane_in_hand_no_longer_than_a_cool_down() -> None:
    table = long_due(1)
    table.turn()
    begun = table.begin()
    table.answer(begun[:5], Outcome.SERVER_ERROR)
    assert Lane.objects.get().seat_id is not None  # the others are in flight
    table.now -= HOUR
    table.answer(begun[5:])
    table.pass_s(11.1)
    table.turn()
    assert Lane.objects.get().circuit == Circuit.HALF_OPEN


@pytest.mark.parametrize("jump", [HOUR, -HOUR])
def test_a_dispatcher_that_starts_after_the_jump_keeps_the_lanes_moving(jump) -> None:
    table = parked(1)
    seats.leave(table.holding)
    other = Table(now=table.now + jump)
    with transaction.atomic():
        wake_sleeping([Lane.objects.get().pk], other.now)  # as an arrival would
    other.turn()
    other.turn()
    other.pass_s(11.1)
    other.turn()
    assert Lane.objects.get().circuit == Circuit.HALF_OPEN
    assert len(other.jobs) == 1


@pytest.mark.parametrize("jump", [HOUR, -HOUR])
def test_a_closed_lane_with_work_moves_whatever_the_clock_does(jump) -> None:
    lane = make.subscription(window=4, **RULES)
    make.deliveries(lane, 30)
    table = Table()
    table.turn()
    table.answer(table.begin())
    table.now += jump
    make.delivery(lane, due_at=table.now)
    table.turn()
    assert table.jobs
    assert len(table.desk.book.lanes[lane.pk].in_hand) <= 4


def test_a_jump_back_that_met_a_troubled_database_is_made_good_later(monkeypatch) -> None:
    def is_away(now) -> int:
        raise OperationalError("The database is away.")

    table = parked(1)
    table.now -= HOUR
    with monkeypatch.context() as trouble:
        trouble.setattr(leases, "rouse_belated", is_away)
        with pytest.raises(OperationalError):
            table.turn()
    table.turn()
    table.turn()
    assert Lane.objects.get().next_due_at - table.now <= timedelta(seconds=11)


def test_a_lane_whose_owner_died_before_the_jump_back_is_not_left_behind() -> None:
    lane = make.subscription()
    make.deliveries(lane, 3)
    table = Table()
    table.turn()
    seats.leave(table.holding)
    other = Table(now=table.now - HOUR)
    make.delivery(lane, due_at=other.now)
    other.turn()
    other.turn()
    assert len(other.jobs) == 1
