"""How deep the lanes are is sampled into small rows, which scrapes and pages read."""

from datetime import timedelta

import pytest

from deliveries.dispatcher import seats
from deliveries.models import Delivery, DeliveryState, DepthSample
from deliveries.services import depths
from tests import make

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_sample_counts_what_is_pending_due_and_how_old_the_oldest_is() -> None:
    lane, now = make.subscription(), make.now()
    for phase, age_s in ((0, 10), (1, 60), (2, -3600)):
        make.delivery(lane, phase=phase, due_at=now - timedelta(seconds=age_s))
    make.delivery(lane, state=DeliveryState.DELIVERED)
    depths.sample(now)
    sample = DepthSample.objects.get()
    assert (sample.pending, sample.due, sample.oldest_due_at) == (3, 2, now - timedelta(seconds=60))


def test_a_lane_that_has_emptied_is_sampled_empty() -> None:
    make.delivery(make.subscription())
    depths.sample(make.now())
    Delivery.objects.update(state=DeliveryState.DELIVERED, due_at=None)
    depths.sample(make.now())
    assert DepthSample.objects.values_list("pending", "due", "oldest_due_at").get() == (0, 0, None)


def test_a_snapshot_adds_up_the_lanes() -> None:
    for _ in range(2):
        make.delivery(make.subscription())
    depths.sample(make.now())
    seats.sit()
    found = depths.snapshot()
    assert (found.due, found.dead_letters, found.dispatchers) == (2, 0, 1)
    assert found.lanes_by_circuit == {"closed": 2}
    assert 1 <= found.oldest_due_s < 30


def test_of_several_dispatchers_one_samples() -> None:
    make.delivery(make.subscription())
    assert depths.sample_if_old(15)
    assert not depths.sample_if_old(15)
