"""A subscriber's key sees what is its subscriber's own, at every door there is; a publisher's, its sources."""

import json
from typing import Any

import pytest

from deliveries.models import Delivery, Subscription
from tests import make
from tests.callers import Caller, with_key
from tests.tenants import Route, Tenant, routes, tenant
from webhooks.ids import public_id
from webhooks.key_api import ApiKeyDoor
from webhooks.models import AuditEntry, Event, Source, Subscriber
from webhooks.rest import Door

pytestmark = pytest.mark.django_db

VERBS = ("get", "head", "post", "put", "patch", "delete", "options")
OF_ONE = [route for route in routes() if route.is_of_one]
OF_MANY = [route for route in routes() if not route.is_of_one]


@pytest.fixture
def mine() -> Tenant:
    return tenant("mine")


@pytest.fixture
def other() -> Tenant:
    return tenant("other")


def name_of(route: Route) -> str:
    return route.name


def test_every_address_is_a_door_that_says_whose_its_things_are() -> None:
    assert [route.name for route in routes() if not issubclass(route.door, Door)] == []
    assert len(OF_ONE) > 15 and len(OF_MANY) >= 5


def test_a_door_that_does_not_say_whose_its_things_are_cannot_be_made() -> None:
    with pytest.raises(TypeError, match="Forgetful must say owned_by"):
        type("Forgetful", (Door,), {})


@pytest.mark.parametrize("route", OF_ONE, ids=name_of)
def test_what_is_anothers_does_not_exist_on_any_verb(mine: Tenant, other: Tenant, route: Route) -> None:
    before = snapshot()
    for method in VERBS:
        answer = ask(mine.caller, method, route.address(other))
        assert answer.status_code == 404, (method, answer.content)
        assert answer.content == b"" or answer.json()["code"] == "not-found"
    for method in {"get", "options"} & set(route.methods):
        answer = ask(with_key(), method, route.address(other))  # for whoever may see it
        assert answer.status_code == (204 if method == "options" else 200)
    assert snapshot() == before


@pytest.mark.parametrize("route", OF_MANY, ids=name_of)
def test_a_list_shows_nothing_of_anothers(mine: Tenant, other: Tenant, route: Route) -> None:
    if "get" not in route.methods:
        return
    answer = ask(mine.caller, "get", route.address(mine))
    assert answer.status_code == (403 if route.door.owned_by is None else 200)
    shown = answer.content.decode()
    assert [name for name in other.names() if name in shown] == []
    if route.door.owned_by is not None:
        assert mine.things[route.door.kind].hex in shown


@pytest.mark.parametrize("route", OF_MANY, ids=name_of)
def test_nothing_is_made_in_anothers_name(mine: Tenant, other: Tenant, route: Route) -> None:
    before = snapshot()
    body = {
        "subscriber": public_id("subscriber", other.subscriber.pk),
        "subscription": public_id("subscription", other.things["subscription"]),
        "name": "theirs",
        "url": "https://example.com/",
        "event_types": ["*"],
        "role": "subscriber",
    }
    for method in set(route.methods) - {"get", "options"}:
        answer = mine.caller.generic(
            method.upper(), route.address(mine), json.dumps(body), "application/json"
        )
        assert answer.status_code in (400, 403, 404), answer.content
    assert snapshot() == before


def ask(caller: Caller, method: str, address: str) -> Any:
    return caller.generic(
        method.upper(), address, "{}" if method not in ("get", "head") else "", "application/json"
    )


def snapshot() -> list[Any]:
    rows = [
        list(model.objects.order_by("pk").values())
        for model in (Subscription, Delivery, Event, Source, Subscriber)
    ]
    return [*rows, AuditEntry.objects.filter(verb__in=["update", "replay", "pause", "rotate-secret"]).count()]


# -- at every address, whoever else comes ----------------------------------------------------------------


@pytest.mark.parametrize("route", list(routes()), ids=name_of)
def test_without_a_key_and_with_a_wrong_one_no_address_tells_anything(other: Tenant, route: Route) -> None:
    before, liar = snapshot(), Caller()
    liar.credentials(HTTP_AUTHORIZATION="Bearer weir_operator_x")
    for caller, code in ((Caller(), "unauthenticated"), (liar, "key-refused")):
        for method in VERBS:
            answer = ask(caller, method, route.address(other))
            assert answer.status_code == 401, method
            assert answer.content == b"" or answer.json()["code"] == code
    assert snapshot() == before


@pytest.mark.parametrize("route", list(routes()), ids=name_of)
def test_a_viewer_sees_everything_but_keys_and_changes_nothing(other: Tenant, route: Route) -> None:
    before, viewer = snapshot(), with_key("viewer")
    for method in route.methods:
        looks = method in ("get", "head", "options") and route.door is not ApiKeyDoor
        answer = ask(viewer, method, route.address(other))
        assert answer.status_code == ((204 if method == "options" else 200) if looks else 403), method
    assert snapshot() == before


# -- what is one's own -----------------------------------------------------------------------------------


def test_a_subscriber_makes_a_subscription_of_its_own_without_saying_whose(mine: Tenant) -> None:
    body = {"name": "hook", "url": "https://example.com/", "event_types": ["user.*"]}
    answer = mine.caller.post("/api/v1/subscriptions", body)
    assert answer.status_code == 201, answer.json()
    assert answer.json()["subscriber"] == public_id("subscriber", mine.subscriber.pk)


def test_a_subscriber_changes_pauses_resumes_and_rotates_its_own(mine: Tenant) -> None:
    home = f"/api/v1/subscriptions/{public_id('subscription', mine.things['subscription'])}"
    answers = [
        mine.caller.patch(home, {"window": 3}),
        mine.caller.post(f"{home}/pause"),
        mine.caller.post(f"{home}/resume"),
        mine.caller.post(f"{home}/rotate-secret", {"reason": "leaked"}),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 200]


@pytest.mark.parametrize("verb", ["disable", "enable", "trip", "reset", "probe"])
def test_a_subscriber_may_not_what_is_the_operators(mine: Tenant, verb: str) -> None:
    home = f"/api/v1/subscriptions/{public_id('subscription', mine.things['subscription'])}"
    assert mine.caller.post(f"{home}/{verb}").status_code == 403


def test_a_subscriber_replays_its_own_delivery(mine: Tenant) -> None:
    home = f"/api/v1/deliveries/{public_id('delivery', mine.things['delivery'])}"
    assert mine.caller.post(f"{home}/replay").status_code == 202
    assert mine.caller.post(f"{home}/discard").status_code == 403


@pytest.mark.parametrize(("slug", "status"), [("mine", 201), ("common", 201), ("other", 400)])
def test_a_subscription_may_name_sources_that_are_ones_own_or_nobodys(
    mine: Tenant, other: Tenant, slug: str, status: int
) -> None:
    make.source("common")
    body = {"name": "hook", "url": "https://example.com/", "event_types": ["*"], "source": slug}
    answer = mine.caller.post("/api/v1/subscriptions", body)
    assert answer.status_code == status
    assert status == 201 or answer.json()["errors"] == {"source": ["There is no such source."]}


# -- publishers ------------------------------------------------------------------------------------------


def publisher(*slugs: str) -> Caller:
    return with_key("publisher", sources=[make.source(slug) for slug in slugs])


def takes_from_publishers(route: Route, method: str) -> bool:
    return route.acts.get(method) in route.door.publishers_may


PUBLISHES = [route for route in OF_MANY if takes_from_publishers(route, "post")]


@pytest.mark.parametrize("route", PUBLISHES, ids=name_of)
def test_at_no_door_a_publisher_publishes_to_a_source_of_others(mine: Tenant, route: Route) -> None:
    event = {"source": "till", "event_type": "t", "data": {}}
    make.source("till")
    before = Event.objects.count()
    for body in (event, {"events": [event]}, {"events": [{**event, "source": "shop"}, event]}):
        assert publisher("shop").post(route.address(mine), body).status_code == 400
    assert Event.objects.count() == before


@pytest.mark.parametrize(
    ("slugs", "status"), [((), 201), (("shop",), 201), (("shop", "till"), 201), (("till",), 400)]
)
def test_a_publisher_publishes_to_its_sources(slugs: tuple[str, ...], status: int) -> None:
    make.source("shop")
    answer = publisher(*slugs).post("/api/v1/events", {"source": "shop", "event_type": "t", "data": {}})
    assert answer.status_code == status
    assert Event.objects.count() == (status == 201)
    assert status == 201 or answer.json()["errors"] == {
        "source": ["There is no such source among those of this API key."]
    }


@pytest.mark.parametrize("route", list(routes()), ids=name_of)
def test_a_publisher_may_do_nothing_that_is_not_named(other: Tenant, route: Route) -> None:
    before = snapshot()
    for method in route.methods:
        if not takes_from_publishers(route, method):
            assert ask(publisher(), method, route.address(other)).status_code == 403, method
    assert snapshot() == before


@pytest.mark.parametrize("act", ["release", "discard"])
def test_a_publisher_lets_nothing_out_of_quarantine(act: str) -> None:
    event = make.event(state="quarantined", routed_at=None)
    home = f"/api/v1/events/{public_id('event', event.pk)}"
    assert publisher("shop").post(f"{home}/{act}", {"reason": "mine"}).status_code == 403
    assert Event.objects.get().state == "quarantined"
