"""A claim reads each lane's next deliveries and writes nothing."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from deliveries.deciders.mixing import Room
from deliveries.dispatcher import claims, lanes
from deliveries.models import Lane, Phase
from tests import make

pytestmark = pytest.mark.django_db(transaction=True)


def claim(holding, *subscriptions, window: int = 4, in_hand=()) -> claims.Claim:
    """As a turn claims: of those that may move."""
    lanes.take(holding=holding, now=make.now(), most=1000)
    need = claims.Need(room=Room(window=window), in_hand=list(in_hand))
    moving = claims.moving(holding=holding, lanes=[each.pk for each in subscriptions], now=make.now())
    return claims.claim(holding=holding, needs=dict.fromkeys(moving, need), now=make.now())


def ids(claim: claims.Claim) -> list:
    return [row.delivery_id for row in claim.deliveries]


def test_the_oldest_due_come_first_up_to_the_window(holding) -> None:
    lane = make.subscription()
    made = [make.delivery(lane, due_at=make.now() - timedelta(seconds=9 - n)).pk for n in range(6)]
    found = claim(holding, lane)
    assert ids(found) == made[:4]
    assert found.more == {lane.pk}


def test_what_is_not_due_is_left(holding) -> None:
    lane = make.subscription()
    due = make.delivery(lane)
    make.delivery(lane, due_at=make.now() + timedelta(seconds=30), phase=Phase.RETRY)
    found = claim(holding, lane)
    assert ids(found) == [due.pk]
    assert found.more == frozenset()


def test_what_is_in_hand_already_is_never_read_again(holding) -> None:
    lane = make.subscription()
    first, second = make.delivery(lane), make.delivery(lane)
    assert ids(claim(holding, lane, in_hand=[first.pk])) == [second.pk]


def test_retries_take_at_most_half_while_first_attempts_wait(holding) -> None:
    lane = make.subscription()
    for phase in (Phase.RETRY, Phase.FIRST):
        for _ in range(6):
            make.delivery(lane, phase=phase)
    assert sorted(row.phase for row in claim(holding, lane).deliveries) == [0, 0, 1, 1]


@pytest.mark.parametrize(
    "change", [{"hold": "paused"}, {"hold": "disabled"}, {"not_before": make.now() + timedelta(hours=1)}]
)
def test_a_lane_that_may_not_move_yields_nothing(holding, change) -> None:
    lane = make.subscription()
    make.delivery(lane)
    lanes.take(holding=holding, now=make.now(), most=100)
    Lane.objects.update(**change)
    assert claim(holding, lane).deliveries == []


def test_a_lane_that_is_another_seats_yields_nothing(holding, settings) -> None:
    settings.HUB_SEATS = 2
    lane = make.subscription()
    make.delivery(lane)
    lanes.take(holding=make.seat(), now=make.now(), most=100)
    assert claim(holding, lane).deliveries == []


def test_many_lanes_are_claimed_together(holding) -> None:
    subscriptions = [make.subscription() for _ in range(30)]
    made = {make.delivery(each).pk for each in subscriptions}
    assert set(ids(claim(holding, *subscriptions))) == made


def test_two_hundred_idle_lanes_cost_no_more_statements_than_one(holding) -> None:
    one, *idle = [make.subscription() for _ in range(201)]
    make.delivery(one)
    Lane.objects.update(next_due_at=make.now())
    claim(holding, one, *idle)
    with CaptureQueriesContext(connection) as few:
        claim(holding, one)
    with CaptureQueriesContext(connection) as many:
        assert len(ids(claim(holding, one, *idle))) == 1
    assert len(many) == len(few)


@pytest.mark.postgresql
def test_postgresql_serves_each_phase_from_its_partial_index(holding) -> None:
    lane = make.subscription()
    make.deliveries(lane, 3000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE deliveries_delivery")
        cursor.execute(
            "EXPLAIN " + claims._lateral(4), {"lanes": [lane.pk], "in_hand": [], "now": make.now()}
        )
        plan = "\n".join(row[0] for row in cursor.fetchall())
    for index in ("delivery_first_due_idx", "delivery_retry_due_idx", "delivery_replay_due_idx"):
        assert index in plan
    assert "Seq Scan on deliveries_delivery" not in plan
