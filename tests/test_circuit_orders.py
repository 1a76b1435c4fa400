"""People trip, reset and probe a circuit: an order is written once, and a dispatcher carries it out."""

from ipaddress import ip_network
from typing import Any, cast

import pytest
from pytest_django import Settings

from deliveries.models import CircuitChange, Delivery, Lane
from deliveries.services import circuits, subscriptions
from deliveries.services.holds import Refused
from deliveries.services.ping import ping_endpoint
from tests import make
from tests.callers import with_key
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
    answer = rest("reset", to, reason="drill")
    assert (answer.status_code, answer.json()["detail"]) == (200, "Its circuit is closed already.")
    answer = rest("probe", to)
    assert answer.status_code == 409
    assert answer.json()["detail"] == "Its circuit is closed, so there is nothing to probe for."


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
