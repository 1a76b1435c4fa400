"""The issues page in a real browser: a morning of triage by mouse, by keyboard and on a phone."""

import re
from datetime import timedelta
from uuid import UUID

import pytest
from playwright.sync_api import expect

from deliveries.models import Delivery, Issue, Lane, Rollup
from tests import make
from tests.browser import Console
from tests.test_issues import dead
from webhooks.models import AuditEntry

pytestmark = pytest.mark.ui

LIST = "/admin/deliveries/issue/"


@pytest.fixture
def morning(transactional_db: None) -> None:
    """Three endpoints failed in the night: one answers again, one is down still, one is paused."""
    for number, name in enumerate(("ERP core", "Legacy CRM", "Partner")):
        to = make.subscription(name=name, url=f"https://{number}.example/hooks")
        for _ in range(3 - number):
            dead(to, f"v1:{number}")
    Issue.objects.filter(fingerprint="v1:1").update(last_seen_at=make.now() - timedelta(hours=1))
    Issue.objects.filter(fingerprint="v1:2").update(last_seen_at=make.now() - timedelta(hours=2))
    at = make.now().replace(second=0, microsecond=0)
    Rollup.objects.create(
        starts_at=at,
        width_s=60,
        subscription_id=_lane("ERP core"),
        attempts=63,
        delivered_first=62,
        retried=1,
    )
    Lane.objects.filter(pk=_lane("Partner")).update(hold="paused", held_at=at)


def _lane(name: str) -> UUID:
    return Lane.objects.get(subscription__name=name).pk


def test_a_morning_of_triage(console: Console, morning: None) -> None:
    page = console.page
    console.open(LIST)
    expect(page.locator("#rows tr")).to_have_count(3)
    expect(page.locator("[data-count=open]").last).to_have_text("3")
    expect(page.locator("#rows .button.primary")).to_have_text(["Replay 3"])
    console.check_access()
    # What answers again is worth a replay, which is previewed first, with the very same letters.
    replay = page.locator("#rows .button.primary").get_attribute("href") or ""
    assert replay.endswith("?status=dead&fp=v1:0")
    page.locator("#rows .letters a").first.click()
    expect(page).to_have_url(re.compile(r"\?status=dead&fp=v1:0$"))
    expect(page.locator("#rows tr")).to_have_count(3)
    page.go_back()
    # What is down still somebody looks at; what is paused may wait.
    page.get_by_label("More about 503 Service Unavailable at Legacy CRM").click()
    console.check_access()
    page.locator(".more[open]").get_by_role("button", name="Acknowledge").click()
    expect(page.locator(".messagelist")).to_contain_text("Acknowledged: the issue.")
    page.get_by_label("More about 503 Service Unavailable at Partner").click()
    page.locator(".more[open]").get_by_role("button", name="Ignore for 24 h").click()
    expect(page.locator("#rows tr")).to_have_count(1)
    page.get_by_label("By state").get_by_role("link", name="Acknowledged").click()
    expect(page.locator("#rows tr")).to_contain_text("Acknowledged by ada")
    page.get_by_label("By state").get_by_role("link", name="Ignored").click()
    expect(page.locator("#rows tr")).to_contain_text("Ignored by ada until")
    Issue.objects.filter(state="ignored").update(ignored_until=make.now() - timedelta(seconds=1))
    console.open(LIST)
    expect(page.locator("#rows tr")).to_have_count(2)
    assert list(AuditEntry.objects.order_by("pk").values_list("verb", flat=True)) == ["acknowledge", "ignore"]


def test_it_all_goes_by_keyboard_and_one_is_sent_as_a_test(console: Console, morning: None) -> None:
    page = console.page
    console.open(LIST)
    for key in ("j", "x", "j", "x"):
        page.keyboard.press(key)
    expect(page.locator(".selection strong")).to_have_text("2 selected")
    page.get_by_role("button", name="Acknowledge 2").click()
    expect(page.locator(".messagelist")).to_contain_text("Acknowledged: 2 issues.")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("503 Service Unavailable at Partner")
    console.check_access()
    page.get_by_label("More about").click()
    page.get_by_role("button", name="Send one as a test").click()
    expect(page.locator(".messagelist")).to_contain_text(
        "It is pending, and waits because its subscription is paused."
    )
    assert Delivery.objects.filter(state="pending").count() == 1


def test_it_reads_on_a_phone(console: Console, morning: None) -> None:
    page = console.page
    page.set_viewport_size({"width": 390, "height": 800})
    console.open(LIST)
    expect(page.get_by_role("link", name=re.compile("Replay 3 dead letters"))).to_be_visible()
    page.get_by_label("More about 503 Service Unavailable at Partner").click()
    expect(page.locator(".more[open]").get_by_role("button", name="Ignore for 24 h")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    console.check_access()
