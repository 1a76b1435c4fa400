"""What settled attempts add up to is exactly what the raw rows say, per slice, whoever folds and whoever is killed."""

import threading
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import Error, connection, connections, transaction
from django.db.models import Sum

from deliveries.deciders.latency import BUCKETS, bucket
from deliveries.deciders.outcome import Decision, Outcome
from deliveries.dispatcher import claims, orders, seats, settlement
from deliveries.dispatcher.client import Exchange as Answer
from deliveries.dispatcher.jobs import Job, Unsendable
from deliveries.models import (
    Attempt,
    Delivery,
    Rollup,
    RollupFailure,
    Subscription,
    Tally,
    TypeFailure,
    TypeRollup,
)
from deliveries.models.rollup import EVERY, WIDTHS
from deliveries.services import folding
from tests import make
from webhooks.ids import uuid7

pytestmark = pytest.mark.django_db(transaction=True)

BEGAN = make.now().replace(minute=7, second=30, microsecond=123456) - timedelta(hours=2)


def tried(
    delivery: Delivery, outcome: Outcome, status: int | None, state: Any, **options
) -> settlement.Tried:
    delivery.refresh_from_db()
    lane = delivery.subscription_id
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
    order = orders.load(revisions={lane: 1}, now=make.now()).orders[lane]
    due = make.now() if state == "pending" else None
    reason = "exhausted" if state == "dead" else ""
    return settlement.Tried(
        attempt_id=uuid7(),
        job=Job(row=row, orders=order, body=b"{}", content_type="application/json"),
        exchange=Answer(outcome=outcome, status=status),
        request_headers={},
        started_at=options.get("at", BEGAN),
        duration_ms=options.get("ms", 12),
        decision=Decision(state=state, due_at=due, reason=reason),
    )


def unsendable(delivery: Delivery) -> settlement.Failed:
    job = tried(delivery, Outcome.OK, 200, "dead").job.unsendable("No.")
    assert isinstance(job, Unsendable)
    return settlement.Failed(job=job, decision=Decision(state="dead", reason=Outcome.UNSENDABLE))


def settle(
    holding: seats.Holding, *results: settlement.Tried | settlement.Failed, now: datetime | None = None
) -> None:
    settlement.settle(holding=holding, results=results, now=now or make.now())


def a_mix(holding: seats.Holding) -> tuple[Subscription, Subscription]:
    """Two lanes; every outcome that adds to a column of its own, over an hour's boundary."""
    one, other = make.subscription(), make.subscription()
    later = BEGAN + timedelta(minutes=53)
    again, dead, replayed = make.delivery(one), make.delivery(one), make.delivery(other, phase=2, attempts=3)
    settle(
        holding,
        tried(make.delivery(one), Outcome.OK, 200, "delivered"),
        tried(make.delivery(other), Outcome.OK, 204, "delivered", ms=700),
        tried(again, Outcome.SERVER_ERROR, 503, "pending", ms=40_000),
        tried(dead, Outcome.REFUSED, None, "pending", ms=1),
        unsendable(make.delivery(other)),
    )
    settle(
        holding,
        tried(again, Outcome.OK, 200, "delivered", at=later),
        tried(dead, Outcome.TIMEOUT, None, "dead", at=later, ms=15_001),
        tried(make.delivery(other), Outcome.CLIENT_ERROR, 422, "dead", at=BEGAN),
        tried(replayed, Outcome.OK, 200, "delivered", at=later),
    )
    return one, other


def sums(width_s: int, subscription: Any) -> dict[str, int]:
    names = [
        field.name
        for field in Rollup._meta.fields
        if field.name not in {"id", "starts_at", "width_s", "subscription"}
    ]
    slices = Rollup.objects.filter(width_s=width_s, subscription_id=subscription)
    return {name: total or 0 for name, total in slices.aggregate(**{n: Sum(n) for n in names}).items()}


def raw(**which: Any) -> dict[str, int]:
    """The same from the attempts themselves, without the columns that they don't tell."""
    found: Counter[str] = Counter({f"took_{number:02}": 0 for number in range(BUCKETS)})
    for attempt in Attempt.objects.filter(**which):
        is_timed = attempt.status is not None or attempt.outcome == "timeout"
        found["attempts"] += 1
        found["replays"] += attempt.phase == 2
        found["delivered_first"] += attempt.outcome == "ok" and attempt.number == 1
        found["delivered_retry"] += attempt.outcome == "ok" and attempt.number > 1
        found["faults"] += attempt.outcome in {"server_error", "refused", "timeout"}
        found["latency_ms"] += attempt.duration_ms if is_timed else 0
        if is_timed:
            found[f"took_{bucket(attempt.duration_ms):02}"] += 1
    return dict(found)


@pytest.mark.parametrize("width_s", WIDTHS)
def test_the_slices_of_each_width_add_up_to_the_raw_rows(holding, width_s) -> None:
    one, other = a_mix(holding)
    assert folding.fold() == 2
    ends = {one.pk: {"retried": 2, "dead": 1}, other.pk: {"retried": 0, "dead": 2}}
    for lane, end in ends.items():
        assert sums(width_s, lane) == raw(delivery__subscription_id=lane) | end
    assert sums(width_s, EVERY) == raw() | {"retried": 2, "dead": 3}


def test_an_attempt_counts_in_the_slice_it_began_in(holding) -> None:
    a_mix(holding)
    folding.fold()
    for width_s in WIDTHS:
        starts = [
            int(at.timestamp()) // width_s * width_s
            for at in Attempt.objects.values_list("started_at", flat=True)
        ]
        slices = Rollup.objects.filter(width_s=width_s, subscription=EVERY, attempts__gt=0)
        assert {int(at.timestamp()): n for at, n in slices.values_list("starts_at", "attempts")} == Counter(
            starts
        )


def test_failures_are_told_apart_by_outcome_and_status(holding) -> None:
    a_mix(holding)
    folding.fold()
    told = RollupFailure.objects.filter(width_s=3600, subscription=EVERY).order_by("outcome", "status")
    assert list(told.values_list("outcome", "status", "failures")) == [
        ("client_error", 422, 1),
        ("refused", 0, 1),
        ("server_error", 503, 1),
        ("timeout", 0, 1),
        ("unsendable", 0, 1),
    ]


def test_folding_in_two_goes_adds_up_to_the_same(holding) -> None:
    lane = make.subscription()
    for _ in range(2):
        settle(holding, tried(make.delivery(lane), Outcome.OK, 200, "delivered"))
        assert folding.fold() == 1
    assert Tally.objects.count() == 0
    assert sums(60, lane.pk) == sums(60, EVERY) == raw() | {"retried": 0, "dead": 0}


def test_nothing_is_folded_twice(holding) -> None:
    a_mix(holding)
    folding.fold()
    before = list(Rollup.objects.order_by("id").values())
    assert folding.fold() == 0
    assert list(Rollup.objects.order_by("id").values()) == before


def test_a_fold_that_is_cut_in_the_middle_changes_nothing_and_the_next_is_whole(holding, monkeypatch) -> None:
    a_mix(holding)
    with monkeypatch.context() as patch:
        patch.setattr(folding, "of_failures", lambda dialect: ["SELECT 1 FROM a_table_that_is_not_there"])
        with pytest.raises(Error):
            folding.fold()
    assert Tally.objects.count() == 2
    assert not any(each.objects.exists() for each in (Rollup, RollupFailure, TypeRollup, TypeFailure))
    folding.fold()
    assert sums(3600, EVERY) == raw() | {"retried": 2, "dead": 3}


def test_a_settle_that_is_cut_leaves_neither_attempts_nor_a_tally(holding, monkeypatch) -> None:
    lane = make.subscription()
    result = tried(make.delivery(lane), Outcome.OK, 200, "delivered")
    with pytest.raises(RuntimeError), transaction.atomic():
        settle(holding, result)
        raise RuntimeError
    assert (Attempt.objects.count(), Tally.objects.count()) == (0, 0)


def test_what_is_settled_again_after_a_lost_answer_counts_once(holding) -> None:
    lane = make.subscription()
    known: list[settlement.Result] = [
        tried(make.delivery(lane), Outcome.OK, 200, "delivered"),
        unsendable(make.delivery(lane)),
    ]
    settle(holding, *known)
    settle(holding, *known, tried(make.delivery(lane), Outcome.OK, 200, "delivered"))
    settle(holding, *known)
    folding.fold()
    assert sums(60, lane.pk) == raw() | {"retried": 0, "dead": 1}
    assert Attempt.objects.count() == 2


def test_a_delivery_discarded_in_flight_adds_its_attempt_and_no_death(holding) -> None:
    delivery = make.delivery(make.subscription())
    result = tried(delivery, Outcome.SERVER_ERROR, 500, "dead")
    Delivery.objects.update(state="discarded", due_at=None)
    settle(holding, result)
    folding.fold()
    assert sums(60, EVERY) == raw() | {"retried": 1, "dead": 0}


@pytest.fixture
def batches_of_one(monkeypatch) -> None:
    monkeypatch.setattr(folding, "ATTEMPTS", 1)


def folders(count: int) -> Iterator[threading.Thread]:
    def run() -> None:
        try:
            folding.fold()
        finally:
            connections.close_all()

    for _ in range(count):
        yield threading.Thread(target=run)


def test_several_that_fold_at_once_fold_each_tally_once(holding, batches_of_one) -> None:
    lanes = [make.subscription() for _ in range(3)]
    for _ in range(10):
        settle(holding, *(tried(make.delivery(lane), Outcome.OK, 200, "delivered") for lane in lanes))
    running = list(folders(4))
    for folder in running:
        folder.start()
    for folder in running:
        folder.join()
    folding.fold()  # what a busy folder passed over waits for the next one
    assert Tally.objects.count() == 0
    assert sums(60, EVERY) == raw() | {"retried": 0, "dead": 0}
    assert sums(60, EVERY)["attempts"] == 30
    assert TypeRollup.objects.filter(width_s=60).aggregate(Sum("attempts"))["attempts__sum"] == 30


def test_a_young_tally_waits_for_company(holding) -> None:
    settle(holding, tried(make.delivery(make.subscription()), Outcome.OK, 200, "delivered"))
    assert folding.fold_if_old() == 0
    Tally.objects.update(settled_at=make.now() - timedelta(seconds=5))
    assert folding.fold_if_old() == 1


def test_what_waits_to_be_folded_says_how_late_the_slices_are(holding) -> None:
    now = make.now()
    assert folding.folded_until(now=now) == now
    settled_at = now - timedelta(minutes=3)
    settle(holding, tried(make.delivery(make.subscription()), Outcome.OK, 200, "delivered"), now=settled_at)
    assert folding.folded_until(now=now) == settled_at


def test_a_fold_is_a_constant_number_of_questions(holding, django_assert_num_queries) -> None:
    for lanes in (1, 10):
        for _ in range(lanes):
            settle(holding, tried(make.delivery(make.subscription()), Outcome.OK, 200, "delivered"))
        # The newest tally, begin, the oldest ones, what is added, a delete, commit.
        adds = 2 if connection.vendor == "postgresql" else 7
        with django_assert_num_queries(5 + adds):
            folding.fold()
