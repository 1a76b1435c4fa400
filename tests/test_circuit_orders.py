"""People trip, reset and probe a circuit: an order is written once, and a dispatcher carries it out."""

from ipaddress import ip_network
from typing import Any, cast

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from deliveries.models import CircuitChange, Delivery, Lane, Subscription
from deliveries.services import circuits, subscriptions
from deliveries.services.holds import Refused
from deliveries.services.ping import ping_endpoint
from tests import make
from tests.callers import browser, with_key
from tests.endpoints import Endpoint, answers
from tests.running import dispatchers, until
from webhooks.ids import public_id, uuid7
from webhooks.models import AuditEntry

pytestmark = pytest.mark.django_db

SERVICES: dict[str, Any] = {"trip": circuits.trip, "reset": circuits.reset, "probe": circuits.probe_now}
WRITES = {
    "trip": "Its circuit will open and what is due will be parked, as soon as a dispatcher has read the order.",
    "reset": "Its circuit will close and deliveries will flow at its full window,"
    " as soon as a dispatcher has read the order.",
    "probe": "Its cool-down will end and one delivery that is due will be sent as a probe,"
    " as soon as a dispatcher has read the order.",
}


def lane(**state: Any) -> Lane:
    made = make.subscription()
    Lane.objects.filter(pk=made.pk).update(**state)
    return Lane.objects.get(pk=made.pk)


def order(name: str, to: Lane, **more: Any) -> circuits.OrderVerdict:
    return cast(circuits.OrderVerdict, SERVICES[name](subscription_id=to.pk, actor="ada", **more))


def unchanged(before: Lane) -> bool:
    now = Lane.objects.get(pk=before.pk)
    same = all(
        getattr(now, name) == getattr(before, name)
        for name in ("order", "order_number", "revision", "next_due_at")
    )
    return same and not AuditEntry.objects.filter(object_kind="subscription").exists()


@pytest.mark.parametrize(
    ("name", "circuit"),
    [
        ("trip", "closed"),
        ("trip", "half_open"),
        ("trip", "recovering"),
        ("reset", "open"),
        ("reset", "half_open"),
        ("reset", "recovering"),
        ("probe", "open"),
    ],
)
def test_an_order_is_written_for_the_lanes_owner(name: str, circuit: str) -> None:
    to, before = lane(circuit=circuit), make.now()
    verdict = order(name, to, reason="drill")
    assert (verdict.is_ordered, verdict.sentence) == (True, WRITES[name])
    now = Lane.objects.get()
    assert (now.order, now.order_number, now.order_done, now.revision) == (name, 1, 0, 2)
    assert now.circuit == circuit  # the owner alone moves it
    assert now.next_due_at and before <= now.next_due_at <= make.now()  # so that a sleeping lane is taken
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.verb, entry.reason) == ("ada", name, "drill")
    assert (entry.before, entry.after) == ({"circuit": circuit}, {"order": name, "order_number": 1})


@pytest.mark.parametrize(
    ("name", "circuit", "sentence"),
    [
        ("trip", "open", "Its circuit is open already."),
        ("reset", "closed", "Its circuit is closed already."),
        ("probe", "half_open", "Its circuit is half-open already."),
    ],
)
def test_what_is_so_already_is_not_ordered(name: str, circuit: str, sentence: str) -> None:
    to = lane(circuit=circuit)
    assert order(name, to) == circuits.OrderVerdict(is_ordered=False, sentence=sentence)
    assert unchanged(to)


@pytest.mark.parametrize("name", SERVICES)
def test_the_same_order_twice_is_one(name: str) -> None:
    to = lane(circuit="recovering" if name != "probe" else "open")
    order(name, to)
    again = order(name, to)
    label = {"trip": "Trip", "reset": "Reset", "probe": "Probe now"}[name]
    assert again.sentence == f"{label} was ordered already and is about to be carried out."
    assert (Lane.objects.get().order_number, AuditEntry.objects.count()) == (1, 1)


def test_the_last_order_counts_and_an_order_that_was_done_is_over() -> None:
    to = lane(circuit="closed")
    assert order("trip", to).is_ordered and order("reset", to).is_ordered
    assert (Lane.objects.get().order, Lane.objects.get().order_number) == ("reset", 2)
    Lane.objects.update(order_done=2)  # as its owner does; the circuit stayed closed
    assert order("reset", to).sentence == "Its circuit is closed already."
    assert order("trip", to).is_ordered


def test_a_probe_never_takes_the_place_of_a_trip() -> None:
    to = lane(circuit="closed")
    order("trip", to)
    with pytest.raises(Refused, match="Its circuit is about to open; order the probe when it has."):
        order("probe", to)
    assert Lane.objects.get().order == "trip"


@pytest.mark.parametrize(
    ("name", "state", "sentence"),
    [
        ("probe", {"circuit": "closed"}, "Its circuit is closed, so there is nothing to probe for."),
        ("probe", {"circuit": "recovering"}, "Its circuit is recovering, so there is nothing to probe for."),
        (
            "probe",
            {"circuit": "open", "hold": "paused"},
            "This subscription is paused, so no probe can be sent; resume it first.",
        ),
        *(
            (
                name,
                {"circuit": "recovering" if name != "probe" else "open", "hold": "disabled"},
                "This subscription is disabled, so nothing is sent to it; enable it first.",
            )
            for name in SERVICES
        ),
    ],
)
def test_an_order_that_makes_no_sense_is_refused(name: str, state: dict[str, str], sentence: str) -> None:
    to = lane(**state)
    with pytest.raises(Refused) as refused:
        order(name, to)
    assert str(refused.value) == sentence
    assert unchanged(to)


def test_a_paused_lane_is_tripped_when_it_is_resumed() -> None:
    verdict = order("trip", lane(hold="paused"))
    assert verdict.sentence == "Its circuit will open and what is due will be parked, when it is resumed."


@pytest.fixture
def loopback(settings: Settings) -> None:
    settings.HUB_EGRESS_ALLOW = [ip_network("127.0.0.0/8")]


@pytest.mark.django_db(transaction=True)
def test_a_dispatcher_carries_out_each_order_of_a_sleeping_lane(loopback: None) -> None:
    with Endpoint(answers(200)) as endpoint, dispatchers():
        made = make.subscription(endpoint.url, circuit_cooldown_s=300)
        order("trip", made.lane)
        until(lambda: Lane.objects.get().circuit == "open")
        delivery = make.delivery(made)
        assert ping_endpoint(subscription_id=made.pk, actor="ada").has_ordered_probe
        until(lambda: Delivery.objects.get().state == "delivered")
        order("reset", made.lane)
        until(lambda: Lane.objects.get().circuit == "closed")
    assert (Lane.objects.get().order_number, Lane.objects.get().order_done) == (3, 3)
    changes = CircuitChange.objects.order_by("id").values_list("before", "after")
    assert list(changes) == [
        ("closed", "open"),
        ("open", "half_open"),
        ("half_open", "recovering"),
        ("recovering", "closed"),
    ]
    ids = [request.headers["webhook-id"] for request in endpoint.requests]
    assert ids[0].startswith("test_") and ids[1:] == [public_id("delivery", delivery.pk)]


@pytest.mark.django_db(transaction=True)
def test_an_order_to_a_paused_lane_is_carried_out_when_it_is_resumed(loopback: None) -> None:
    with Endpoint(answers(200)) as endpoint, dispatchers():
        made = make.subscription(endpoint.url, circuit_cooldown_s=300)
        subscriptions.pause(subscription_id=made.pk, actor="ada")
        order("trip", made.lane)
        make.delivery(made)
        subscriptions.resume(subscription_id=made.pk, actor="ada")
        until(lambda: Lane.objects.get().order_done == 1)
        assert (Lane.objects.get().circuit, endpoint.accepted) == ("open", 0)


def rest(name: str, to: Lane, role: str = "operator", **body: Any) -> Any:
    return with_key(role).post(f"/api/v1/subscriptions/{public_id('subscription', to.pk)}/{name}", body)


@pytest.mark.parametrize("name", SERVICES)
def test_over_rest_an_order_is_accepted_and_shown_until_it_is_done(name: str) -> None:
    answer = rest(name, lane(circuit="open" if name == "probe" else "recovering"), reason="drill")
    assert (answer.status_code, answer.json()["detail"]) == (202, WRITES[name])
    assert answer.json()["lane"]["order"] == name
    assert AuditEntry.objects.get(verb=name).actor.startswith("operator (weir_operator_")


def test_over_rest_nothing_to_do_is_200_and_nonsense_409() -> None:
    to = lane(circuit="closed")
    answer = rest("reset", to)
    assert (answer.status_code, answer.json()["detail"]) == (200, "Its circuit is closed already.")
    answer = rest("probe", to)
    assert answer.status_code == 409
    assert answer.json() == {"detail": "Its circuit is closed, so there is nothing to probe for."}


@pytest.mark.parametrize("name", [*SERVICES, "test", "pause", "disable"])
@pytest.mark.parametrize("role", ["viewer", "publisher"])
def test_over_rest_only_operators_act(role: str, name: str) -> None:
    to = lane(circuit="recovering")
    assert rest(name, to, role).status_code == 403
    assert unchanged(to)


@pytest.mark.parametrize("name", SERVICES)
def test_over_rest_the_subscription_must_exist(name: str) -> None:
    assert (
        with_key().post(f"/api/v1/subscriptions/{public_id('subscription', uuid7())}/{name}").status_code
        == 404
    )


def page(to: Lane, name: str) -> str:
    return reverse("admin:deliveries_subscription_act", args=[to.pk, name])


def said(answer: Any) -> list[str]:
    return [str(message) for message in answer.context["messages"]]


@pytest.fixture
def chief() -> Client:
    names = ("view_subscription", "hold_subscription", "manage_circuit", "test_subscription")
    return browser(*(f"deliveries.{name}" for name in names))


@pytest.mark.parametrize("name", SERVICES)
def test_on_the_console_a_button_orders_and_is_logged(chief: Client, name: str) -> None:
    to = lane(circuit="open" if name == "probe" else "recovering")
    answer = chief.post(page(to, name), {"reason": " drill "}, follow=True)
    assert said(answer) == [WRITES[name]]
    assert "not carried out yet" in answer.content.decode()
    assert AuditEntry.objects.get().reason == "drill"
    assert LogEntry.objects.get().object_id == str(to.pk)


@pytest.mark.parametrize(
    ("name", "before", "told", "after"),
    [
        ("pause", "", "Paused.", "paused"),
        ("pause", "paused", "It was paused already.", "paused"),
        ("resume", "paused", "Resumed.", ""),
        ("resume", "disabled", "This subscription is disabled; resume does not apply to it.", "disabled"),
        ("disable", "paused", "Disabled.", "disabled"),
        ("enable", "disabled", "Enabled.", ""),
    ],
)
def test_on_the_console_a_button_holds_and_lets_go(
    chief: Client, name: str, before: str, told: str, after: str
) -> None:
    to = lane(hold=before)
    assert said(chief.post(page(to, name), follow=True)) == [told]
    assert Lane.objects.get().hold == after
    assert LogEntry.objects.count() == (1 if before != after else 0)


def test_on_the_console_looking_at_an_act_does_not_act(chief: Client) -> None:
    to = lane(circuit="closed")
    assert chief.get(page(to, "trip")).status_code == 405
    assert chief.post(page(to, "explode")).status_code == 404
    gone = reverse("admin:deliveries_subscription_act", args=[uuid7(), "trip"])
    assert chief.post(gone).status_code == 404
    assert unchanged(to)


def test_on_the_console_who_may_only_look_sees_the_lane_and_no_buttons() -> None:
    to, viewer = lane(circuit="closed"), browser("deliveries.view_subscription")
    assert viewer.post(page(to, "trip")).status_code == 403
    shown = viewer.get(reverse("admin:deliveries_subscription_change", args=[to.pk])).content.decode()
    assert 'id="lane"' in shown and "lane-acts" not in shown
    assert unchanged(to)


def test_on_the_console_who_may_hold_a_lane_may_not_move_its_circuit() -> None:
    to, operator = (
        lane(circuit="closed"),
        browser("deliveries.view_subscription", "deliveries.hold_subscription"),
    )
    shown = operator.get(reverse("admin:deliveries_subscription_change", args=[to.pk])).content.decode()
    assert page(to, "pause") in shown
    assert page(to, "trip") not in shown and "Send test" not in shown
    assert operator.post(page(to, "trip")).status_code == 403
    assert unchanged(to)


@pytest.mark.parametrize(
    ("state", "buttons"),
    [
        ({}, ["pause", "disable", "trip"]),
        ({"circuit": "open"}, ["pause", "disable", "probe", "reset"]),
        ({"circuit": "half_open"}, ["pause", "disable", "trip", "reset"]),
        ({"circuit": "open", "hold": "paused"}, ["resume", "disable", "reset"]),
        ({"circuit": "open", "hold": "disabled"}, ["enable"]),
    ],
)
def test_on_the_console_only_acts_that_make_sense_are_offered(
    chief: Client, state: dict[str, str], buttons: list[str]
) -> None:
    to = lane(**state)
    shown = chief.get(reverse("admin:deliveries_subscription_change", args=[to.pk])).content.decode()
    names = [*SERVICES, "pause", "resume", "disable", "enable"]
    assert [name for name in names if f'formaction="{page(to, name)}"' in shown] == [
        name for name in names if name in buttons
    ]
    assert reverse("admin:deliveries_subscription_test", args=[to.pk]) in shown


def test_on_the_console_the_page_tells_how_the_lane_moves(chief: Client) -> None:
    at = make.now()
    to = lane(
        circuit="recovering", window=3, failing_since=at, warned_at=at, tokens=1.5, tokens_at=at, hold="paused",
        hold_reason="<b>night</b>", held_at=at,
    )  # fmt: skip
    Subscription.objects.update(rate_per_s=2)
    for number in range(12):
        CircuitChange.objects.create(
            subscription_id=to.pk, before="closed", after="open", why=f"change {number}.", attempt_id=uuid7()
        )
    shown = chief.get(reverse("admin:deliveries_subscription_change", args=[to.pk])).content.decode()
    when = f"{at:%Y-%m-%d %H:%M:%S}"
    assert f"Paused since {when}: &lt;b&gt;night&lt;/b&gt;" in shown
    assert "3 of 10" in shown and f"at most 2.0 per second; 1.5 could go at once at {when}" in shown
    assert f"{when}; a notice warned at {when}" in shown
    assert [f"change {number}." in shown for number in (1, 2, 11)] == [False, True, True]


def test_on_the_console_lanes_are_found_by_their_circuit(chief: Client) -> None:
    closed, opened = lane(), lane(circuit="open")
    listed = chief.get(reverse("admin:deliveries_subscription_changelist"), {"lane__circuit__exact": "open"})
    assert [row.pk for row in listed.context["cl"].result_list] == [opened.pk]
    assert closed.pk != opened.pk
