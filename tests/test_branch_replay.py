"""A replay from a node of a cascade sends parents before their children, in whichever lanes they are."""

import asyncio
from asyncio import StreamWriter
from collections.abc import Callable
from ipaddress import ip_network
from typing import Any

import pytest

from deliveries.deciders.delivery_query import DeliveryQuery, Status
from deliveries.deciders.outcome import Outcome
from deliveries.models import Delivery, Replay, ReplayItem, Subscription
from deliveries.selectors import cascade_below
from deliveries.selectors.never_attempted import TooMany
from deliveries.services import bulk_discards, circuits, holds, replays
from deliveries.services.replay import discard_delivery
from tests import make
from tests.desks import Table
from tests.endpoints import Endpoint, Request, answers
from tests.replaying import DEAD, dead, items, started
from tests.running import dispatchers, until
from webhooks.ids import public_id
from webhooks.models import EventBody

pytestmark = pytest.mark.django_db(transaction=True)


def caused(to: Subscription, cause: Delivery | None = None) -> Delivery:
    """A dead delivery of an event that the other one's delivery caused; the first of a cascade without any."""
    placed: dict[str, Any] = {}
    if cause:
        placed = {"trace_id": cause.event.trace_id, "cause_id": cause.pk, "depth": cause.event.depth + 1}
    [made] = dead(to, of=make.event(state="routed", **placed))
    return made


def chain(*lanes: Subscription) -> list[Delivery]:
    made: list[Delivery] = []
    for lane in lanes:
        made.append(caused(lane, made[-1] if made else None))
    return made


def branch(node: Delivery, **options: Any) -> Replay:
    return started(DeliveryQuery(statuses=(Status.DEAD,), since="all", below=node.event_id), **options)


def begun(table: Table) -> list[Any]:
    """What is handed out in a while in which nobody answers."""
    found = []
    for _ in range(3):
        table.turn()
        found += table.begin()
        table.pass_s(1)
    return found


def sent(jobs: list[Any]) -> list[Any]:
    return [job.row.delivery_id for job in jobs]


@pytest.fixture
def two() -> tuple[Subscription, Subscription]:
    return make.subscription(), make.subscription(name="other")


def test_each_waits_for_the_answer_to_what_caused_it(two: tuple[Subscription, Subscription]) -> None:
    one, other = two
    made = chain(one, other, one, other)
    replay = branch(made[0])
    table = Table()
    for each in made:
        jobs = begun(table)
        assert sent(jobs) == [each.pk]
        table.answer(jobs)
    begun(table)
    replay.refresh_from_db()
    assert (replay.state, replay.delivered, items(replay)) == ("finished", 4, ["delivered"] * 4)


def test_what_lies_equally_deep_goes_at_once_and_waits_for_all_above(
    two: tuple[Subscription, Subscription],
) -> None:
    one, other = two
    root = caused(one)
    children = [caused(lane, root) for lane in (one, other)]
    leaves = [caused(lane, child) for child in children for lane in (one, other)]
    branch(root)
    table = Table()
    table.answer(begun(table))
    first, second = begun(table)
    assert {first.row.delivery_id, second.row.delivery_id} == {each.pk for each in children}
    table.answer([first])
    assert begun(table) == []  # though the parent of two of them was answered
    table.answer([second])
    assert set(sent(begun(table))) == {each.pk for each in leaves}


def test_a_branch_begins_with_what_is_chosen_of_it_however_deep(
    two: tuple[Subscription, Subscription],
) -> None:
    one, other = two
    made = chain(one, other, one, other)
    Delivery.objects.filter(pk=made[2].pk).update(state="delivered")
    branch(made[1])
    table = Table()
    for each in (made[1], made[3]):
        jobs = begun(table)
        assert sent(jobs) == [each.pk]
        table.answer(jobs)


def test_one_that_fails_again_holds_nobody_up(two: tuple[Subscription, Subscription]) -> None:
    parent, child = chain(*two)
    replay = branch(parent)
    table = Table()
    jobs = begun(table)
    assert sent(jobs) == [parent.pk]
    table.answer(jobs, Outcome.SERVER_ERROR)
    assert sent(begun(table)) == [parent.pk, child.pk]  # the one goes on by its own schedule
    assert items(replay) == ["failed", "admitted"]


STANDSTILLS: dict[str, tuple[Callable[..., object], Callable[..., object]]] = {
    "pause": (holds.pause, holds.resume),
    "disable": (holds.disable, holds.enable),
    "trip": (circuits.trip, circuits.reset),
}


@pytest.mark.parametrize("how", list(STANDSTILLS))
def test_a_lane_that_does_not_move_holds_nobody_up_and_sends_when_it_moves(
    two: tuple[Subscription, Subscription], how: str
) -> None:
    one, other = two
    stop, go = STANDSTILLS[how]
    root = caused(one)
    parked, moving = caused(one, root), caused(other, root)
    grandchild = caused(other, parked)
    branch(root)
    table = Table()
    jobs = begun(table)
    stop(subscription_id=one.pk, actor="ada", reason="x")
    table.catch_up()
    table.answer(jobs)
    [job] = begun(table)
    assert job.row.delivery_id == moving.pk
    table.answer([job])
    assert sent(begun(table)) == [grandchild.pk]
    assert ReplayItem.objects.get(delivery=parked).state == "waiting"
    go(subscription_id=one.pk, actor="ada", reason="x")
    table.catch_up()
    assert sent(begun(table)) == [parked.pk]


def test_what_was_let_in_before_its_lane_stood_still_holds_nobody_up_either(
    two: tuple[Subscription, Subscription],
) -> None:
    parent, child = chain(*two)
    branch(parent)
    table = Table()
    jobs = begun(table)
    assert holds.pause(subscription_id=parent.subscription_id, actor="ada")
    assert sent(begun(table)) == [child.pk]
    assert sent(jobs) == [parent.pk] and ReplayItem.objects.get(delivery=parent).state == "admitted"


def test_one_that_a_person_discards_meanwhile_holds_nobody_up(
    two: tuple[Subscription, Subscription],
) -> None:
    parent, child = chain(*two)
    replay = branch(parent)
    assert discard_delivery(delivery_id=parent.pk, actor="ada").is_done
    assert sent(begun(Table())) == [child.pk]
    assert items(replay) == ["skipped", "admitted"]


def test_one_that_retention_has_dropped_holds_nobody_up(two: tuple[Subscription, Subscription]) -> None:
    parent, child = chain(*two)
    replay = branch(parent)
    EventBody.objects.filter(event=parent.event_id).delete()
    assert sent(begun(Table())) == [child.pk]
    assert items(replay) == ["skipped", "admitted"]


@pytest.mark.parametrize("most", [3, 2])
def test_of_a_branch_too_large_to_be_followed_nothing_is_sent(
    two: tuple[Subscription, Subscription], most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = caused(two[0])
    for _ in range(3):
        caused(two[1], root)
    monkeypatch.setattr(cascade_below, "MOST_BELOW", most)  # of 4 deliveries, of 3 events that were caused
    with pytest.raises(TooMany):
        branch(root)
    assert not Replay.objects.exists()
    monkeypatch.setattr(cascade_below, "MOST_BELOW", 4)
    assert branch(root).total == 4


def test_when_it_is_cancelled_the_children_are_given_back(two: tuple[Subscription, Subscription]) -> None:
    parent, child = chain(*two)
    replay = branch(parent)
    table = Table()
    jobs = begun(table)
    assert replays.cancel(replay_id=replay.pk, actor="ada").is_done
    table.answer(jobs)
    assert begun(table) == []
    replay.refresh_from_db()
    assert (replay.state, replay.delivered, replay.returned) == ("cancelled", 1, 1)
    assert started(DEAD).total == 1  # others may choose it now
    assert sent(begun(table)) == [child.pk]


def test_it_goes_on_where_it_was_after_a_pause(two: tuple[Subscription, Subscription]) -> None:
    parent, child = chain(*two)
    replay = branch(parent)
    table = Table()
    jobs = begun(table)
    assert replays.pause(replay_id=replay.pk, actor="ada").is_done
    table.answer(jobs)
    assert begun(table) == []
    assert replays.resume(replay_id=replay.pk, actor="ada").is_done
    table.catch_up()
    assert sent(begun(table)) == [child.pk]


def test_any_other_replay_goes_to_all_lanes_at_once_and_a_discard_has_no_waves(
    two: tuple[Subscription, Subscription],
) -> None:
    made = chain(*two)
    replay = started(DEAD)
    assert replay.wave is None
    assert set(sent(begun(Table()))) == {each.pk for each in made}
    parent, child = chain(*two)
    discard = branch(parent, verb="discard")
    bulk_discards.carry_out(discard.pk)
    assert discard.wave is None
    assert set(Delivery.objects.filter(state="discarded")) == {parent, child}


def test_over_the_wire_nothing_is_sent_before_all_above_it_was_answered(settings: Any) -> None:
    settings.HUB_EGRESS_ALLOW = [ip_network("127.0.0.0/8")]
    log: list[tuple[str, str]] = []

    async def takes_its_time(request: Request, writer: StreamWriter) -> None:
        log.append(("came", request.headers["webhook-id"]))
        await asyncio.sleep(0.05)
        log.append(("answered", request.headers["webhook-id"]))
        await answers(204)(request, writer)

    with Endpoint(takes_its_time) as endpoint:
        lanes = [make.subscription(endpoint.url, name=f"hook {number}") for number in range(3)]
        root = caused(lanes[0])
        above = [root]
        for depth in range(3):
            above = [caused(lane, cause) for cause in above for lane in lanes[: 3 - depth]]
        replay = branch(root)
        with dispatchers():
            until(lambda: Replay.objects.get().state == "finished")
    replay.refresh_from_db()
    assert (replay.total, replay.delivered) == (1 + 3 + 6 + 6, 16)
    depths = {public_id("delivery", each.pk): each.event.depth for each in Delivery.objects.all()}
    told = [(depths[name], step) for step, name in log]
    by_wave = [step for depth in range(4) for step in told if step[0] == depth]
    assert told == by_wave  # wave by wave, though within one all came at once
    assert told[:5] == [(0, "came"), (0, "answered"), (1, "came"), (1, "came"), (1, "came")]
