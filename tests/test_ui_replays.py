"""A replay in a real browser, sent by a real dispatcher to a real endpoint, from the filters to its end."""

from ipaddress import ip_network
from typing import Any

import pytest
from playwright.sync_api import expect

from deliveries.models import Delivery, Replay
from tests import make
from tests.browser import Console
from tests.endpoints import Endpoint, answers, takes_turns
from tests.replaying import dead
from tests.running import dispatchers, until

pytestmark = pytest.mark.ui


@pytest.fixture(autouse=True)
def loopback(settings: Any) -> None:
    settings.HUB_EGRESS_ALLOW = [ip_network("127.0.0.0/8")]


def test_what_was_seen_is_sent_and_watched_until_it_is_over(console: Console) -> None:
    page = console.page
    with Endpoint(takes_turns(answers(200), answers(422), answers(200))) as endpoint:
        to = make.subscription(endpoint.url, name="ERP core", client_errors="once", window=40)
        made = dead(to, 101)
        console.open("/admin/deliveries/delivery/?status=dead&since=all")
        page.get_by_role("link", name="Replay matching").click()
        expect(page.locator("h1")).to_have_text("Replay 101 dead letters to ERP core")
        console.check_access()
        page.set_viewport_size({"width": 390, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.set_viewport_size({"width": 1440, "height": 900})
        page.get_by_text("100 per second").check()
        page.get_by_label("Reason").fill("INC-4431")
        page.get_by_label("Type 101 to confirm").fill("101")
        page.get_by_role("button", name="Start replay of 101").click()
        expect(page.locator("h1")).to_contain_text("Replay to ERP core, 503 Running")
        assert Delivery.objects.filter(state="pending").count() == 0
        with dispatchers():
            until(lambda: Replay.objects.get().state != "running", within_s=30)
            assert Replay.objects.get().stop_reason == ""
            expect(page.locator("h1")).to_contain_text("Finished", timeout=20_000)
        until(lambda: Replay.objects.get().state == "finished")
        expect(page.locator("[data-live=headline]")).to_have_text("101 of 101")
        expect(page.locator("[data-live=delivered]")).to_have_text("100")
        expect(page.locator("[data-live=failures] tbody tr")).to_have_count(1)
        assert len(endpoint.requests) == len(made) == 101
    console.check_access()
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.set_viewport_size({"width": 1440, "height": 900})
    page.get_by_role("link", name="Its deliveries").click()
    expect(page.locator("[data-count=all]")).to_have_text("101")
    console.open("/admin/deliveries/replay/")
    expect(page.locator("tbody tr")).to_have_count(1)
    console.check_access()
