"""An endpoint that asks for quiet gets it at once, with all that its lane still had in hand."""

from dataclasses import replace
from datetime import timedelta

import pytest

from deliveries.deciders.outcome import Outcome
from deliveries.dispatcher import lanes
from deliveries.dispatcher.seats import Holding
from deliveries.models import Delivery, Lane
from tests import make
from tests.desks import Table

pytestmark = pytest.mark.django_db(transaction=True)

MINUTE = timedelta(seconds=60)


def test_what_waits_for_a_sender_when_quiet_is_asked_for_is_called_back() -> None:
    asks, other = make.subscription(window=5), make.subscription(window=5)
    for each in (asks, other):
        make.deliveries(each, 8)
    table = Table()
    table.turn()
    begun = next(job for job in table.jobs if job.row.lane_id == asks.pk)
    table.jobs.remove(begun)
    result = table.result(begun, Outcome.SERVER_ERROR)
    decision = replace(result.decision, lane_not_before=table.now + MINUTE)
    table.turn([replace(result, decision=decision)], heed_people=False)
    assert {job.row.lane_id for job in table.jobs} == {other.pk}
    assert sum(Delivery.objects.filter(subscription=asks).values_list("attempts", flat=True)) == 1
    table.now += MINUTE
    table.turn()
    assert sum(job.row.lane_id == asks.pk for job in table.jobs) == 5


def test_many_lanes_are_quieted_in_one_statement_and_no_wish_shortens_another(
    django_assert_num_queries,
) -> None:
    now = make.now()
    ids = [make.subscription(name=f"hook {number}").pk for number in range(4)]
    mine = make.seat()
    Lane.objects.update(next_due_at=now)
    lanes.take(holding=mine, now=now, most=3)
    ours = list(Lane.objects.filter(seat=mine.number).values_list("pk", flat=True))
    Lane.objects.filter(pk=ours[0]).update(not_before=now + 2 * MINUTE)
    Lane.objects.filter(pk=ours[1]).update(not_before=now)
    with django_assert_num_queries(1):
        lanes.quiet(holding=mine, until=dict.fromkeys(ids, now + MINUTE))
    assert [Lane.objects.get(pk=each).not_before for each in ours] == [
        now + 2 * MINUTE,
        now + MINUTE,
        now + MINUTE,
    ]
    assert Lane.objects.get(seat=None).not_before is None
    lanes.quiet(holding=Holding(number=mine.number, epoch=mine.epoch + 1), until={ours[1]: now + 3 * MINUTE})
    assert Lane.objects.get(pk=ours[1]).not_before == now + MINUTE
