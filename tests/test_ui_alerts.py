"""Alerts in a real browser: one is taken on and muted at night; a rule and a channel are made; on a phone too."""

import re
from datetime import timedelta

import pytest
from playwright.sync_api import expect

from deliveries.models import Alert, AlertChannel, AlertMessage, AlertRule, Mute
from tests import make
from tests.alerting import channel, rule
from tests.browser import Console
from tests.endpoints import Endpoint, answers
from webhooks.ids import public_id

pytestmark = pytest.mark.ui

LIST, RULES = "/admin/deliveries/alert/", "/admin/deliveries/alertrule/"
CHANNELS = "/admin/deliveries/alertchannel/"


@pytest.fixture
def night(transactional_db: None) -> None:
    """One alert is critical, one is muted, one is over; one channel cannot be reached."""
    AlertRule.objects.all().delete()
    to = make.subscription(name="ERP core")
    rule("success", name="Success under 95 %")
    rule("circuit", measure="circuit_open", over="each_subscription", name="A circuit is open", hold_s=600)
    now, scope = make.now(), public_id("subscription", to.pk)
    first = Alert.objects.create(
        rule="success", severity="critical", told_at=now,
        summary="Attempt success rate of the whole hub: 75 %, under 95 %.",
    )  # fmt: skip
    Alert.objects.create(rule="circuit", scope=scope, summary="Circuit not closed: ERP core, for 10 min.")
    Alert.objects.create(rule="success", summary="It was low.", closed_at=now, ending="Over after 5 min.")
    until = now + timedelta(hours=1)
    Mute.objects.create(rule="circuit", scope=scope, until=until, reason="They move.", muted_by="bob")
    AlertMessage.objects.create(
        alert=first, channel=channel(), kind="opened", severity="critical", title="Success (Weir)", text="It fails.",
        due_at=now, attempts=2, last_error="The receiver answered 503.",
    )  # fmt: skip


def test_a_night_watch(console: Console, night: None) -> None:
    page = console.page
    console.open(LIST)
    expect(page.locator("tbody").first.locator("tr")).to_have_count(2)
    expect(page.get_by_label("Console").get_by_role("link", name="Alerts")).to_contain_text("2")
    console.check_access()
    page.get_by_role("button", name=re.compile("Acknowledge: Attempt success rate")).click()
    expect(page.locator(".messagelist")).to_contain_text("Acknowledged: nobody is reminded of it any more.")
    page.get_by_role("link", name=re.compile("^Attempt success rate of the whole hub")).click()
    expect(page.get_by_text("The receiver answered 503.")).to_be_visible()
    console.check_access()
    page.get_by_role("link", name="Mute…").click()
    console.check_access()
    page.get_by_label("How long").select_option("14400")
    page.get_by_label("Reason").fill("We look at it.")
    page.get_by_role("button", name="Mute").click()
    expect(page.locator(".messagelist")).to_contain_text("Muted until")
    page.get_by_role("button", name="Unmute").click()
    expect(page.locator(".messagelist")).to_contain_text("Muted no longer.")
    assert Mute.objects.filter(until__gt=make.now()).count() == 1


def test_a_rule_and_a_channel_are_made_and_tried(console: Console, night: None) -> None:
    page = console.page
    console.open(RULES)
    expect(page.locator("tbody tr")).to_have_count(2)
    console.check_access()
    page.get_by_role("link", name="Add rule").click()
    console.check_access()
    page.get_by_label("Name").fill("Slow answers")
    page.get_by_label("Slug").fill("slow")
    page.get_by_label("What is measured").select_option("latency")
    page.get_by_label("Threshold").fill("2000")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".errorlist")).to_contain_text("Choose one of 5 minutes")
    console.check_access()
    page.get_by_label("Measured over the last").select_option("300")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Latency p95 of the whole hub at least 2.0 s over 5 minutes.")).to_be_visible()
    with Endpoint(answers(200)) as endpoint:
        console.open(f"{CHANNELS}add/")
        console.check_access()
        page.get_by_label("Name").fill("Night watch")
        page.get_by_label("Address").fill(f"json://127.0.0.1:{endpoint.port}/s3cret-9f1c")
        page.get_by_label("Critical").check()
        page.get_by_role("button", name="Save", exact=True).click()
        console.check_access()
        page.get_by_role("link", name="Night watch").first.click()
        page.get_by_role("button", name="Send a test").click()
        expect(page.locator(".messagelist")).to_contain_text("The test was sent, and taken.")
        console.check_access()
    assert AlertChannel.objects.get(name="Night watch").severities == ["critical"]


def test_it_reads_on_a_phone(console: Console, night: None) -> None:
    page = console.page
    page.set_viewport_size({"width": 390, "height": 800})
    for address in (LIST, RULES, CHANNELS, "/admin/"):
        console.open(address)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, address
    console.open(LIST)
    expect(page.get_by_role("button", name=re.compile("Acknowledge: "))).to_have_count(2)
    box = page.get_by_role("button", name=re.compile("Acknowledge: ")).first.bounding_box()
    assert box is not None and box["x"] + box["width"] <= 390
    console.check_access()
