"""How deep the lanes are is sampled into small rows, which scrapes and pages read."""

from datetime import UTC, datetime, timedelta

import pytest

from deliveries.models import Delivery, DeliveryState, DepthSample, DepthSlice, Lane
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


def test_of_several_dispatchers_one_samples() -> None:
    make.delivery(make.subscription())
    assert depths.sample_if_old(15)
    assert not depths.sample_if_old(15)


def test_retries_are_told_apart_by_when_they_are_due() -> None:
    lane, now = make.subscription(), make.now()
    for phase, in_s in ((0, 60), (1, -1), (1, 60), (1, 299), (2, 1800), (1, 7200)):
        make.delivery(lane, phase=phase, due_at=now + timedelta(seconds=in_s))
    depths.sample(now)
    sample = DepthSample.objects.get()
    assert (sample.pending, sample.retrying, sample.retry_5m, sample.retry_1h) == (6, 5, 2, 3)


@pytest.mark.parametrize("state", [{"hold": "paused"}, {"circuit": "open"}, {"circuit": "half_open"}])
def test_what_waits_in_a_lane_that_does_not_move_is_held_and_neither_due_nor_retrying(state) -> None:
    moving, still, now = make.subscription(), make.subscription(), make.now()
    Lane.objects.filter(pk=still.pk).update(**state)
    for lane in (moving, still, still):
        make.delivery(lane, phase=1, due_at=now - timedelta(seconds=5))
    depths.sample(now)
    told = depths.waiting()
    assert (told.due, told.retrying, told.held) == (1, 1, 2)
    assert told.oldest_due_at == now - timedelta(seconds=5)


def test_the_deepest_sample_of_a_slice_stands_for_it() -> None:
    lane, noon = make.subscription(), datetime(2026, 3, 29, 12, tzinfo=UTC)
    depths.sample(noon)
    first = make.delivery(lane, due_at=noon)
    depths.sample(noon + timedelta(seconds=15))
    Delivery.objects.filter(pk=first.pk).update(state=DeliveryState.DELIVERED, due_at=None)
    depths.sample(noon + timedelta(seconds=30))
    depths.sample(noon + timedelta(seconds=60))
    slices = DepthSlice.objects.order_by("width_s", "starts_at").values_list("width_s", "starts_at", "due")
    assert list(slices) == [
        (60, noon, 1),
        (60, noon + timedelta(minutes=1), 0),
        (900, noon, 1),
        (3600, noon, 1),
    ]
