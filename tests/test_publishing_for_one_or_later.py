"""An event may be for one subscriber alone, and for later: then it is routed when its time has come, and not before."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any

import pytest

from deliveries.deciders.delivery_query import DeliveryQuery
from deliveries.deciders.replay_choice import Choice
from deliveries.dispatcher import router, seats
from deliveries.dispatcher.routes import Routes
from deliveries.models import Delivery
from deliveries.selectors import standing
from deliveries.selectors.never_attempted import never_attempted
from deliveries.services.fan_out import route_again
from deliveries.services.retention import drop_expired
from tests import make
from tests.callers import Caller, browser, with_key
from tests.endpoints import Endpoint, answers
from tests.running import dispatchers, until
from webhooks.ids import public_id
from webhooks.models import Event, EventBody, Refusal
from webhooks.services.accept import accept
from webhooks.services.scheduled import release_due

pytestmark = pytest.mark.django_db(transaction=True)

HOME = "/api/v1/events"


@pytest.fixture(autouse=True)
def loopback(settings: Any) -> None:
    settings.HUB_EGRESS_ALLOW = [ip_network("127.0.0.0/8")]


@pytest.fixture
def caller() -> Caller:
    make.source("shop")
    return with_key()


def say(caller: Caller, event_id: str = "e1", **more: Any) -> Any:
    body = {"source": "shop", "event_id": event_id, "event_type": "user.created", "data": 1, **more}
    return caller.post(HOME, body)


@pytest.fixture
def route() -> Callable[[], None]:
    holding = make.seat()
    return lambda: route_with(holding)


def route_with(holding: seats.Holding) -> None:
    router.route(holding=holding, routes=Routes(), now=make.now())


def in_(**ahead: float) -> str:
    return (make.now() + timedelta(**ahead)).isoformat()


def owners() -> list[str]:
    return sorted(Delivery.objects.values_list("subscription__subscriber__name", flat=True))


# -- for one subscriber --------------------------------------------------------------------------------


def test_all_subscriptions_of_the_one_that_want_it_get_it_and_nobody_elses(
    caller: Caller, route: Callable[[], None]
) -> None:
    ada, bob = make.subscriber("ada"), make.subscriber("bob")
    for owner in (ada, ada, bob):
        make.subscription(subscriber=owner)
    make.subscription(subscriber=ada, event_types=["other.*"])
    answer = say(caller, subscriber=public_id("subscriber", ada.pk))
    assert answer.status_code == 201
    route()
    assert owners() == ["ada", "ada"]
    shown = caller.get(f"{HOME}/{answer.json()['id']}").json()
    assert (shown["subscriber"], shown["deliver_at"]) == (public_id("subscriber", ada.pk), None)


def test_who_is_not_there_is_told_and_nothing_is_stored(caller: Caller) -> None:
    ghost = public_id("subscriber", make.event().pk)
    Event.objects.all().delete()
    for text in (ghost, "nonsense"):
        answer = say(caller, subscriber=text)
        assert (answer.status_code, "subscriber" in json.dumps(answer.json())) == (400, True)
    assert not Event.objects.exists()


def test_nobody_else_gets_it_by_routing_it_again_or_by_asking_for_what_he_never_had(
    caller: Caller, route: Callable[[], None]
) -> None:
    ada = make.subscriber("ada")
    say(caller, subscriber=public_id("subscriber", ada.pk))
    route()
    late = make.subscription(subscriber=make.subscriber("bob"))
    event = Event.objects.get()
    assert event.state == "unmatched"
    assert route_again(event_id=event.pk, actor="eve", reason="curious").made == 0
    choice = Choice(query=DeliveryQuery(subscriptions=(late.pk,), since="all"), preset="never")
    assert [len(rows) for rows in never_attempted(choice, make.now(), ranks=False)] == [0]
    make.subscription(subscriber=ada)
    assert route_again(event_id=event.pk, actor="eve", reason="she is here now").made == 1


def test_the_same_id_for_another_subscriber_is_a_conflict_and_stays_his_when_it_is_accepted(
    caller: Caller, route: Callable[[], None]
) -> None:
    ada, bob = make.subscriber("ada"), make.subscriber("bob")
    for owner in (ada, bob):
        make.subscription(subscriber=owner)
    say(caller, subscriber=public_id("subscriber", ada.pk))
    assert say(caller, subscriber=public_id("subscriber", bob.pk)).status_code == 409
    refusal = Refusal.objects.get()
    assert accept(refusal_id=refusal.pk, actor="eve", reason="two facts", as_own=True).is_done
    route()
    assert owners() == ["ada", "bob"]


# -- for later -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("ahead", "state"), [(3_600, "scheduled"), (0.2, "received")])
def test_the_same_id_for_another_time_is_a_conflict_and_keeps_its_time_when_it_is_accepted(
    caller: Caller, ahead: float, state: str
) -> None:
    say(caller)
    later = make.now() + timedelta(seconds=ahead)
    assert say(caller, deliver_at=later.isoformat()).status_code == 409
    until(lambda: state == "scheduled" or make.now() > later)
    refusal = Refusal.objects.get()
    assert accept(refusal_id=refusal.pk, actor="eve", reason="two facts", as_own=True).is_done
    event = Event.objects.latest("pk")
    assert (event.state, event.deliver_at) == (state, later if state == "scheduled" else None)


def test_what_was_for_later_is_late_from_its_time_on_and_not_since_it_was_said() -> None:
    at = make.now() - timedelta(seconds=2)
    make.event(state="received", deliver_at=at, received_at=at - timedelta(days=9))
    assert standing.oldest_unrouted_at() == at


def test_it_waits_where_no_router_sees_it_and_goes_once_its_time_has_come(
    caller: Caller, route: Callable[[], None]
) -> None:
    make.subscription()
    answer = say(caller, deliver_at=in_(hours=2))
    assert answer.status_code == 201
    event = Event.objects.get()
    assert event.state == "scheduled"
    route()
    assert release_due(now=make.now()) == 0
    assert not Delivery.objects.exists()
    assert event.deliver_at is not None
    assert release_due(now=event.deliver_at) == 1
    assert release_due(now=event.deliver_at) == 0
    route()
    assert Delivery.objects.count() == 1


def test_who_subscribes_before_its_time_gets_it_and_who_has_left_by_then_does_not(
    caller: Caller, route: Callable[[], None]
) -> None:
    early = make.subscription(name="early")
    say(caller, deliver_at=in_(days=7))
    early.event_types = ["other.*"]
    early.save()
    make.subscription(name="late")
    release_due(now=make.now() + timedelta(days=8))
    route()
    assert list(Delivery.objects.values_list("subscription__name", flat=True)) == ["late"]


def test_in_a_strictly_ordered_lane_it_takes_its_turn_when_it_is_due_and_holds_up_nobody(
    caller: Caller, route: Callable[[], None]
) -> None:
    make.subscription(ordering="strict")
    say(caller, "later", deliver_at=in_(days=1))
    say(caller, "now")
    route()
    release_due(now=make.now() + timedelta(days=2))
    route()
    assert list(Delivery.objects.order_by("seq").values_list("external_id", flat=True)) == ["now", "later"]


def test_a_time_that_is_past_means_now(caller: Caller) -> None:
    say(caller, deliver_at=in_(hours=-1))
    assert (Event.objects.get().state, Event.objects.get().deliver_at) == ("received", None)


def test_it_can_be_no_further_ahead_than_thirty_days(caller: Caller) -> None:
    answer = say(caller, deliver_at=in_(days=30, minutes=1))
    assert answer.status_code == 400
    assert "It can be at most 30 days ahead." in json.dumps(answer.json())
    assert not Event.objects.exists()
    assert say(caller, deliver_at=in_(days=29, hours=23)).status_code == 201


def test_the_same_event_at_another_time_is_a_conflict(caller: Caller) -> None:
    at = in_(hours=1)
    say(caller, deliver_at=at)
    assert say(caller, deliver_at=at).json()["status"] == "duplicate"
    assert say(caller, deliver_at=in_(hours=3)).status_code == 409


def test_a_batch_may_mix_now_and_later_and_this_one_and_all(caller: Caller) -> None:
    ada = make.subscriber("ada")
    item = {"source": "shop", "event_type": "t", "data": 1}
    later = item | {"deliver_at": in_(hours=1), "subscriber": public_id("subscriber", ada.pk)}
    assert caller.post(f"{HOME}/batch", {"events": [item, later]}).status_code == 201
    states = Event.objects.order_by("pk").values_list("state", "target_id")
    assert list(states) == [("received", None), ("scheduled", ada.pk)]


def test_retention_drops_nothing_that_waits_for_its_time(caller: Caller, settings: Any) -> None:
    settings.HUB_KEEP_BODIES_DAYS = settings.HUB_KEEP_ROWS_DAYS = 1
    say(caller, deliver_at=in_(days=20))
    drop_expired(now=make.now() + timedelta(days=10))
    assert (Event.objects.count(), EventBody.objects.count()) == (1, 1)


def test_a_dispatcher_sends_it_within_a_second_or_two_and_never_before(caller: Caller) -> None:
    with Endpoint(answers(200)) as endpoint, dispatchers():
        make.subscription(endpoint.url)
        say(caller, deliver_at=in_(seconds=1.2))
        at = Event.objects.get().deliver_at
        endpoint.wait_for(1)
    assert at <= datetime.now(UTC) < at + timedelta(seconds=8)


def test_the_console_shows_for_whom_and_for_when(route: Callable[[], None]) -> None:
    ada = make.subscriber("ada")
    at = make.now() + timedelta(days=1)
    event = make.event(state="received", target=ada, deliver_at=at)
    Event.objects.filter(pk=event.pk).update(state="scheduled")
    chief = browser(is_superuser=True)
    page = chief.get(f"/admin/webhooks/event/{event.pk}/change/").content.decode()
    assert "Published for later: it is routed at" in page
    assert f"{at:%Y-%m-%d %H:%M:%S} UTC" in page
    assert ">ada</a>" in page
    assert "Scheduled" in chief.get("/admin/webhooks/event/?state=scheduled").content.decode()
    release_due(now=at)
    make.subscription(subscriber=ada)
    route()
    shown = chief.get(f"/admin/deliveries/delivery/{Delivery.objects.get().pk}/change/").content.decode()
    assert "this subscriber alone" in shown
