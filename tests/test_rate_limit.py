"""A subscription's rate limit is kept to the request, whoever owns its lane and however it changes hands."""

import asyncio
import time
from datetime import timedelta
from ipaddress import ip_network

import pytest

from deliveries.deciders.outcome import Outcome
from deliveries.dispatcher import seats
from deliveries.models import Delivery, DeliveryState, Lane, Subscription
from tests import make
from tests.desks import Table
from tests.endpoints import Endpoint, Request, answers
from tests.running import dispatchers, until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def loopback(settings) -> None:
    settings.HUB_EGRESS_ALLOW = [ip_network("127.0.0.0/8")]


class Clocked:
    def __init__(self) -> None:
        self.came: list[float] = []

    async def __call__(self, request: Request, writer: asyncio.StreamWriter) -> None:
        self.came.append(time.monotonic())
        await answers(200)(request, writer)


def drained() -> bool:
    return not Delivery.objects.filter(state=DeliveryState.PENDING).exists()


def limited(rate: float, count: int, **options) -> tuple[Subscription, Table]:
    lane = make.subscription(rate_per_s=rate, window=100, **options)
    make.deliveries(lane, count)
    table = Table()
    table.turn()
    return lane, table


def sent_by(table: Table) -> int:
    """How many requests begin now; they are answered at once."""
    begun = table.begin()
    table.answer(begun)
    return len(begun)


@pytest.mark.parametrize(("rate", "count", "burst"), [(20, 50, 20), (200, 400, 200)])
def test_an_endpoint_gets_a_burst_and_then_its_rate_and_not_one_more(rate, count, burst) -> None:
    clocked = Clocked()
    with Endpoint(clocked) as endpoint:
        lane = make.subscription(endpoint.url, rate_per_s=rate)
        make.deliveries(lane, count)
        begun = time.monotonic()
        with dispatchers():
            until(drained)
    came = clocked.came
    assert len(came) == count
    assert all(number <= burst + rate * (at - begun) for number, at in enumerate(came, start=1))
    assert came[-1] - begun <= 1.5 * (count - burst) / rate + 2  # seconds to start on a busy machine


def test_a_slow_rate_sends_one_by_one() -> None:
    _, table = limited(0.5, 10)
    assert sent_by(table) == 1
    counts = []
    for _ in range(8):
        table.pass_s(0.5)
        table.turn()
        counts.append(sent_by(table))
    assert counts == [0, 0, 0, 1, 0, 0, 0, 1]


def test_a_full_window_and_an_empty_bucket_both_hold_it_back() -> None:
    lane = make.subscription(rate_per_s=10.0, window=4)
    make.deliveries(lane, 30)
    table = Table()
    table.turn()
    begun = table.begin()
    assert len(begun) == 4
    table.turn()
    assert table.begin() == []  # the window is full
    for _ in range(2):
        table.answer(begun)
        begun = table.begin()
    assert len(begun) == 2  # ten in all, and the bucket is empty
    table.answer(begun)
    table.pass_s(0.25)
    table.turn()
    assert len(table.begin()) == 2


def test_the_desk_looks_again_when_the_next_token_comes() -> None:
    _, table = limited(2.0, 10)
    assert sent_by(table) == 2
    clock = time.monotonic()
    look = table.desk.book.next_look()
    assert look is not None
    assert 0.3 < look - clock <= 0.5


def test_what_never_began_gives_its_token_back() -> None:
    lane, table = limited(5.0, 20)
    assert len(table.jobs) == 5
    Lane.objects.update(revision=9)
    table.turn()
    table.turn()
    assert len(table.jobs) == 5
    assert len(table.desk.book.lanes[lane.pk].in_hand) == 5


def test_what_fails_before_it_leaves_us_gives_its_token_back() -> None:
    _, table = limited(5.0, 20)
    table.answer(table.begin(), Outcome.UNSENDABLE)
    assert len(table.begin()) == 5


def test_a_lane_that_changes_hands_takes_its_tokens_along() -> None:
    _, table = limited(10.0, 40)
    assert sent_by(table) == 10
    table.pass_s(0.3)
    table.turn(is_draining=True)
    assert Lane.objects.get().seat is None
    seats.leave(table.holding)
    other = Table(now=table.now)
    other.turn()
    assert sent_by(other) == 3


def test_a_lane_that_is_left_full_is_found_full() -> None:
    _, table = limited(10.0, 25)
    table.turn(is_draining=True)
    table.desk.drop(table.begin())
    table.turn(is_draining=True)
    seats.leave(table.holding)
    other = Table(now=table.now)
    other.turn()
    assert sent_by(other) == 10


def test_a_lane_whose_owner_died_begins_with_an_empty_bucket() -> None:
    _, table = limited(10.0, 40)
    assert len(table.begin()) == 10
    seats.leave(table.holding)
    other = Table(now=table.now)
    other.turn()
    assert sent_by(other) == 0
    other.pass_s(0.2)
    other.turn()
    assert sent_by(other) == 2


def test_a_rate_that_a_person_changes_holds_at_once() -> None:
    _, table = limited(1.0, 40)
    assert sent_by(table) == 1
    Subscription.objects.update(rate_per_s=20.0)
    Lane.objects.update(revision=9)
    table.turn()
    table.pass_s(0.5)
    table.turn()
    assert sent_by(table) == 10
    Subscription.objects.update(rate_per_s=None)
    Lane.objects.update(revision=10)
    table.turn()
    assert sent_by(table) == 29


def test_a_rate_that_is_lowered_holds_from_the_claim_that_reads_it() -> None:
    _, table = limited(100.0, 250)
    assert sent_by(table) == 100
    table.pass_s(2)
    Subscription.objects.update(rate_per_s=1.0)
    Lane.objects.update(revision=9)
    table.turn(heed_people=False)  # nothing rang, so the claim is the first to see the new orders
    assert sent_by(table) == 1


def test_a_clock_that_goes_back_neither_stops_a_limited_lane_nor_floods_its_endpoint() -> None:
    _, table = limited(10.0, 60, retry_first_s=0.01)
    assert sent_by(table) == 10
    for jump in (timedelta(hours=-1), timedelta(hours=1)):
        Delivery.objects.filter(state=DeliveryState.PENDING).update(due_at=table.now - timedelta(hours=2))
        table.now += jump
        table.turn()
        assert len(table.jobs) == (0 if jump < timedelta(0) else 10)
        sent_by(table)
        table.pass_s(0.5)
        table.turn()
        assert sent_by(table) == 5
