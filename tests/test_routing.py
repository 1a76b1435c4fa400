"""Events become deliveries, once per subscription that wants them, however wide the event."""

import pytest
from django.db import IntegrityError, OperationalError, ProgrammingError

from deliveries.dispatcher import owed, router, seats
from deliveries.dispatcher.routes import Routes
from deliveries.models import DeadLetter, Delivery, DeliveryState, Lane, Notice, Phase, Subscription
from tests import make
from webhooks.ids import public_id
from webhooks.models import Event, EventState

pytestmark = pytest.mark.django_db(transaction=True)


def route(holding: seats.Holding) -> router.Routed:
    return router.route(holding=holding, routes=Routes(), now=make.now())


def test_a_delivery_carries_what_lists_and_filters_ask(holding) -> None:
    subscription, event = make.subscription(), make.event(type="user.created")
    routed = route(holding)
    delivery = Delivery.objects.get()
    lanes = frozenset({subscription.pk})
    assert routed == router.Routed(lanes=lanes, woken=lanes, events=1, more=False)
    assert (delivery.event_id, delivery.subscription_id, delivery.source_id) == (
        event.pk, subscription.pk, event.source_id,
    )  # fmt: skip
    assert (delivery.event_type, delivery.external_id) == ("user.created", event.external_id)
    assert (delivery.state, delivery.phase, delivery.attempts) == (DeliveryState.PENDING, Phase.FIRST, 0)
    assert delivery.due_at <= make.now()


def test_routing_wakes_the_lanes_that_sleep(holding) -> None:
    make.subscription()
    make.event()
    route(holding)
    assert Lane.objects.get().next_due_at <= make.now()


def test_a_subscription_to_one_source_gets_nothing_of_another(holding) -> None:
    make.subscription(source=make.source("other"))
    make.event()
    assert route(holding).lanes == frozenset()
    assert Event.objects.get().state == EventState.UNMATCHED


def test_what_others_call_as_weir_calls_its_own_is_for_who_named_its_source_alone(holding) -> None:
    make.subscription(name="of any", event_types=["*", "weir.*"])
    named = make.subscription(name="named", source=make.source())
    make.event(type="weir.delivery.dead")
    route(holding)
    assert Delivery.objects.get().subscription_id == named.pk


def test_a_paused_lane_is_owed_its_events_all_the_same(holding) -> None:
    make.subscription()
    Lane.objects.update(hold="paused")
    make.event()
    route(holding)
    assert Delivery.objects.get().state == DeliveryState.PENDING


def test_routing_twice_changes_nothing(holding) -> None:
    make.subscription()
    make.event()
    route(holding)
    before = list(Delivery.objects.values())
    Event.objects.update(state=EventState.RECEIVED, routed_at=None)
    route(holding)
    assert list(Delivery.objects.values()) == before


def test_who_lost_the_seat_routes_nothing(holding) -> None:
    make.subscription()
    make.event()
    seats.leave(holding)
    with pytest.raises(seats.SeatLost):
        route(holding)
    assert Delivery.objects.count() == 0
    assert Event.objects.get().state == EventState.RECEIVED


def test_a_body_that_is_not_json_fails_filters_visibly_and_goes_to_the_rest(holding) -> None:
    make.subscription(filter="data.amount > `1`")
    plain = make.subscription()
    make.event(b"\xff\x00 not json")
    route(holding)
    assert Delivery.objects.get(subscription=plain).state == DeliveryState.PENDING
    assert DeadLetter.objects.get().delivery.last_error == (
        "Filter: The event's body is not JSON, so no expression can read it."
    )


def test_an_event_too_wide_for_one_transaction_is_finished_by_later_ones(holding, monkeypatch) -> None:
    monkeypatch.setattr(router, "DELIVERIES", 4)
    for _ in range(10):
        make.subscription()
    make.event()
    assert [route(holding).more for _ in range(3)] == [True, True, False]
    assert Delivery.objects.count() == Subscription.objects.count() == 10
    assert Event.objects.get().state == EventState.ROUTED


def test_a_batch_takes_only_as_many_events_as_fit(holding, monkeypatch) -> None:
    monkeypatch.setattr(router, "DELIVERIES", 5)
    for _ in range(2):
        make.subscription()
    for _ in range(3):
        make.event()
    lanes = frozenset(Subscription.objects.values_list("pk", flat=True))
    assert route(holding) == router.Routed(lanes=lanes, woken=lanes, events=2, more=True)
    again = route(holding)
    assert (again.events, again.woken) == (1, frozenset())  # they are awake, for whoever looks


def test_an_event_in_quarantine_waits_for_a_person(holding) -> None:
    make.subscription()
    make.event(state=EventState.QUARANTINED, routed_at=None)
    assert route(holding).events == 0
    assert Delivery.objects.count() == 0


# -- what nobody foresaw


def poison(monkeypatch, fault: Exception, *events: Event) -> None:
    """These events cannot be written down; whoever comes with them fails as one."""
    write, poisoned = owed.insert, {event.pk for event in events}

    def refuse(given, now) -> None:
        write(given, now)
        if any(each.event.id in poisoned for each in given):
            raise fault

    monkeypatch.setattr(router, "insert", refuse)
    monkeypatch.setattr(router, "ALONE_S", 60.0)  # however slow the machine, all get their turn


def states() -> list[str]:
    return list(Event.objects.order_by("id").values_list("state", flat=True))


@pytest.mark.parametrize("fault", [ValueError("odd"), IntegrityError("odd")])
def test_an_event_that_cannot_be_routed_is_set_aside_and_the_others_go_on(
    holding, monkeypatch, fault
) -> None:
    lane = make.subscription()
    events = [make.event() for _ in range(4)]
    poison(monkeypatch, fault, events[1])
    routed = route(holding)
    assert (routed.lanes, routed.events) == (frozenset({lane.pk}), 3)
    assert states() == ["routed", "quarantined", "routed", "routed"]
    assert set(Delivery.objects.values_list("event_id", flat=True)) == {events[n].pk for n in (0, 2, 3)}


def test_of_an_event_that_was_set_aside_one_notice_tells(holding, monkeypatch, caplog) -> None:
    make.subscription()
    odd = make.event()
    poison(monkeypatch, ValueError("odd"), odd)
    for _ in range(3):
        route(holding)
    notice = Notice.objects.get()
    assert (notice.kind, notice.object_kind) == ("event-quarantined", "event")
    assert notice.object_id == public_id("event", odd.pk)
    assert notice.text == (
        f"Event {odd.external_id} could not be routed and is in quarantine; the log says why."
    )
    assert f"This event could not be routed and is set aside: {public_id('event', odd.pk)}" in caplog.text
    assert "ValueError: odd" in caplog.text


@pytest.mark.parametrize("fault", [OperationalError("gone"), ProgrammingError("no table"), OSError("full")])
def test_what_is_no_events_fault_sets_none_aside(holding, monkeypatch, fault) -> None:
    make.subscription()
    poison(monkeypatch, fault, make.event())
    with pytest.raises(type(fault)):
        route(holding)
    assert states() == ["received"]
    assert not Notice.objects.exists()
    assert not Delivery.objects.exists()


def test_subscriptions_that_cannot_be_read_set_no_event_aside(holding) -> None:
    make.subscription(event_types=[["no text"]])
    make.event()
    with pytest.raises(TypeError):
        route(holding)
    assert states() == ["received"]


def test_an_odd_event_beside_one_too_wide_for_a_transaction_keeps_the_order(holding, monkeypatch) -> None:
    monkeypatch.setattr(router, "DELIVERIES", 3)
    lanes = [make.subscription(ordering="strict") for _ in range(4)]
    first, odd, last = make.event(), make.event(), make.event()
    poison(monkeypatch, ValueError("odd"), odd)
    for _ in range(8):
        route(holding)
    assert states() == ["routed", "quarantined", "routed"]
    for lane in lanes:
        rows = Delivery.objects.filter(subscription=lane).order_by("seq").values_list("event_id", flat=True)
        assert list(rows.exclude(event=odd)) == [first.pk, last.pk]
