"""Where only the latest is wanted, an older version of an entity never follows a newer one, whatever happens."""

import asyncio
import json
import random
from datetime import timedelta
from functools import partial
from ipaddress import ip_network
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliveries.deciders.mixing import Room
from deliveries.deciders.outcome import Decision, Outcome
from deliveries.deciders.versions import is_outdated, sift
from deliveries.dispatcher import claims, lanes, orders, router, seats, settlement
from deliveries.dispatcher.client import Exchange as Answer
from deliveries.dispatcher.jobs import Job
from deliveries.dispatcher.routes import Routes
from deliveries.models import (
    Attempt,
    DeadLetter,
    Delivery,
    DeliveryState,
    EntityVersion,
    Lane,
    Phase,
    Subscription,
)
from deliveries.services.replay import Answer as Verdict
from deliveries.services.replay import replay_delivery
from deliveries.services.subscriptions import update_subscription
from tests import make
from tests.desks import Table
from tests.endpoints import Behaviour, Endpoint, Request, answers, never_answers
from tests.running import dispatchers, until
from webhooks.ids import uuid7
from webhooks.models import AuditEntry, Event

pytestmark = pytest.mark.django_db(transaction=True)


# -- the decider


class Told(NamedTuple):
    entity: str = "cart-1"
    entity_version: int | None = 1


@pytest.mark.parametrize(
    ("told", "highest", "outdated"),
    [
        (Told(entity_version=4), 5, True),
        (Told(entity_version=5), 5, False),
        (Told(entity_version=6), 5, False),
        (Told(entity_version=4), None, False),
        (Told(entity_version=None), 5, False),
        (Told(entity=""), 5, False),
        (Told(entity_version=-1), 0, True),
    ],
)
def test_only_what_has_a_lower_version_is_outdated(told, highest, outdated) -> None:
    assert is_outdated(told, highest) is outdated


ENTITIES = st.sampled_from(["", "a", "b", "c"])


@given(
    rows=st.lists(st.builds(Told, ENTITIES, st.none() | st.integers(0, 5))),
    highest=st.dictionaries(ENTITIES, st.integers(0, 5)),
    busy=st.sets(ENTITIES),
)
def test_of_each_entity_one_at_most_goes_and_never_an_outdated_one(rows, highest, busy) -> None:
    sifted = sift(rows, highest=highest, busy=busy)
    named = [each.entity for each in sifted.fit if each.entity and each.entity_version is not None]
    assert len(named) == len(set(named))
    assert not busy & set(named)
    assert not any(is_outdated(each, highest.get(each.entity)) for each in sifted.fit)
    assert all(is_outdated(each, highest.get(each.entity)) for each in sifted.outdated)
    assert sorted(map(repr, rows)) == sorted(
        map(repr, [*sifted.fit, *sifted.outdated, *sifted.waiting])
    )  # none is lost


# -- routing


def latest(url: str = "http://127.0.0.1:9/hook", **options: Any) -> Subscription:
    return make.subscription(url, latest_only=True, **options)


def event(version: int | None, entity: str = "cart-1") -> UUID:
    return make.event(
        json.dumps({"entity": entity, "version": version}).encode(), entity=entity, entity_version=version
    ).pk


def owe(holding: seats.Holding, *versions: int | None, entity: str = "cart-1") -> list[UUID]:
    """Events, routed together; the ids of the deliveries they made, in the order given."""
    events = [event(version, entity) for version in versions]
    route(holding)
    return list(Delivery.objects.filter(event__in=events).order_by("event_id").values_list("pk", flat=True))


def route(holding: seats.Holding) -> None:
    router.route(holding=holding, routes=Routes(), now=make.now())


def states(ids: list[UUID]) -> list[str]:
    found = dict(Delivery.objects.filter(pk__in=ids).values_list("pk", "state"))
    return [found[each] for each in ids]


def highest() -> list[tuple[str, int]]:
    return list(EntityVersion.objects.order_by("entity").values_list("entity", "version"))


def test_what_is_older_than_the_newest_is_superseded_from_the_start(holding) -> None:
    latest()
    owed = owe(holding, 5) + owe(holding, 4, 6)
    assert states(owed) == ["pending", "superseded", "pending"]
    late = Delivery.objects.get(state=DeliveryState.SUPERSEDED)
    assert (late.due_at, late.settled_at is None, late.attempts) == (None, False, 0)
    assert highest() == [("cart-1", 6)]


def test_of_one_batch_too_only_the_newest_is_sent(holding) -> None:
    latest()
    assert states(owe(holding, 1, 3, 2)) == ["superseded", "pending", "superseded"]


def test_a_tie_is_not_older(holding) -> None:
    latest()
    assert states(owe(holding, 7, 7)) == ["pending", "pending"]


def test_entities_have_nothing_to_do_with_each_other(holding) -> None:
    latest()
    owed = owe(holding, 9, entity="cart-1") + owe(holding, 1, entity="cart-2")
    assert states(owed) == ["pending", "pending"]
    assert highest() == [("cart-1", 9), ("cart-2", 1)]


@pytest.mark.parametrize(("version", "entity"), [(None, "cart-1"), (1, ""), (None, "")])
def test_an_event_without_entity_or_version_is_owed_as_usual(holding, version, entity) -> None:
    latest()
    owe(holding, 5)
    assert states(owe(holding, version, entity=entity)) == ["pending"]
    assert highest() == [("cart-1", 5)]


def test_a_subscription_that_wants_all_of_them_gets_all_and_nothing_is_remembered(holding) -> None:
    make.subscription()
    assert states(owe(holding, 3, 1, 2)) == ["pending"] * 3
    assert highest() == []


def test_what_a_filter_failed_on_supersedes_nothing(holding) -> None:
    latest(filter="abs(version) > `0` && version < `9` || abs(entity) > `0`")
    assert states(owe(holding, 9) + owe(holding, 4)) == ["dead", "pending"]


def test_the_largest_version_a_database_can_count_is_kept_exactly(holding) -> None:
    latest()
    assert states(owe(holding, 2**63 - 1) + owe(holding, 2**63 - 2)) == ["pending", "superseded"]
    assert highest() == [("cart-1", 2**63 - 1)]


# -- claims


def claim(holding: seats.Holding, to: Subscription, *, in_hand: Any = (), window: int = 10) -> claims.Claim:
    lanes.take(holding=holding, now=make.now(), most=100)
    is_ordered = Subscription.objects.get(pk=to.pk).ordering == "strict"
    need = claims.Need(
        room=Room(window=window, firsts=len(in_hand)),
        in_hand=list(in_hand),
        latest_only=True,
        is_ordered=is_ordered,
    )
    return claims.claim(holding=holding, needs={to.pk: need}, now=make.now())


def ids(claim: claims.Claim) -> list[UUID]:
    return [row.delivery_id for row in claim.deliveries]


def test_a_pending_one_that_was_overtaken_is_superseded_when_its_turn_comes(holding) -> None:
    lane = latest()
    older, newer = owe(holding, 1) + owe(holding, 2)
    found = claim(holding, lane)
    assert ids(found) == [newer]
    assert states([older, newer]) == ["superseded", "pending"]


def test_a_replay_of_what_is_overtaken_meanwhile_is_superseded_too(holding) -> None:
    lane = latest()
    (older,) = owe(holding, 1)
    Delivery.objects.filter(pk=older).update(state="dead", due_at=None)
    assert replay_delivery(delivery_id=older, actor="ada").is_done
    (newer,) = owe(holding, 2)
    assert ids(claim(holding, lane)) == [newer]
    assert states([older]) == ["superseded"]


def test_nothing_of_an_entity_goes_while_one_of_it_is_in_hand(holding) -> None:
    lane = latest()
    (out,) = owe(holding, 1)
    newer, other = owe(holding, 2) + owe(holding, 1, entity="cart-2")
    found = claim(holding, lane, in_hand=[out])
    assert ids(found) == [other]
    assert found.more == {lane.pk}
    assert states([out, newer]) == ["pending", "pending"]


def test_of_a_tie_one_goes_after_the_other(holding) -> None:
    lane = latest()
    first, second = owe(holding, 7, 7)
    assert ids(claim(holding, lane)) == [first]
    assert ids(claim(holding, lane, in_hand=[first])) == []
    Delivery.objects.filter(pk=first).update(state="delivered", due_at=None)
    assert ids(claim(holding, lane)) == [second]


def test_many_that_wait_for_their_entity_hold_up_no_other(holding) -> None:
    lane = latest()
    owe(holding, *[7] * 30)
    (other,) = owe(holding, 1, entity="cart-2")
    assert other in ids(claim(holding, lane, window=2))


@pytest.mark.parametrize("ordering", ["unordered", "strict"])
def test_one_claim_gets_past_hundreds_that_are_outdated(holding, ordering) -> None:
    lane = make.subscription(ordering=ordering)
    owe(holding, *range(400))
    update_subscription(subscription_id=lane.pk, actor="ada", latest_only=True)
    (newest,) = owe(holding, 400)
    assert ids(claim(holding, lane, window=1)) == [newest]
    assert Delivery.objects.filter(state=DeliveryState.SUPERSEDED).count() == 400


def test_what_was_owed_before_only_the_latest_was_wanted_counts_from_its_first_claim(holding) -> None:
    lane = make.subscription()
    owed = owe(holding, 1, 3, 2)
    update_subscription(subscription_id=lane.pk, actor="ada", latest_only=True)
    assert ids(claim(holding, lane)) == [owed[1]]
    assert states(owed) == ["superseded", "pending", "superseded"]
    assert highest() == [("cart-1", 3)]


def test_what_was_out_before_only_the_latest_was_wanted_counts_too(holding) -> None:
    lane = make.subscription()
    out, older = owe(holding, 5, 4)
    update_subscription(subscription_id=lane.pk, actor="ada", latest_only=True)
    assert ids(claim(holding, lane, in_hand=[out])) == []
    assert states([out, older]) == ["pending", "superseded"]


def test_who_lost_the_seat_supersedes_nothing(holding) -> None:
    lane = latest()
    older, _ = owe(holding, 1) + owe(holding, 2)
    lanes.take(holding=holding, now=make.now(), most=100)
    seats.leave(holding)
    with pytest.raises(seats.SeatLost):
        claim(holding, lane)
    assert states([older]) == ["pending"]


# -- settling


def settle(holding: seats.Holding, delivery: UUID, *, status: int, state: Any) -> None:
    row = Delivery.objects.select_related("event").get(pk=delivery)
    order = orders.load(revisions={row.subscription_id: 1}, now=make.now()).orders[row.subscription_id]
    claimed = claims.Claimed(
        row.pk, row.subscription_id, row.event_id, row.phase, row.attempts, 0, row.budget_at, row.budget_at, uuid7(), 2,
        row.event.entity, row.event.entity_version,
    )  # fmt: skip
    outcome = Outcome.OK if status == 200 else Outcome.SERVER_ERROR
    due = make.now() + timedelta(hours=1) if state == "pending" else None
    reason = "exhausted" if state == "dead" else ""
    result = settlement.Tried(
        attempt_id=uuid7(),
        job=Job(row=claimed, orders=order, body=b"{}", content_type="application/json"),
        exchange=Answer(outcome=outcome, status=status),
        request_headers={},
        started_at=make.now(),
        duration_ms=1,
        decision=Decision(state=state, due_at=due, reason=reason),
    )
    settlement.settle(holding=holding, results=[result], now=make.now())


@pytest.mark.parametrize("state", ["pending", "dead"])
def test_an_older_one_that_fails_is_neither_retried_nor_a_dead_letter(holding, state) -> None:
    latest()
    older, newer = owe(holding, 1) + owe(holding, 2)
    settle(holding, older, status=500, state=state)
    assert states([older, newer]) == ["superseded", "pending"]
    assert Attempt.objects.get().outcome == "server_error"
    assert not DeadLetter.objects.exists()


def test_an_older_one_that_arrived_is_delivered(holding) -> None:
    latest()
    older, _ = owe(holding, 1) + owe(holding, 2)
    settle(holding, older, status=200, state="delivered")
    assert states([older]) == ["delivered"]


@pytest.mark.parametrize(("state", "left"), [("pending", "pending"), ("dead", "dead")])
def test_the_newest_that_fails_is_retried_or_dead_as_usual(holding, state, left) -> None:
    latest()
    _, newest = owe(holding, 1) + owe(holding, 2)
    settle(holding, newest, status=500, state=state)
    assert states([newest]) == [left]
    assert DeadLetter.objects.count() == (state == "dead")


def test_where_all_versions_are_wanted_an_older_one_that_fails_is_retried(holding) -> None:
    make.subscription()
    older, _ = owe(holding, 1) + owe(holding, 2)
    settle(holding, older, status=500, state="pending")
    assert states([older]) == ["pending"]


# -- replays


@pytest.mark.parametrize("state", ["delivered", "dead", "discarded", "superseded"])
def test_what_is_older_than_the_newest_is_not_replayed(holding, state) -> None:
    latest()
    older, _ = owe(holding, 1) + owe(holding, 2)
    Delivery.objects.filter(pk=older).update(state=state, due_at=None)
    verdict = replay_delivery(delivery_id=older, actor="ada")
    assert verdict.answer == Verdict.SUPERSEDED
    assert verdict.sentence == "A newer version is known, and this subscription wants the latest only."
    assert states([older]) == [state]
    assert not AuditEntry.objects.exists()


def test_the_newest_and_its_equals_are_replayed(holding) -> None:
    latest()
    owed = owe(holding, 2, 2)
    Delivery.objects.filter(pk__in=owed).update(state="delivered", due_at=None)
    assert [replay_delivery(delivery_id=each, actor="ada").is_done for each in owed] == [True, True]


def test_once_all_versions_are_wanted_again_an_older_one_is_replayed(holding) -> None:
    lane = latest()
    older, _ = owe(holding, 1, 2)
    update_subscription(subscription_id=lane.pk, actor="ada", latest_only=False)
    assert replay_delivery(delivery_id=older, actor="ada").is_done


# -- with real dispatchers and endpoints


@pytest.fixture
def quick(settings) -> None:
    settings.HUB_EGRESS_ALLOW = [ip_network("127.0.0.0/8")]


def versions_heard(endpoint: Endpoint) -> dict[str, list[int]]:
    heard: dict[str, list[int]] = {}
    for request in endpoint.requests:
        told = json.loads(request.body)
        heard.setdefault(told["entity"], []).append(told["version"])
    return heard


def moody(seed: int) -> Behaviour:
    """Fails every third request or so, and takes a different time for each."""
    draw = random.Random(seed)

    async def behave(request: Request, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(draw.random() * 0.02)
        await answers(500 if draw.random() < 0.35 else 200)(request, writer)

    return behave


def are_owed(count: int) -> bool:
    return Delivery.objects.count() == count


def is_quiet() -> bool:
    return not Delivery.objects.filter(state=DeliveryState.PENDING).exists()


def test_versions_never_go_back_with_retries_replays_and_dispatchers_that_come_and_go(quick) -> None:
    draw = random.Random(3)
    with Endpoint(moody(5)) as endpoint:
        lane = latest(endpoint.url, retry_delays_s=[0.02] * 8, circuit_min_volume=1000)
        for day in range(3):
            with dispatchers():
                for _ in range(25):
                    event(10 * day + draw.randrange(20), f"cart-{draw.randrange(4)}")
                until(partial(are_owed, 25 * (day + 1)))
                for settled in Delivery.objects.exclude(state="pending").order_by("id")[day::3]:
                    replay_delivery(delivery_id=settled.pk, actor="ada")
        with dispatchers():
            until(lambda: Delivery.objects.count() == 75 and is_quiet())
        for entity, heard in versions_heard(endpoint).items():
            assert heard == sorted(heard)
            assert heard[-1] == EntityVersion.objects.get(subscription=lane, entity=entity).version


def test_what_was_in_flight_when_its_dispatcher_was_killed_does_not_follow_a_newer_one(quick) -> None:
    with Endpoint(never_answers) as endpoint:
        lane = latest(endpoint.url, timeout_s=20)
        event(1)
        with dispatchers():
            endpoint.wait_for(1)
    event(2)
    with Endpoint(answers(200)) as endpoint:
        Subscription.objects.filter(pk=lane.pk).update(url=endpoint.url)
        with dispatchers():
            until(lambda: Delivery.objects.count() == 2 and is_quiet())
        assert versions_heard(endpoint) == {"cart-1": [2]}
    assert sorted(Delivery.objects.values_list("state", flat=True)) == ["delivered", "superseded"]


def test_a_newer_version_waits_for_the_answer_to_the_one_before(quick) -> None:
    async def first_one_fails_late(request: Request, writer: asyncio.StreamWriter) -> None:
        if json.loads(request.body)["version"] == 1:
            await asyncio.sleep(0.3)
            await answers(500)(request, writer)
        else:
            await answers(200)(request, writer)

    with Endpoint(first_one_fails_late) as endpoint:
        latest(endpoint.url, retry_delays_s=[0.01] * 5)
        event(1)
        with dispatchers():
            endpoint.wait_for(1)
            event(2)
            until(lambda: Delivery.objects.count() == 2 and is_quiet())
        assert versions_heard(endpoint) == {"cart-1": [1, 2]}
    assert list(Delivery.objects.order_by("event_id").values_list("state", "phase")) == [
        ("superseded", Phase.FIRST),
        ("delivered", Phase.FIRST),
    ]
    assert Lane.objects.get().circuit == "closed"


def test_thousands_that_wait_for_one_in_hand_are_not_read_again_in_every_turn() -> None:
    lane = make.subscription(latest_only=True, window=10)
    make.deliveries(lane, 300)
    Event.objects.update(entity="order-1", entity_version=1)
    table = Table()
    table.turn()
    assert len(table.begin()) == 1
    table.turn()
    page = table.desk.book.lanes[lane.pk]
    assert (page.hungry, page.waits) == (False, True)
    page.put_down(next(iter(page.in_hand)), 2, 0.0)
    assert (page.hungry, page.waits) == (True, False)


def test_what_waited_goes_out_one_by_one_without_a_wake_up() -> None:
    lane = make.subscription(latest_only=True, window=10)
    make.deliveries(lane, 5)
    Event.objects.update(entity="order-1", entity_version=1)
    table = Table()
    table.turn()
    for _ in range(5):
        (job,) = table.begin()
        table.turn(heed_people=False)  # reads in vain
        assert table.jobs == []
        table.answer([job])
    assert Delivery.objects.filter(subscription=lane, state=DeliveryState.DELIVERED).count() == 5
