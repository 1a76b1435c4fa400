"""A person who replays and a router that buries in the same lane wait for each other, never both at once."""

from threading import Event, Thread

import pytest
from django.db import connection, transaction

from deliveries.dispatcher import ordered
from deliveries.models import Delivery, DeliveryState, Issue
from deliveries.services import rearming, replay
from deliveries.services.dead_letters import Death, bury
from deliveries.services.lanes import hold_lanes
from tests import make

# SQLite has one writer at a time.
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgresql]


@pytest.mark.parametrize("act", [replay.replay_delivery, replay.discard_delivery])
def test_a_router_that_numbers_and_buries_and_a_person_never_deadlock(act, monkeypatch) -> None:
    lane = make.subscription(ordering="strict")
    dead, other = (make.delivery(lane, state=DeliveryState.DEAD, seq=seq) for seq in (1, 2))
    bury(deaths=[death(dead)], now=make.now())
    numbered, holds_issue = Event(), Event()
    failures: list[Exception] = []

    def route() -> None:
        try:
            with transaction.atomic():
                hold_lanes(connection, [lane.pk])
                ordered.number({lane.pk: 1})
                numbered.set()
                holds_issue.wait(1)  # comes only while the lane is locked after the issue
                bury(deaths=[death(other)], now=make.now())
        except Exception as failure:  # noqa: BLE001
            failures.append(failure)
        finally:
            connection.close()

    resolve = rearming.resolve_dead_letters

    def then_tell(*args) -> None:
        resolve(*args)
        holds_issue.set()

    monkeypatch.setattr(replay, "resolve_dead_letters", then_tell)
    router = Thread(target=route)
    router.start()
    assert numbered.wait(10)
    assert act(delivery_id=dead.pk, actor="ann").is_done
    router.join()
    assert failures == []
    assert Issue.objects.count() == 1
    assert Delivery.objects.get(pk=dead.pk).state != DeliveryState.DEAD


def death(of: Delivery) -> Death:
    return Death(
        delivery_id=of.pk,
        subscription_id=of.subscription_id,
        reason="filter_failed",
        fingerprint="v1:0",
        status=None,
        error="Filter: no.",
    )
