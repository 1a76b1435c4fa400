"""ETags: a copy that is still good is not sent again, and an edit of what somebody else changed is refused."""

from typing import Any

import pytest

from deliveries.models import Lane, Subscription
from tests import make
from tests.callers import with_key
from tests.tenants import Route, routes, tenant
from webhooks.deciders.etags import etag, is_good_copy, versions
from webhooks.ids import public_id
from webhooks.models import AuditEntry, Source

pytestmark = pytest.mark.django_db

TAG = etag(version="r3", content=b"{}")
SHOWN = [route for route in routes() if "pk" in route.arguments and "get" in route.methods]
EDITS = [
    (route, method)
    for route in routes()
    for method in route.methods
    if route.is_of_one and method in ("patch", "put", "delete")
]


@pytest.mark.parametrize(
    ("header", "named"),
    [
        ("*", None),
        (TAG, {"r3"}),
        (f"W/{TAG}", {"r3"}),
        (f'{TAG}, "r4.x"', {"r3", "r4"}),
        ('"r3"', {"r3"}),
        ('""', {""}),
    ],
)
def test_if_match_names_versions(header: str, named: set[str] | None) -> None:
    assert versions(header) == named


@pytest.mark.parametrize("header", ["", "r3", '"r3', '"a" "b"', '"a",'])
def test_what_names_no_version_is_refused(header: str) -> None:
    with pytest.raises(ValueError):
        versions(header)


@pytest.mark.parametrize(
    ("header", "good"),
    [(TAG, True), (f"W/{TAG}", True), (f'"x", {TAG}', True), ("*", True), ('"r3.x"', False), ("x", False)],
)
def test_a_copy_is_good_when_its_tag_is_named(header: str, good: bool) -> None:
    assert is_good_copy(header, TAG) is good


def test_a_copy_that_is_good_is_not_sent_again() -> None:
    make.source("shop")
    caller = with_key()
    first = caller.get("/api/v1/sources/shop")
    again = caller.get("/api/v1/sources/shop", headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])


MADE = [
    ("sources", {"name": "S", "slug": "s", "scheme": "none"}, {"name": "T"}),
    ("subscribers", {"name": "S"}, None),
    ("event-types", {"name": "order.paid"}, {"description": "T"}),
    ("api-keys", {"role": "viewer", "name": "S"}, None),
    (
        "subscriptions",
        {"subscriber": "{subscriber}", "name": "S", "url": "https://example.com/", "event_types": ["*"]},
        {"name": "T"},
    ),
]


@pytest.mark.parametrize(("kind", "body", "change"), MADE, ids=[kind for kind, _, _ in MADE])
def test_what_is_made_says_where_it_is_and_can_be_changed_at_once_if_nobody_else_did(
    kind: str, body: dict[str, Any], change: dict[str, Any] | None
) -> None:
    caller = with_key()
    if "subscriber" in body:
        body = {**body, "subscriber": public_id("subscriber", make.subscriber().pk)}
    for slash, key in (
        ("", "k1"),
        ("", "k1"),
        ("/", "k2"),
    ):  # anew, repeated, and refused for its name or made
        made = caller.post(f"/api/v1/{kind}{slash}", body, headers={"Idempotency-Key": key})
        if made.status_code == 201:
            assert made["Location"] == f"/api/v1/{kind}/{made.json()['id']}"
            assert caller.get(made["Location"]).json()["id"] == made.json()["id"]
            first = made
    if change:
        changed = [caller.patch(first["Location"], change, headers={"If-Match": first["ETag"]}) for _ in "ab"]
        assert [each.status_code for each in changed] == [200, 412]


def test_what_moves_by_itself_makes_a_copy_stale_and_hinders_no_edit() -> None:
    subscription = make.subscription()
    caller, home = with_key(), f"/api/v1/subscriptions/{public_id('subscription', subscription.pk)}"
    tag = caller.get(home)["ETag"]
    Lane.objects.update(circuit="open", circuit_since=make.now())
    assert caller.get(home, headers={"If-None-Match": tag}).status_code == 200
    assert caller.patch(home, {"window": 3}, headers={"If-Match": tag}).status_code == 200


def test_an_edit_answers_with_the_new_tag_and_the_old_one_is_worth_nothing() -> None:
    make.source("shop")
    caller = with_key()
    old = caller.get("/api/v1/sources/shop")["ETag"]
    new = caller.patch("/api/v1/sources/shop", {"name": "Shop 2"}, headers={"If-Match": old})
    assert (new.status_code, new["ETag"]) == (200, caller.get("/api/v1/sources/shop")["ETag"])
    late = caller.patch("/api/v1/sources/shop", {"name": "Shop 3"}, headers={"If-Match": old})
    assert (late.status_code, late.json()["code"]) == (412, "changed")
    assert Source.objects.get().name == "Shop 2"
    assert caller.patch("/api/v1/sources/shop", {"name": "Shop 3"}).status_code == 200  # who does not ask


def test_a_subscription_changed_meanwhile_is_not_changed() -> None:
    subscription = make.subscription()
    caller, home = with_key(), f"/api/v1/subscriptions/{public_id('subscription', subscription.pk)}"
    old = caller.get(home)["ETag"]
    caller.patch(home, {"window": 3})
    assert caller.patch(home, {"window": 4}, headers={"If-Match": old}).status_code == 412
    assert Subscription.objects.get().window == 3


@pytest.mark.parametrize("header", ["*", None])
def test_any_version_will_do_for_who_says_so(header: str | None) -> None:
    make.source("shop")
    headers = {"If-Match": header} if header else {}
    assert with_key().patch("/api/v1/sources/shop", {"name": "New"}, headers=headers).status_code == 200


def test_nonsense_is_refused_and_nothing_is_done() -> None:
    make.source("shop")
    answer = with_key().patch("/api/v1/sources/shop", {"name": "New"}, headers={"If-Match": "r1"})
    assert (answer.status_code, Source.objects.get().name) == (400, "shop")


@pytest.mark.parametrize(("route", "method"), EDITS, ids=lambda each: getattr(each, "name", each))
def test_every_edit_heeds_if_match(route: Route, method: str) -> None:
    address, caller = route.address(tenant("other")), with_key()
    before = AuditEntry.objects.count()
    body = {"replay-detail": {"rate_per_s": 5}}.get(route.name, {"name": "x"})
    answer: Any = getattr(caller, method)(address, body, headers={"If-Match": '"never.0"'})
    assert answer.status_code == 412, answer.content
    assert AuditEntry.objects.count() == before


@pytest.mark.parametrize("route", SHOWN, ids=lambda each: each.name)
def test_everything_that_is_shown_alone_has_a_tag(route: Route) -> None:
    answer = with_key().get(route.address(tenant("other")))
    assert answer.status_code == 200
    again = with_key().get(answer.wsgi_request.path, headers={"If-None-Match": answer["ETag"]})
    assert again.status_code == 304
