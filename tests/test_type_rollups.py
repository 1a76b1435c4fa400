"""What settled attempts add up to by type of event is exactly what the raw rows say, however many types there are."""

import json
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import Sum

from deliveries.deciders.outcome import Outcome
from deliveries.dispatcher import router, seats
from deliveries.dispatcher.routes import Routes
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
from deliveries.models.rollup import EVERY, OTHER_TYPES, WIDTHS
from deliveries.services import folding, folding_sql
from tests import make
from tests.test_rollups import BEGAN, raw, settle, tried, unsendable

pytestmark = pytest.mark.django_db(transaction=True)


def of(event_type: str, to: Subscription) -> Delivery:
    return make.delivery(to, make.event(type=event_type, state="routed"))


def a_mix(holding: seats.Holding) -> None:
    """Three types over two lanes and an hour's boundary; deaths by an attempt, without one, and while routing."""
    one, other = make.subscription(event_types=["none"]), make.subscription(event_types=["none"])
    later = BEGAN + timedelta(minutes=53)
    again, dead = of("order.placed", one), of("order.paid", other)
    settle(
        holding,
        tried(of("order.placed", one), Outcome.OK, 200, "delivered"),
        tried(of("order.placed", other), Outcome.OK, 200, "delivered", ms=700),
        tried(of("", one), Outcome.OK, 204, "delivered"),
        tried(again, Outcome.SERVER_ERROR, 503, "pending", ms=40_000),
        tried(dead, Outcome.REFUSED, None, "pending", ms=1),
        unsendable(of("order.placed", other)),
    )
    settle(
        holding,
        tried(again, Outcome.OK, 200, "delivered", at=later),
        tried(dead, Outcome.TIMEOUT, None, "dead", at=later, ms=15_001),
    )
    make.subscription(event_types=["user.*"], filter="length(`1`)")
    make.event(type="user.created")
    router.route(holding=holding, routes=Routes(), now=make.now())


ENDS = {"order.placed": (1, 1), "order.paid": (1, 1), "": (0, 0), "user.created": (0, 1)}


def sums(width_s: int, event_type: str | None = None) -> dict[str, int]:
    names = [field.name for field in TypeRollup._meta.fields]
    names = [name for name in names if name not in {"id", "starts_at", "width_s", "event_type"}]
    slices = TypeRollup.objects.filter(width_s=width_s)
    if event_type is not None:
        slices = slices.filter(event_type=event_type)
    return {name: total or 0 for name, total in slices.aggregate(**{n: Sum(n) for n in names}).items()}


def everything(width_s: int) -> dict[str, int]:
    """What the slices of every subscription together add up to."""
    names = list(sums(width_s))
    slices = Rollup.objects.filter(width_s=width_s, subscription_id=EVERY)
    return {name: total or 0 for name, total in slices.aggregate(**{n: Sum(n) for n in names}).items()}


def attempts(width_s: int = 86_400) -> Counter[str]:
    rows = TypeRollup.objects.filter(width_s=width_s).values_list("event_type", "attempts")
    found: Counter[str] = Counter()
    for event_type, count in rows:
        found[event_type] += count
    return found


@pytest.mark.parametrize("width_s", WIDTHS)
def test_the_slices_of_each_type_add_up_to_the_raw_rows(holding, width_s) -> None:
    a_mix(holding)
    assert folding.fold() == 3
    for event_type, (retried, dead) in ENDS.items():
        expected = raw(delivery__event_type=event_type) | {"retried": retried, "dead": dead}
        assert {name: count for name, count in sums(width_s, event_type).items() if count} == {
            name: count for name, count in expected.items() if count
        }
    assert sums(width_s) == everything(width_s)
    assert set(TypeRollup.objects.values_list("event_type", flat=True)) == set(ENDS)


def test_failures_of_each_type_are_told_apart_by_outcome_and_status(holding) -> None:
    a_mix(holding)
    folding.fold()
    told = TypeFailure.objects.filter(width_s=3600).order_by("event_type", "outcome")
    assert list(told.values_list("event_type", "outcome", "status", "failures")) == [
        ("order.paid", "refused", 0, 1),
        ("order.paid", "timeout", 0, 1),
        ("order.placed", "server_error", 503, 1),
        ("order.placed", "unsendable", 0, 1),
        ("user.created", "filter_failed", 0, 1),
    ]


def test_an_attempt_counts_in_the_slice_it_began_in(holding) -> None:
    a_mix(holding)
    folding.fold()
    for width_s in WIDTHS:
        starts = Counter(
            int(at.timestamp()) // width_s * width_s
            for at in Attempt.objects.values_list("started_at", flat=True)
        )
        found: Counter[int] = Counter()
        for at, count in TypeRollup.objects.filter(width_s=width_s).values_list("starts_at", "attempts"):
            found[int(at.timestamp())] += count
        assert +found == starts


def test_types_beyond_those_of_a_day_are_counted_together_all_that_day(holding, monkeypatch) -> None:
    monkeypatch.setattr(folding_sql, "TYPES_A_DAY", 2)
    lane = make.subscription()

    def send(*types: str, at: Any = BEGAN) -> None:
        results = [tried(of(each, lane), Outcome.SERVER_ERROR, 500, "pending", at=at) for each in types]
        settle(holding, *results)
        folding.fold()

    send("a", "a")
    assert attempts() == {"a": 2}
    send("d", "c", "b", "a")  # of those that come at once, the first by name
    assert attempts() == {"a": 3, "b": 1, OTHER_TYPES: 2}
    send("c", "b")
    assert attempts() == {"a": 3, "b": 2, OTHER_TYPES: 3}
    send("c", at=BEGAN - timedelta(days=1))
    assert attempts() == {"a": 3, "b": 2, "c": 1, OTHER_TYPES: 3}
    assert [attempts(width_s) for width_s in WIDTHS] == [attempts()] * 4
    assert [sums(width_s) for width_s in WIDTHS] == [everything(width_s) for width_s in WIDTHS]
    for width_s in WIDTHS:
        kinds = TypeFailure.objects.filter(width_s=width_s).values_list("event_type", "failures")
        failed: Counter[str] = Counter()
        for event_type, count in kinds:
            failed[event_type] += count
        assert failed == attempts()
        every = RollupFailure.objects.filter(width_s=width_s, subscription_id=EVERY)
        assert every.aggregate(Sum("failures"))["failures__sum"] == failed.total() == 9


def test_a_death_noted_before_types_were_is_counted_with_those_not_told_apart(holding) -> None:
    settle(holding, unsendable(of("order.placed", make.subscription())))
    noted = Tally.objects.get()
    deaths = json.loads(noted.deaths)
    assert deaths[0].pop("type") == "order.placed"
    Tally.objects.update(deaths=json.dumps(deaths))
    folding.fold()
    assert list(TypeRollup.objects.filter(width_s=60).values_list("event_type", "dead")) == [(OTHER_TYPES, 1)]
