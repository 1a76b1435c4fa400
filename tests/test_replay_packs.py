"""A large replay is frozen as packs of ids: they become items soon, in order, once, and count as chosen before that."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from deliveries import tasks
from deliveries.deciders.delivery_query import DeliveryQuery, Status
from deliveries.deciders.replay_choice import Choice
from deliveries.models import Delivery, Replay, ReplayItem, ReplayPack, Subscription
from deliveries.services import bulk_discards, replay_freeze, replay_packs, replay_start, replays, retention
from deliveries.services.replay import Answer, discard_delivery, replay_delivery
from tests import make
from tests.desks import Table
from tests.replaying import DEAD, dead, items, soon, start, started
from webhooks.models import EventBody

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def small_packs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of three items, and none is made while the person waits."""
    for module in (replay_packs, replay_freeze):
        monkeypatch.setattr(module, "SIZE", 3)
    monkeypatch.setattr(replay_start, "MADE_AT_ONCE", 0)


@pytest.fixture
def lanes() -> list[Subscription]:
    return [make.subscription(name=name) for name in ("erp", "crm")]


@pytest.fixture
def made(lanes: list[Subscription]) -> list[Delivery]:
    """Eight, in turn for the one lane and the other; ids rise with their events, not with their lanes."""
    return [each for _ in range(4) for lane in lanes for each in dead(lane)]


def in_order() -> list[UUID]:
    return list(ReplayItem.objects.order_by("pk").values_list("delivery_id", flat=True))


def until_finished(table: Table, replay: Replay) -> list[Any]:
    sent = []
    for _ in range(60):
        table.turn()
        begun = table.begin()
        sent += [job.row.delivery_id for job in begun]
        table.answer(begun)
        table.pass_s(1)
        replay.refresh_from_db()
        if replay.state == "finished":
            break
    return sent


def test_what_is_frozen_is_packed_and_made_into_items_oldest_event_first(made: list[Delivery]) -> None:
    replay = started()
    assert (replay.total, replay.waiting, items(replay)) == (8, 8, [])
    sizes = [len(replay_packs.items_of(pack)) for pack in ReplayPack.objects.order_by("pk")]
    assert sizes == [3, 3, 2]
    assert replay_packs.unpack() == 8
    assert in_order() == [each.pk for each in made]
    assert items(replay) == ["waiting"] * 8
    pairs = ReplayItem.objects.order_by("pk").values_list("event_id", "subscription_id")
    assert list(pairs) == [(each.event_id, each.subscription_id) for each in made]
    assert not ReplayPack.objects.exists()


def test_a_dispatcher_makes_the_items_that_it_needs_and_ends_no_lane_before(made: list[Delivery]) -> None:
    late = make.subscription(name="late")
    last = dead(late, 2)  # in the last pack alone, while its lane is hungry from the first turn on
    replay = started()
    sent = until_finished(Table(), replay)
    assert (replay.state, replay.delivered) == ("finished", 10)
    for lane in {each.subscription_id for each in made}:
        own = [each.pk for each in made if each.subscription_id == lane]
        assert [each for each in sent if each in own] == own
    assert [each for each in sent if each in {one.pk for one in last}] == [each.pk for each in last]


def test_what_is_never_attempted_has_its_delivery_made_from_a_pack(lanes: list[Subscription]) -> None:
    events = [make.event(state="routed") for _ in range(4)]
    query = DeliveryQuery(subscriptions=(lanes[0].pk,), since="all")
    replay = started(query, preset="never")
    until_finished(Table(), replay)
    found = Delivery.objects.filter(state="delivered").order_by("event_id")
    assert list(found.values_list("event_id", flat=True)) == [each.pk for each in events]


@pytest.mark.usefixtures("made")
def test_what_was_packed_by_one_is_chosen_for_another() -> None:
    started()
    verdict = start(actor="bob", seen=8)
    assert (verdict.answer, verdict.sentence) == (
        replays.Answer.NOTHING,
        "You saw 8; it is 0 now. Nothing was started: look again.",
    )
    assert (Replay.objects.count(), ReplayItem.objects.count()) == (1, 8)


def test_a_packed_delivery_is_not_replayed_alone(made: list[Delivery]) -> None:
    replay = started()
    verdict = replay_delivery(delivery_id=made[-1].pk, actor="bob")
    assert (verdict.answer, verdict.sentence) == (
        Answer.PENDING,
        "A replay that is still running has chosen it already.",
    )
    assert items(replay) == ["waiting"] * 8


def test_another_delivery_is_replayed_without_a_look_into_packs(made: list[Delivery]) -> None:
    started(DeliveryQuery(statuses=(Status.DEAD,), subscriptions=(made[0].subscription_id,), since="all"))
    assert replay_delivery(delivery_id=made[1].pk, actor="bob").is_done
    assert (ReplayPack.objects.count(), ReplayItem.objects.count()) == (2, 0)


def test_a_packed_delivery_that_is_discarded_is_skipped(made: list[Delivery]) -> None:
    replay = started()
    assert discard_delivery(delivery_id=made[7].pk, actor="bob", reason="not wanted").is_done
    assert items(replay) == [*["waiting"] * 7, "skipped"]
    assert len(until_finished(Table(), replay)) == 7
    assert (replay.delivered, replay.skipped) == (7, 1)


@pytest.mark.usefixtures("made")
def test_cancelled_it_gives_back_what_is_packed() -> None:
    replay = started()
    replay_packs.unpack(most=1)
    assert items(replay) == ["waiting"] * 3
    verdict = replays.cancel(replay_id=replay.pk, actor="ada")
    assert verdict.sentence == "It is cancelled and gives back 8; nothing is under way."
    replay.refresh_from_db()
    assert (replay.returned, replay.waiting) == (8, 0)
    assert not ReplayPack.objects.exists() and not ReplayItem.objects.exists()
    assert start(actor="bob").is_done


@pytest.mark.usefixtures("made")
def test_what_a_cancelled_replay_has_packed_is_never_made_and_given_back_later() -> None:
    replay = started()
    Replay.objects.update(
        state="cancelled", finished_at=make.now()
    )  # and killed before it gave anything back
    assert replay_packs.unpack() == 0
    assert replays.cut_short() == [replay.pk]
    assert replays.return_waiting(replay.pk) == 8
    replay.refresh_from_db()
    assert (replay.returned, items(replay), ReplayPack.objects.count()) == (8, [], 0)


def test_a_discard_of_many_goes_through_its_packs(made: list[Delivery]) -> None:
    replay = started(verb="discard")
    assert bulk_discards.carry_out(replay.pk) is False
    replay.refresh_from_db()
    assert (replay.state, replay.discarded) == ("finished", 8)
    assert Delivery.objects.filter(state="discarded").count() == len(made)


def test_retention_keeps_what_is_packed() -> None:
    to = make.subscription()
    for _ in range(4):
        make.delivery(to, state="delivered", attempts=1, budget_at=make.now() - timedelta(hours=1))
    started(DeliveryQuery(statuses=(Status.DELIVERED,), since="all"))
    Replay.objects.update(state="paused")
    later = make.now() + timedelta(days=91)
    gone = retention.drop_expired(now=later)
    assert (gone["event bodies"], gone["deliveries"], gone["events"]) == (0, 0, 0)
    assert (EventBody.objects.count(), Delivery.objects.count()) == (4, 4)
    Replay.objects.update(state="cancelled")
    assert retention.drop_expired(now=later)["items of cancelled replays"] == 4
    assert retention.drop_expired(now=later)["deliveries"] == 4


@pytest.mark.postgresql
def test_who_starts_one_keeps_nobody_from_turning_another(
    made: list[Delivery], monkeypatch: pytest.MonkeyPatch
) -> None:
    """That other one was started, and is packed, since who starts this one has looked for packs."""
    make.delivery(made[0].subscription, state="delivered", attempts=1)
    unpack, freeze = replay_packs.unpack, replay_freeze.freeze
    frozen, turned = threading.Event(), threading.Event()
    others: list[Replay] = []
    queries = [DEAD]

    def unpack_and_be_late(**given: Any) -> int:
        number = unpack(**given)
        if queries:
            others.append(started(queries.pop()))
        return number

    def freeze_and_wait(*given: Any) -> Any:
        groups = freeze(*given)
        if others:
            frozen.set()
            turned.wait(1)
        return groups

    def pause() -> replays.Verdict:
        frozen.wait(10)
        try:
            return replays.pause(replay_id=others[0].pk, actor="eve")
        finally:
            turned.set()
            connection.close()

    monkeypatch.setattr(replay_packs, "unpack", unpack_and_be_late)
    monkeypatch.setattr(replay_start, "freeze", freeze_and_wait)
    with ThreadPoolExecutor(1) as pool:
        paused = pool.submit(pause)
        verdict = start(DeliveryQuery(statuses=(Status.DELIVERED,), since="all"), actor="bob")
        assert (verdict.is_done, paused.result().is_done) == (True, True)
    assert (items(others[0]), ReplayPack.objects.count()) == (["waiting"] * 8, 1)


def test_retention_keeps_what_is_packed_while_it_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    made = make.delivery(make.subscription(), state="delivered", budget_at=make.now() - timedelta(hours=1))
    orders = [DeliveryQuery(statuses=(Status.DELIVERED,), since="all")]
    unpack = replay_packs.unpack

    def unpack_and_be_late(**given: Any) -> int:
        number = unpack(**given)
        if orders:
            started(orders.pop())
        return number

    monkeypatch.setattr(replay_packs, "unpack", unpack_and_be_late)
    assert retention.drop_expired(now=make.now() + timedelta(days=31))["event bodies"] == 1  # looked at
    assert EventBody.objects.get().pk == made.event_id


@pytest.mark.usefixtures("made")
def test_a_schedule_makes_what_nobody_asked_for() -> None:
    replay = started()
    assert ("weir: unpack", "deliveries.tasks.unpack", 1) in tasks.SCHEDULES
    tasks.unpack()
    assert items(replay) == ["waiting"] * 8


@pytest.mark.usefixtures("made")
def test_who_is_cut_short_leaves_a_whole_pack_and_the_next_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    replay = started()
    replay_packs.unpack(most=1)
    with monkeypatch.context() as patch:
        patch.setattr(ReplayPack, "delete", _killed)
        with pytest.raises(DatabaseError):
            replay_packs.unpack()
    assert (items(replay), ReplayPack.objects.count()) == (["waiting"] * 3, 2)
    assert replay_packs.unpack() == 5
    assert items(replay) == ["waiting"] * 8


def _killed(_: ReplayPack) -> None:
    raise DatabaseError("The connection is gone.")


def test_what_is_taken_all_the_same_is_skipped(made: list[Delivery]) -> None:
    other = Replay.objects.create(ordered_by="bob", total=1)
    first = started()
    ReplayItem.objects.create(
        replay=other, event_id=made[0].event_id, subscription_id=made[0].subscription_id, delivery=made[0]
    )
    replay_packs.unpack()
    first.refresh_from_db()
    assert (first.skipped, first.waiting, items(first)) == (1, 7, ["waiting"] * 7)


@pytest.mark.usefixtures("made")
def test_the_summary_tells_what_was_frozen() -> None:
    now = soon()
    found = replays.estimate(Choice(query=DEAD).frozen(now), now)
    replay = started()
    assert replay.summary["failures"] == [["server_error", 503, 8]]
    assert replay.summary["types"] == [["user.created", 8]]
    assert [[each.id.hex, each.name, each.count] for each in found.subscriptions] == replay.summary[
        "subscriptions"
    ]
    assert sorted(replay.lanes.values_list("total", flat=True)) == [4, 4]


@pytest.fixture
def before_packs() -> Iterator[list[tuple[str, str]]]:
    yield [("deliveries", "0024_alert_of_quarantine")]
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())


def test_the_migration_back_makes_what_is_packed_into_items(
    made: list[Delivery], before_packs: list[tuple[str, str]]
) -> None:
    replay = started()
    MigrationExecutor(connection).migrate(before_packs)
    assert in_order() == [each.pk for each in made]
    assert items(replay) == ["waiting"] * 8
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())
    until_finished(Table(), replay)
    assert (replay.state, replay.delivered) == ("finished", 8)
