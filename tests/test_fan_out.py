"""An event is routed again to those that want it now and have no delivery of it; no pair ever has a second one."""

import pytest
from django.test import Client

from deliveries.models import DeadLetter, Delivery, DeliveryState, Lane
from deliveries.services.fan_out import route_again
from tests import make
from tests.callers import browser
from webhooks.ids import public_id
from webhooks.models import AuditEntry, Event, EventBody, EventState

pytestmark = pytest.mark.django_db(transaction=True)


def order(event: Event) -> str:
    return route_again(event_id=event.pk, actor="ada", reason="a new team").sentence


def test_who_came_later_is_given_it_and_who_has_it_is_left_alone() -> None:
    early, event = make.subscription(name="early"), make.event(state="routed")
    had = make.delivery(early, event, state="dead")
    late = make.subscription(name="late")
    make.subscription(name="deaf", event_types=["other.*"])
    assert order(event) == "1 new delivery is owed."
    made = Delivery.objects.exclude(pk=had.pk).get()
    assert (made.subscription_id, made.state) == (late.pk, DeliveryState.PENDING)
    assert Lane.objects.get(pk=late.pk).next_due_at is not None
    had.refresh_from_db()
    assert had.state == DeliveryState.DEAD
    entry = AuditEntry.objects.get()
    assert (entry.verb, entry.object_id, entry.count, entry.reason) == (
        "route_again", public_id("event", event.pk), 1, "a new team",
    )  # fmt: skip


def test_an_unmatched_event_becomes_routed() -> None:
    event = make.event(state="unmatched")
    make.subscription()
    order(event)
    event.refresh_from_db()
    assert event.state == EventState.ROUTED


def test_the_second_of_two_operators_is_told_and_nothing_is_made_twice() -> None:
    event = make.event(state="unmatched")
    make.subscription()
    order(event)
    assert order(event) == "Every subscription that wants it now has a delivery of it already."
    assert (Delivery.objects.count(), AuditEntry.objects.count()) == (1, 1)


def test_filters_have_their_say_and_one_that_fails_leaves_a_dead_letter() -> None:
    event = make.event(b'{"total": 5}', state="unmatched")
    make.subscription(name="small", filter="total < `10`")
    make.subscription(name="large", filter="total > `10`")
    make.subscription(name="broken", filter="abs('x') > `1`")
    order(event)
    assert sorted(Delivery.objects.values_list("subscription__name", "state")) == [
        ("broken", "dead"), ("small", "pending"),
    ]  # fmt: skip
    assert DeadLetter.objects.count() == 1


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("received", "It has not been routed yet; that happens by itself."),
        ("quarantined", "It is in quarantine, from which it is released, not routed again."),
    ],
)
def test_what_a_router_has_not_settled_is_left_to_it(state: str, said: str) -> None:
    make.subscription()
    event = make.event(routed_at=None) if state == "received" else make.event()
    Event.objects.update(state=state, routed_at=None)
    assert order(event) == said
    assert not Delivery.objects.exists() and not AuditEntry.objects.exists()


def test_without_its_body_there_is_nothing_to_send() -> None:
    make.subscription()
    event = make.event(state="unmatched")
    EventBody.objects.all().delete()
    assert order(event) == "Its body is past retention, so there is nothing to send."
    assert not Delivery.objects.exists()


def test_a_lead_may_and_others_are_turned_away_with_nothing_done() -> None:
    event = make.event(state="unmatched")
    make.subscription(name="late")
    address = f"/admin/webhooks/event/{event.pk}/route/"
    viewer = browser("webhooks.view_event", name="bob")
    assert viewer.post(address, {"reason": "x"}).status_code == 403
    assert "Route again" not in viewer.get(address.replace("route", "change")).content.decode()
    lead = browser("webhooks.view_event", "webhooks.route_event_again", name="eve")
    assert "late" in lead.get(address).content.decode()
    assert "a reason is needed" in lead.post(address, {"reason": " "}).content.decode()
    assert not Delivery.objects.exists()
    assert Client(enforce_csrf_checks=True).post(address, {"reason": "x"}).status_code in (302, 403)
    answer = lead.post(address, {"reason": "a new team"}, follow=True)
    assert "1 new delivery is owed." in answer.content.decode()
    assert Delivery.objects.get().subscription.name == "late"
