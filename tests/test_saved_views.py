"""Filters that are kept under a name: one's own, shared ones, replaced by name, removed by their owner alone."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from deliveries.deciders.delivery_query import DeliveryQuery
from deliveries.models import SavedView
from deliveries.services.saved_views import MOST_VIEWS, Refused, save_view
from tests import make
from tests.callers import browser
from webhooks.ids import public_id
from webhooks.models import AuditEntry

pytestmark = pytest.mark.django_db

LIST = "/admin/deliveries/delivery/"


@pytest.fixture
def ada() -> Client:
    return browser("deliveries.view_delivery", name="ada")


@pytest.fixture
def bob() -> Client:
    return browser("deliveries.view_delivery", name="bob")


def save(client: Client, name: str, kept: str = "status=dead&since=24h", **more: str) -> Any:
    return client.post(f"{LIST}views/save/", {"name": name, "kept": kept} | more)


def offered(client: Client, address: str = "") -> list[tuple[str, str, bool]]:
    return [(each.name, each.address, each.is_chosen) for each in client.get(LIST + address).context["views"]]


def test_filters_are_kept_under_a_name_and_lead_back(ada: Client, bob: Client) -> None:
    to = make.subscription()
    sub = public_id("subscription", to.pk)
    answer = save(ada, " My ERP,  failing ", f"status=dead&sub={sub}&since=24h&before={'0' * 32}&colour=red")
    assert answer["Location"] == f"{LIST}?status=dead&sub={sub}&since=24h&before=dlv_{'0' * 32}"
    assert offered(ada) == [("My ERP, failing", f"?status=dead&sub={sub}&since=24h", False)]
    assert offered(ada, f"?status=dead&since=24h&sub={sub}")[0][2] is True
    assert offered(bob) == []
    assert not AuditEntry.objects.exists()


def test_what_is_shared_everybody_sees_after_their_own(ada: Client, bob: Client) -> None:
    save(ada, "All dead", shared="yes")
    save(bob, "Mine")
    assert [name for name, _, _ in offered(bob)] == ["Mine", "All dead"]
    assert "by ada" in bob.get(LIST).content.decode()


def test_the_same_name_replaces_one_s_own_and_no_other_s(ada: Client, bob: Client) -> None:
    save(ada, "Dead", "status=dead")
    save(bob, "Dead", "status=dead")
    save(ada, "Dead", "status=dead&code=5xx", shared="yes")
    rows = SavedView.objects.order_by("owner__username").values_list("owner__username", "params", "is_shared")
    assert list(rows) == [
        ("ada", {"status": ["dead"], "code": ["5xx"]}, True),
        ("bob", {"status": ["dead"]}, False),
    ]


def test_its_owner_alone_removes_it(ada: Client, bob: Client) -> None:
    save(ada, "All dead", shared="yes")
    view = SavedView.objects.get()
    answer = bob.post(f"{LIST}views/{view.pk}/remove/", {"kept": "status=dead"}, follow=True)
    assert "There is no such view of yours." in answer.content.decode()
    assert SavedView.objects.count() == 1
    answer = ada.post(f"{LIST}views/{view.pk}/remove/", {"kept": "status=dead"})
    assert answer["Location"] == f"{LIST}?status=dead"
    assert not SavedView.objects.exists()


def test_a_view_without_a_name_and_one_too_many_are_refused() -> None:
    owner = User.objects.create_user("ada")
    with pytest.raises(Refused, match="Give the view a name"):
        save_view(owner=owner, name=" \n ", query=DeliveryQuery(), is_shared=False)
    for number in range(MOST_VIEWS):
        save_view(owner=owner, name=str(number), query=DeliveryQuery(), is_shared=False)
    with pytest.raises(Refused, match="remove one first"):
        save_view(owner=owner, name="more", query=DeliveryQuery(), is_shared=False)
    save_view(owner=owner, name="7", query=DeliveryQuery(attempts=3), is_shared=True)
    assert SavedView.objects.count() == MOST_VIEWS


def test_who_may_not_see_deliveries_keeps_no_view_and_a_get_changes_nothing(ada: Client) -> None:
    eve = browser(name="eve")
    assert save(eve, "Dead").status_code == 403
    assert ada.get(f"{LIST}views/save/").status_code == 403
    save(ada, "Dead")
    assert ada.get(f"{LIST}views/{SavedView.objects.get().pk}/remove/").status_code == 403
    assert SavedView.objects.count() == 1


def test_a_name_is_text(ada: Client) -> None:
    save(ada, "<script>alert(1)</script>")
    assert "<script>alert(1)" not in ada.get(LIST).content.decode()
