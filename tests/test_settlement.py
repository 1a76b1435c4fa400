"""Settling writes what came of a batch, once, and only by who still holds the seat."""

import pytest

from deliveries.deciders.outcome import Outcome, decide
from deliveries.dispatcher import claims, orders, seats, settlement
from deliveries.dispatcher.client import Exchange as Answer
from deliveries.dispatcher.jobs import Job
from deliveries.models import Attempt, DeadLetter, Delivery, DeliveryState, Exchange, Lane, Subscription
from tests import make
from webhooks.ids import uuid7

pytestmark = pytest.mark.django_db(transaction=True)


def tried(delivery: Delivery, status: int, **options) -> settlement.Tried:
    outcome = Outcome.OK if status == 200 else Outcome.SERVER_ERROR
    lane = delivery.subscription_id
    order = orders.load(revisions={lane: 1}, now=make.now()).orders[lane]
    row = claims.Claimed(
        delivery.pk,
        lane,
        delivery.event_id,
        delivery.phase,
        delivery.attempts,
        0,
        delivery.budget_at,
        delivery.budget_at,
        uuid7(),
        2,
    )
    decision = decide(
        outcome=outcome,
        attempt=delivery.attempts + 1,
        schedule=order.schedule,
        client_errors="thrice",
        now=make.now(),
        first_due=delivery.budget_at,
        retry_after_s=None,
        draw=0.0,
    )
    return settlement.Tried(
        attempt_id=uuid7(),
        job=Job(row=row, orders=order, body=b"{}", content_type="application/json"),
        exchange=Answer(outcome=outcome, status=status, response_body=b"\x00\xff"),
        request_headers={"webhook-id": "x"},
        started_at=make.now(),
        duration_ms=12,
        decision=decision,
    )


def settle(holding: seats.Holding, *results: settlement.Result) -> None:
    settlement.settle(holding=holding, results=results, now=make.now())


def test_a_success_is_delivered_and_its_attempt_kept_with_every_byte(holding) -> None:
    delivery = make.delivery(make.subscription())
    settle(holding, tried(delivery, 200))
    delivery.refresh_from_db()
    assert (delivery.state, delivery.due_at, delivery.attempts) == (DeliveryState.DELIVERED, None, 1)
    assert (delivery.last_outcome, delivery.last_status, delivery.last_latency_ms) == ("ok", 200, 12)
    assert bytes(Exchange.objects.get().response_body) == b"\x00\xff"
    assert Exchange.objects.get().request_headers == {"webhook-id": "x"}


def test_a_failure_is_due_again_as_a_retry(holding) -> None:
    delivery = make.delivery(make.subscription())
    settle(holding, tried(delivery, 500))
    delivery.refresh_from_db()
    assert (delivery.state, delivery.phase, delivery.attempts) == (DeliveryState.PENDING, 1, 1)
    assert delivery.due_at > make.now()
    assert delivery.settled_at is None


def test_a_batch_settles_each_by_its_own_outcome(holding) -> None:
    lane = make.subscription(retry_max_attempts=1)
    good, bad = make.delivery(lane), make.delivery(lane)
    settle(holding, tried(good, 200), tried(bad, 500))
    assert dict(Delivery.objects.values_list("pk", "state")) == {good.pk: "delivered", bad.pk: "dead"}
    assert DeadLetter.objects.get().delivery_id == bad.pk


def test_settling_again_what_was_settled_writes_nothing_twice(holding) -> None:
    """As after a commit whose answer was lost."""
    result = tried(make.delivery(make.subscription(retry_max_attempts=1)), 500)
    settle(holding, result)
    before = (
        list(Delivery.objects.values()),
        list(Attempt.objects.values()),
        list(DeadLetter.objects.values()),
    )
    settle(holding, result)
    assert before == (
        list(Delivery.objects.values()),
        list(Attempt.objects.values()),
        list(DeadLetter.objects.values()),
    )


def test_who_lost_the_seat_settles_nothing(holding) -> None:
    delivery = make.delivery(make.subscription())
    result = tried(delivery, 200)
    seats.leave(holding)
    make.seat()
    with pytest.raises(seats.SeatLost):
        settle(holding, result)
    assert Delivery.objects.get().state == DeliveryState.PENDING
    assert Attempt.objects.count() == 0


def test_settling_is_one_statement_a_table_however_large_the_batch(
    holding, django_assert_max_num_queries
) -> None:
    lane = make.subscription()
    results = [tried(make.delivery(lane), 200) for _ in range(20)]
    with django_assert_max_num_queries(8):
        settle(holding, *results)
    assert Lane.objects.count() == Subscription.objects.count() == 1
