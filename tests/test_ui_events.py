"""Events and cascades in a real browser: did it arrive, what it holds, who may see that, what it led to."""

import json
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from playwright.sync_api import expect

from deliveries.models import Delivery
from tests import make
from tests.browser import Console, enter
from tests.test_cascade_page import cascade
from webhooks.models import Event
from webhooks.services.sources import create_source

pytestmark = pytest.mark.ui

LIST = "/admin/webhooks/event/"


def send(name: str, **more: object) -> None:
    body = json.dumps({"event_id": name, "event_type": "order.paid", **more})
    Client().post("/in/shop", body, content_type="application/json")


def test_did_it_arrive_at_all(console: Console) -> None:
    create_source(name="Shop", slug="shop", business_keys={"order": "order"}, actor="ada")
    send("ord-1", order="ORD-0091734")
    send("ord-1", order="ORD-0091734")
    page = console.page
    console.open(LIST)
    expect(page.locator("[data-count=duplicates]")).to_have_text("1")
    console.check_access()
    find = page.get_by_role("searchbox", name="A sender's id, ours, or a business key, exactly")
    find.fill("order ORD-0091734")
    find.press("Enter")
    expect(page.locator("#answer h2")).to_contain_text("It arrived")
    expect(page.locator("#answer")).to_contain_text("It came 1 time more")
    console.check_access()
    find.fill("ord-2")
    find.press("Enter")
    expect(page.locator("#answer h2")).to_contain_text("Not seen since")
    page.locator("summary", has_text="When each source was last heard").click()
    console.check_access()
    page.get_by_role("link", name="Remove the filter ord-2").click()
    page.get_by_role("link", name="Refusals").last.click()
    console.check_access()


def test_a_script_in_a_payload_is_text_and_a_viewer_sees_none_of_it(visitor: Console, chief: User) -> None:
    event = make.event(
        b'{"name": "<script>document.title = \'run\'</script>"}', type="<b>order</b>", state="unmatched"
    )
    make.subscription(name="late")
    enter(visitor, chief)
    page = visitor.page
    visitor.open(f"{LIST}{event.pk}/change/")
    expect(page.locator("[aria-label=Body]")).to_contain_text("<script>document.title = 'run'</script>")
    expect(page.locator("h1")).to_contain_text("<b>order</b>")
    assert page.title() != "run"
    visitor.check_access()
    page.get_by_role("link", name="Route again").click()
    visitor.check_access()
    page.get_by_label("Reason").fill("a new team")
    page.get_by_role("button", name="Make 1 delivery").click()
    expect(page.locator(".messagelist")).to_contain_text("1 new delivery is owed.")
    assert Delivery.objects.get().event == event
    viewer = User.objects.create_user("bob", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_event"))
    enter(visitor, viewer)
    visitor.open(f"{LIST}{event.pk}/change/")
    expect(page.locator("#payload + p")).to_contain_text("shown to those who may see payloads")
    expect(page.get_by_role("link", name="Route again")).to_have_count(0)
    assert "document.title" not in page.content()


def test_what_waits_for_its_time_is_cancelled_after_asking(console: Console) -> None:
    at = make.now() + timedelta(hours=1)
    event, page = make.event(state="scheduled", routed_at=None, deliver_at=at), console.page
    console.open(f"{LIST}{event.pk}/change/")
    console.check_access()
    page.get_by_role("link", name="Cancel", exact=True).click()
    console.check_access()
    page.get_by_label("Reason").fill("a mistake")
    page.get_by_role("button", name="Cancel this event").click()
    expect(page.locator(".messagelist")).to_contain_text("It is cancelled and will not be routed.")
    expect(page.locator("h1 .state")).to_have_text("Cancelled")
    expect(page.get_by_role("link", name="Cancel", exact=True)).to_have_count(0)
    console.check_access()


def test_a_cascade_of_5_nodes_and_one_of_200_read_in_both_themes_and_on_a_phone(console: Console) -> None:
    to, page = make.subscription(name="ERP core"), console.page
    small, large = cascade(2, to, died=1), cascade(110, to, died=3)
    for made, boxes in ((small, 3), (large, 2)):
        console.open(f"/admin/deliveries/cascade/{made.pk}/change/")
        expect(page.locator("svg.tree .box")).to_have_count(boxes)
        console.check_access()
    console.open("/admin/deliveries/cascade/")
    expect(page.locator("#rows tr")).to_have_count(2)
    console.check_access()
    page.get_by_role("link", name="order.placed").last.click()
    page.locator(".waterfall a", has_text="invoice.issued").first.click()
    expect(page.locator("h1")).to_contain_text("invoice.issued")
    page.set_viewport_size({"width": 390, "height": 800})
    child = Event.objects.exclude(cause_id=None)[0]
    for path in (
        LIST,
        f"{LIST}{child.pk}/change/",
        "/admin/deliveries/cascade/",
        f"/admin/deliveries/cascade/{small.pk}/change/",
    ):
        console.open(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
