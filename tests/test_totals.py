"""Totals say what the raw rows say, exactly, and never fall: not with rollups, nor with a subscription."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models import Sum

from deliveries.deciders.latency import WAIT_EDGES_MS, bucket
from deliveries.deciders.outcome import Outcome
from deliveries.dispatcher import router
from deliveries.dispatcher.routes import Routes
from deliveries.models import (
    Attempt,
    CircuitChange,
    CircuitTotal,
    Delivery,
    EventTotal,
    FailureTotal,
    Rollup,
    RollupFailure,
    SpreadTotal,
    Total,
)
from deliveries.models.rollup import EVERY
from deliveries.models.total import Spread
from deliveries.selectors import totals
from deliveries.services import folding
from deliveries.services.retention import drop_expired
from tests import make
from tests.desks import Table
from tests.test_rollups import BEGAN, a_mix, settle, sums, tried
from webhooks.ids import first_id_at
from webhooks.models import Event, EventState

pytestmark = pytest.mark.django_db(transaction=True)


def of_lane(lane: Any) -> dict[str, Any]:
    row = Total.objects.filter(subscription_id=lane).values().get()
    return {name: value for name, value in row.items() if name not in {"id", "subscription_id"}}


def spread(kind: str) -> dict[int, tuple[int, int]]:
    rows = SpreadTotal.objects.filter(kind=kind).values_list("bucket", "number", "sum_ms")
    return {each: (number, sum_ms) for each, number, sum_ms in rows}


def test_a_lanes_totals_are_what_its_slices_add_up_to(holding) -> None:
    for lane in a_mix(holding):
        folding.fold()
        summed = sums(3600, lane.pk)
        timed = sum(count for name, count in summed.items() if name.startswith("took_"))
        kept = {name: count for name, count in summed.items() if not name.startswith("took_")}
        assert of_lane(lane.pk) == kept | {"timed": timed}


def test_failures_are_totalled_by_outcome_and_status_and_those_never_tried_are_told_apart(holding) -> None:
    a_mix(holding)
    folding.fold()
    rows = FailureTotal.objects.order_by("outcome").values_list("outcome", "status", "failures", "untried")
    assert list(rows) == [
        ("client_error", 422, 1, 0),
        ("refused", 0, 1, 0),
        ("server_error", 503, 1, 0),
        ("timeout", 0, 1, 0),
        ("unsendable", 0, 1, 1),
    ]


def test_durations_are_spread_over_the_same_buckets_as_in_rollups(holding) -> None:
    a_mix(holding)
    folding.fold()
    summed = sums(3600, EVERY)
    counts = [summed[f"took_{number:02}"] for number in range(23)]
    assert {each: number for each, (number, _) in spread("took").items()} == {
        each: count for each, count in enumerate(counts) if count
    }
    assert sum(sum_ms for _, sum_ms in spread("took").values()) == summed["latency_ms"]


def test_what_waited_is_counted_from_the_receipt_that_the_events_id_tells(holding) -> None:
    received = BEGAN - timedelta(seconds=30)
    lane = make.subscription()
    one = make.delivery(lane, make.event(id=first_id_at(received), state=EventState.ROUTED))
    late = make.delivery(
        lane, make.event(id=first_id_at(BEGAN + timedelta(seconds=1)), state=EventState.ROUTED)
    )
    settle(
        holding,
        tried(one, Outcome.SERVER_ERROR, 503, "pending"),
        tried(late, Outcome.OK, 200, "delivered", ms=3),
    )
    Delivery.objects.filter(pk=one.pk).update(phase=1)
    settle(holding, tried(one, Outcome.OK, 200, "delivered", at=BEGAN + timedelta(minutes=5), ms=700))
    folding.fold()
    # The other's clock ran a second ahead, so it waited no time.
    assert spread("first") == {0: (1, 0), bucket_of_wait(30_000): (1, 30_000)}
    assert spread("delivered") == {0: (1, 0), bucket_of_wait(330_700): (1, 330_700)}
    assert spread("retry") == {1: (1, 0)}


def bucket_of_wait(ms: int) -> int:
    return next(number for number, edge in enumerate(WAIT_EDGES_MS) if ms <= edge)


def test_replays_are_no_measure_of_how_long_deliveries_take_nor_of_retries(holding) -> None:
    delivery = make.delivery(make.subscription(), phase=2, attempts=3)
    settle(holding, tried(delivery, Outcome.OK, 200, "delivered"))
    folding.fold()
    assert (spread("first"), spread("delivered"), spread("retry")) == ({}, {}, {})
    assert of_lane(delivery.subscription_id)["replays"] == 1


@pytest.mark.parametrize(("number", "retry"), [(2, 1), (12, 11), (13, 12), (40, 12)])
def test_retries_are_told_apart_by_their_number_up_to_the_twelfth(holding, number, retry) -> None:
    delivery = make.delivery(make.subscription(), phase=1, attempts=number - 1)
    settle(holding, tried(delivery, Outcome.OK, 200, "delivered"))
    folding.fold()
    assert spread("retry") == {retry: (1, 0)}


def test_totals_stay_when_the_slices_they_were_added_with_are_dropped(holding) -> None:
    one, other = a_mix(holding)
    folding.fold()
    before = [list(model.objects.order_by("id").values()) for model in (Total, FailureTotal, SpreadTotal)]
    drop_expired(now=make.now() + timedelta(days=400))
    assert (Rollup.objects.count(), RollupFailure.objects.count()) == (0, 0)
    assert [
        list(model.objects.order_by("id").values()) for model in (Total, FailureTotal, SpreadTotal)
    ] == before


def test_folding_in_two_goes_adds_up_to_the_same(holding) -> None:
    lane = make.subscription()
    for _ in range(2):
        settle(holding, tried(make.delivery(lane), Outcome.OK, 200, "delivered"))
        folding.fold()
    assert of_lane(lane.pk)["attempts"] == Attempt.objects.count() == 2


def test_a_distribution_has_every_bucket(holding) -> None:
    settle(holding, tried(make.delivery(make.subscription()), Outcome.OK, 200, "delivered", ms=12))
    folding.fold()
    spreads, retries = totals.distributions()
    took = spreads[Spread.TOOK]
    assert (len(took.counts), took.counts[bucket(12)], sum(took.counts), took.sum_ms) == (23, 1, 1, 12)
    assert retries == {}


def test_what_routing_makes_of_events_is_counted_by_source(holding) -> None:
    make.subscription(event_types=["user.*"])
    for kind in ("user.created", "user.created", "order.placed"):
        make.event(type=kind)
    make.event(type="order.placed", source=make.source("other"))
    router.route(holding=holding, routes=Routes(), now=make.now())
    router.route(holding=holding, routes=Routes(), now=make.now())
    shop, other = make.source("shop").pk, make.source("other").pk
    counted = EventTotal.objects.values_list("source_id", "state", "number")
    assert set(counted) == {(shop, "routed", 2), (shop, "unmatched", 1), (other, "unmatched", 1)}


def test_a_batch_that_is_not_routed_is_not_counted(holding, monkeypatch) -> None:
    make.subscription()
    make.event()
    monkeypatch.setattr(router, "wake_sleeping", lambda *args, **options: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        router._route(holding, Routes(), make.now())
    assert (Event.objects.get().state, EventTotal.objects.count()) == (EventState.RECEIVED, 0)


def test_what_a_filter_fails_on_is_a_death_without_an_attempt(holding) -> None:
    lane = make.subscription(filter="length(`1`)")
    make.event()
    router.route(holding=holding, routes=Routes(), now=make.now())
    folding.fold()
    assert of_lane(lane.pk) | {"dead": 1} == dict.fromkeys(of_lane(lane.pk), 0) | {"dead": 1}
    failures = FailureTotal.objects.values_list("outcome", "status", "failures", "untried")
    assert list(failures) == [("filter_failed", 0, 1, 1)]


def test_transitions_of_circuits_are_counted_as_they_are_recorded() -> None:
    lane = make.subscription(circuit_min_volume=2, circuit_failure_rate=0.5, window=5)
    make.deliveries(lane, 4)
    table = Table()
    table.turn()
    table.answer(table.begin(), Outcome.SERVER_ERROR)
    changes = list(CircuitChange.objects.values_list("after", flat=True))
    counted = CircuitTotal.objects.values_list("subscription_id", "after", "number")
    assert changes == ["open"]
    assert list(counted) == [(lane.pk, "open", 1)]


def test_a_subscription_that_is_gone_leaves_its_totals(holding) -> None:
    lane = make.subscription()
    settle(holding, tried(make.delivery(lane), Outcome.OK, 200, "delivered"))
    folding.fold()
    Attempt.objects.all().delete()
    Delivery.objects.all().delete()
    lane.delete()
    assert Total.objects.aggregate(Sum("attempts")) == {"attempts__sum": 1}
