"""What a turn's time and memory are short of goes round: no lane takes all of it, turn after turn."""

import pytest

from deliveries.dispatcher import turn
from deliveries.models import Delivery, DeliveryState
from tests import make
from tests.desks import Table

pytestmark = pytest.mark.django_db(transaction=True)


def served_in(turns: int, table: Table) -> list[set[str]]:
    """Whose jobs each turn handed out; each is answered before the next."""
    names = []
    for _ in range(turns):
        begun = table.begin()
        names.append({str(job.row.lane_id) for job in begun})
        table.answer(begun)
    return names


@pytest.mark.parametrize("costly", [1, 2])
def test_lanes_with_costly_transforms_do_not_keep_a_turns_time_to_themselves(costly, monkeypatch) -> None:
    sick = [make.subscription(name=f"costly {n}") for n in range(costly)]
    well = make.subscription(name="well")
    for each in (*sick, well):
        make.deliveries(each, 30)
    monkeypatch.setattr(turn, "TRANSFORMS_S", -1.0)  # one job uses a whole turn's time up
    table = Table()
    table.turn()
    served = served_in(4 * (costly + 1), table)
    assert sum(str(well.pk) in each for each in served) >= 3


def test_a_slow_lane_does_not_take_all_the_memory_that_comes_free(monkeypatch) -> None:
    slow, well = make.subscription(name="slow"), make.subscription(name="well")
    make.deliveries(slow, 40)
    make.deliveries(well, 40)
    monkeypatch.setattr(turn, "BYTES_IN_HAND", 8)  # four bodies of two bytes
    table = Table()
    table.turn()
    got: dict[str, int] = {}
    for _ in range(12):  # the slow endpoint answers one request a turn, the other at once
        begun = table.jobs
        for job in begun:
            got[str(job.row.lane_id)] = got.get(str(job.row.lane_id), 0) + 1
        lazy = [job for job in begun if job.row.lane_id == slow.pk]
        done = [job for job in begun if job.row.lane_id == well.pk] + lazy[:1]
        table.jobs = [job for job in begun if job not in done]
        table.answer(done)
    assert Delivery.objects.filter(subscription=well, state=DeliveryState.DELIVERED).count() >= 6, got


def test_a_hanging_lane_leaves_memory_for_the_others(monkeypatch) -> None:
    hung, well = make.subscription(name="hung", window=100), make.subscription(name="well")
    make.deliveries(hung, 100)
    monkeypatch.setattr(turn, "BYTES_IN_HAND", 40)
    table = Table()
    table.turn()
    assert len(table.begin()) == 10  # half of the memory; it had none to share with
    make.deliveries(well, 40)
    for _ in range(4):  # what is left is shared with lanes that may come
        table.turn()
        begun = table.begin()
        assert {job.row.lane_id for job in begun} == {well.pk}
        table.answer(begun)
    assert Delivery.objects.filter(state=DeliveryState.DELIVERED, subscription=well).count() == 20


def test_a_body_larger_than_all_memory_is_sent_alone(monkeypatch) -> None:
    make.deliveries(make.subscription(), 2)
    monkeypatch.setattr(turn, "BYTES_IN_HAND", 1)
    table = Table()
    table.turn()
    assert len(table.jobs) == 1
    table.answer(table.begin())
    assert len(table.jobs) == 1
