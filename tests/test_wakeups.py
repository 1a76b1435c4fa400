"""A dispatcher that routes something for a lane of another one's tells that one which lane it is, and nobody else."""

import asyncio
from collections.abc import Collection
from uuid import UUID

import psycopg2
import pytest
from django.db import connection

from deliveries.dispatcher import lanes, wakeups
from deliveries.models import Delivery, Lane
from tests import make
from tests.desks import Table
from webhooks import wake
from webhooks.ids import uuid7
from webhooks.wake import EVENTS, LANES, WORK

pytestmark = pytest.mark.django_db(transaction=True)
Rings = list[tuple[str, frozenset[UUID]]]


@pytest.fixture
def rings(monkeypatch: pytest.MonkeyPatch) -> Rings:
    rung: Rings = []

    def ring(channel: str, lanes: Collection[UUID] = ()) -> None:
        rung.append((channel, frozenset(lanes)))

    monkeypatch.setattr(wake, "ring", ring)
    return rung


@pytest.fixture
def two(settings) -> tuple[Table, Table]:
    settings.HUB_SEATS = 2
    return Table(), Table()


def test_work_for_a_lane_of_another_dispatchers_is_told_to_that_one_by_name(
    two: tuple[Table, Table], rings: Rings
) -> None:
    router, owner = two
    theirs = make.subscription()
    make.delivery(theirs)
    lanes.take(holding=owner.holding, now=make.now(), most=1)
    make.event()
    rings.clear()
    router.route()
    assert rings == [(WORK, frozenset({theirs.pk}))]
    assert Delivery.objects.filter(subscription=theirs).count() == 2


def test_a_lane_that_sleeps_is_taken_by_whoever_routed_for_it_and_nobody_is_told(
    two: tuple[Table, Table], rings: Rings
) -> None:
    router, _ = two
    asleep = make.subscription()
    make.event()
    rings.clear()
    router.route()
    assert rings == []
    assert Lane.objects.get(pk=asleep.pk).seat_id == router.holding.number


def test_one_that_it_may_not_take_is_told_to_all(two: tuple[Table, Table], rings: Rings) -> None:
    router, _ = two
    for _ in range(2):
        make.subscription()
    make.event()
    rings.clear()
    router.route()
    assert rings == [(LANES, frozenset())]
    assert Lane.objects.filter(seat=None).count() == 1


@pytest.mark.postgresql
def test_what_another_process_rings_is_heard_with_its_lanes_and_what_this_one_says_of_others_is_not() -> None:
    lane, other = uuid7(), uuid7()
    told = f"NOTIFY {WORK}, '{lane.hex},{other.hex}'; NOTIFY {EVENTS}"
    assert heard_of(lambda: notify(told)) == [(WORK, frozenset({lane, other})), (EVENTS, frozenset())]
    assert heard_of(lambda: ring((WORK, {lane}), (EVENTS, ()))) == [(EVENTS, frozenset())]


@pytest.mark.postgresql
def test_of_very_many_lanes_none_is_named() -> None:
    many = {uuid7() for _ in range(wake.MOST_NAMED + 1)}
    assert heard_of(lambda: ring((EVENTS, ()), (WORK, many)), count=2) == [
        (EVENTS, frozenset()),
        (LANES, frozenset()),
    ]


def ring(*rung: tuple[str, Collection[UUID]]) -> None:
    for channel, named in rung:
        wake.ring(channel, named)


def notify(sql: str) -> None:
    """From a session that is nobody's here."""
    line = psycopg2.connect(**{**connection.get_connection_params(), "cursor_factory": None})
    line.autocommit = True
    line.cursor().execute(sql)
    line.close()


def heard_of(act, *, count: int = 0) -> Rings:
    """What a listener hears of it until EVENTS rang, or so many."""

    async def listening() -> Rings:
        heard: Rings = []
        ready, done = asyncio.Event(), asyncio.Event()

        def hear(channel: str, lanes: frozenset[UUID]) -> None:
            if not ready.is_set():  # it begins by looking for all there is
                if channel == LANES:
                    ready.set()
                return
            heard.append((channel, lanes))
            if len(heard) == count or (not count and channel == EVENTS):
                done.set()

        listener = asyncio.create_task(wakeups.listen(hear))
        await asyncio.wait_for(ready.wait(), 10)
        await asyncio.to_thread(act)
        await asyncio.wait_for(done.wait(), 10)
        listener.cancel()
        return heard

    return asyncio.run(listening())
