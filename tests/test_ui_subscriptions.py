"""Subscriptions in a real browser: a pause that ends, a secret shown once, a test in its panel, and who sees what."""

from datetime import timedelta
from ipaddress import ip_network

import pytest
import standardwebhooks
from django.contrib.auth.models import User
from playwright.sync_api import expect
from pytest_django import Settings

from deliveries.models import CircuitChange, DepthSample, Lane, Subscription
from deliveries.services import holds
from tests import make, roles
from tests.browser import Console, enter
from tests.endpoints import Endpoint, answers
from webhooks.ids import uuid7
from webhooks.models import AuditEntry

pytestmark = pytest.mark.ui

LIST = "/admin/deliveries/subscription/"


@pytest.fixture(autouse=True)
def loopback(settings: Settings) -> None:
    settings.HUB_EGRESS_ALLOW = [ip_network("127.0.0.0/8")]


@pytest.fixture
def broken(transactional_db: None) -> Subscription:
    """Its circuit is open, deliveries of every look, dead letters, a second secret."""
    to = make.subscription(name="ERP core", rate_per_s=20, retry_delays_s=[5, 60])
    for number in range(9):
        look = {"state": "dead", "attempts": 3, "last_outcome": "client_error", "last_status": 401}
        make.delivery(to, make.event(type="order.paid", state="routed"), **look if number % 2 else {})
    DepthSample.objects.create(subscription=to, dead=4, pending=5, due=5, sampled_at=make.now())
    Lane.objects.filter(pk=to.pk).update(
        circuit="open", circuit_since=make.now(), cooldown_until=make.now() + timedelta(minutes=5)
    )
    CircuitChange.objects.create(
        subscription=to, before="closed", after="open", why="6 of 10 failed.", attempt_id=uuid7()
    )
    return to


def page_of(to: Subscription) -> str:
    return f"{LIST}{to.pk}/change/"


def someone(role: str) -> User:
    roles.give(roles.FIVE)
    return roles.member(role)


def test_the_pages_are_sound_in_both_themes_and_on_a_phone(console: Console, broken: Subscription) -> None:
    for number in range(45):
        make.subscription(name=f"Team {number:02}")
    doors = ("test/", "rotate/", "do/pause/", "edit/")
    for path in (
        LIST,
        f"{LIST}?state=circuit&colour=red",
        page_of(broken),
        *(f"{LIST}{broken.pk}/{door}" for door in doors),
    ):
        console.page.set_viewport_size({"width": 1440, "height": 900})
        console.open(path)
        console.check_access()
        console.page.set_viewport_size({"width": 390, "height": 800})
        assert console.page.evaluate("document.documentElement.scrollWidth") <= 390, path
    console.check_access()


def test_a_list_is_sorted_searched_and_ticked(console: Console, broken: Subscription) -> None:
    for number in range(45):
        make.subscription(name=f"Team {number:02}")
    page = console.page
    console.open(LIST)
    expect(page.locator("tbody tr").first).to_contain_text("Circuit open")
    page.keyboard.press("n")
    expect(page.locator("tbody tr")).to_have_count(6)
    page.get_by_role("link", name="Name", exact=True).click()
    expect(page.locator("th[aria-sort=ascending]")).to_have_text("Name")
    page.get_by_role("link", name="Name", exact=True).click()
    expect(page.locator("tbody th").first).to_contain_text("Team 44")
    page.get_by_role("searchbox", name="Part of a name").fill("team 1")
    page.keyboard.press("Enter")
    expect(page.locator("tbody tr")).to_have_count(10)
    page.locator("tbody input").nth(0).check()
    page.locator("tbody input").nth(1).check()
    page.get_by_role("button", name="Pause 2").click()
    page.get_by_label("How long").select_option("for an hour")
    page.get_by_label("Reason").fill("their night")
    page.get_by_role("button", name="Pause 2").click()
    expect(page.locator(".messagelist")).to_contain_text("Paused 2.")
    assert Lane.objects.filter(hold="paused", hold_reason="their night").count() == 2


def test_a_pause_for_a_time_is_seen_and_ends_by_itself(console: Console, broken: Subscription) -> None:
    page = console.page
    console.open(page_of(broken))
    page.get_by_role("link", name="Pause").click()
    page.get_by_label("How long").select_option("for 15 minutes")
    page.get_by_label("Reason").fill("their database moves")
    page.get_by_role("button", name="Pause").click()
    expect(page.locator(".diagnosis")).to_contain_text("their database moves")
    expect(page.locator(".diagnosis")).to_contain_text("in 14 min")
    expect(page.locator(".diagnosis")).to_contain_text("5 deliveries wait")
    assert holds.resume_due(now=make.now() + timedelta(minutes=15)) == 1
    console.open(page_of(broken))
    expect(page.locator("h1")).to_contain_text("Circuit open")
    expect(page.locator("section", has_text="What people did").last).to_contain_text("weir")
    page.get_by_role("button", name="Probe now").click()
    expect(page.locator(".messagelist")).to_contain_text("Its cool-down will end")
    page.get_by_role("link", name="Force close").click()
    page.get_by_label("Reason").fill("they say so")
    page.get_by_role("button", name="Force close").click()
    expect(page.locator(".messagelist")).to_contain_text("Its circuit will close")
    assert list(AuditEntry.objects.order_by("pk").values_list("verb", flat=True)) == [
        "pause", "resume", "probe", "reset",
    ]  # fmt: skip


def test_a_secret_is_rotated_shown_once_and_both_verify(console: Console) -> None:
    page = console.page
    with Endpoint(answers(200, body=b'{"thanks": "<script>1</script>"}')) as endpoint:
        to = make.subscription(endpoint.url, name="ERP core")
        old = to.secrets.get().sealed
        console.open(page_of(to))
        page.get_by_role("link", name="Rotate secret").click()
        page.get_by_label("Reason").fill("it leaked")
        page.get_by_role("button", name="Rotate the secret").click()
        new = page.locator("#new-secret").inner_text()
        console.check_access()
        page.get_by_role("link", name="I have it").click()
        expect(page.locator("body")).not_to_contain_text(new)
        expect(page.get_by_text("Each request bears 2 signatures")).to_be_visible()
        page.get_by_role("link", name="Send test").first.click()
        page.get_by_role("button", name="Send test").click()
        expect(page.locator("#answer")).to_contain_text("The endpoint answered 200 (ok)")
        expect(page.locator("[aria-label='Response body']")).to_contain_text("<script>1</script>")
        expect(page.locator("#answer")).to_contain_text("weir-test")
        console.check_access()
    (request,) = endpoint.requests
    for secret in (old, new):
        standardwebhooks.Webhook(secret).verify(request.body, request.headers)
    page.get_by_role("link", name="Back to the subscription").click()
    page.get_by_role("link", name="End the overlap now").click()
    page.get_by_label("Reason").fill("they have it")
    page.get_by_role("button", name="End the overlap").click()
    expect(page.get_by_text("Each request bears")).to_have_count(0)


@pytest.mark.parametrize(
    ("role", "buttons"),
    [
        ("Viewer", set()),
        ("Operator", {"Send test", "Pause"}),
        ("Lead", {"Send test", "Pause", "Rotate secret", "Probe now", "Force close", "Edit"}),
    ],
)
def test_each_role_sees_its_own_buttons(
    visitor: Console, broken: Subscription, role: str, buttons: set[str]
) -> None:
    enter(visitor, someone(role))
    visitor.open(page_of(broken))
    every = ("Send test", "Pause", "Rotate secret", "Probe now", "Force close", "Edit")
    main = visitor.page.locator("#content")
    seen = {
        name
        for name in every
        for kind in ("link", "button")
        if main.get_by_role(kind, name=name, exact=True).count()
    }
    assert seen == buttons
