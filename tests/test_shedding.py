"""When another dispatcher sits down, whoever holds all lanes lets half of them go, and sends nothing more for these."""

import pytest

from deliveries.dispatcher import lanes
from deliveries.models import Delivery, DeliveryState, Lane
from tests import make
from tests.desks import Table

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _two_seats(settings) -> None:
    settings.HUB_SEATS = 2


def two_lanes_of(count: int) -> list[Lane]:
    subscriptions = [make.subscription() for _ in range(2)]
    for subscription in subscriptions:
        make.deliveries(subscription, count)
    return list(Lane.objects.all())


def test_what_waits_for_a_sender_is_put_down_and_its_lane_passes_over_at_once() -> None:
    two_lanes_of(5)
    table = Table()
    table.turn()
    assert len(table.jobs) == 10
    other = make.seat()
    shed = table.turn().recalled
    assert len(shed) == 1
    assert {job.row.lane_id for job in table.jobs} == set(table.desk.book.lanes) - set(shed)
    table.turn()
    assert list(table.desk.book.lanes) == [job.row.lane_id for job in table.jobs[:1]]
    taken = lanes.take(holding=other, now=make.now(), most=10)
    assert [lane.subscription_id for lane in taken] == shed
    assert Delivery.objects.filter(subscription_id=shed[0], state=DeliveryState.PENDING).count() == 5


def test_what_is_being_sent_keeps_its_lane_until_it_is_answered() -> None:
    two_lanes_of(1)
    table = Table()
    table.turn()
    begun = table.begin()
    make.seat()
    (shed,) = table.turn().recalled
    table.turn()
    assert shed in table.desk.book.lanes
    table.answer([job for job in begun if job.row.lane_id == shed])
    assert shed not in table.desk.book.lanes
    assert Lane.objects.get(pk=shed).seat is None
