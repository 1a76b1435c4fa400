"""The overview in a real browser: it draws, leads to what it counts, keeps itself up to date, and reads on a phone."""

import re
from datetime import timedelta

import pytest
from playwright.sync_api import Browser, Route, expect

from deliveries.models import Circuit, CircuitChange, Lane, Seat, Subscription
from deliveries.services.dead_letters import Death, bury
from deliveries.services.depths import sample
from deliveries.services.notices import notify
from hub.overview import page as overview
from tests import make
from tests.browser import Console

pytestmark = pytest.mark.ui


@pytest.fixture
def busy(transactional_db: None) -> Subscription:
    """A day with everything the page can show."""
    now, erp, lake = make.now(), make.subscription(name="ERP core"), make.subscription(name="Data lake")
    Seat.objects.create(number=1, leased_until=now + timedelta(hours=1))
    for hours in range(1, 20):
        make.slices(
            erp, ago=timedelta(hours=hours), attempts=40, delivered_first=30, retried=6, dead=hours % 3
        )
        make.slices(lake, ago=timedelta(hours=hours), attempts=20, delivered_first=20)
        make.failures(erp, "server_error", 503, 8, ago=timedelta(hours=hours))
    make.failures(erp, "timeout", 0, 3)
    dead = [
        make.delivery(erp, state="dead", attempts=3, last_outcome="server_error", last_status=503)
        for _ in range(4)
    ]
    bury(deaths=[Death(delivery_id=each.pk, subscription_id=erp.pk, reason="exhausted", fingerprint="v1:a",
                       status=503, error="") for each in dead], now=now)  # fmt: skip
    make.delivery(erp, phase=1, due_at=now + timedelta(minutes=2))
    Lane.objects.filter(pk=erp.pk).update(circuit=Circuit.OPEN, cooldown_until=now + timedelta(minutes=1))
    CircuitChange.objects.create(
        subscription=erp, before="closed", after="open", why="12 of 20 attempts failed."
    )
    Lane.objects.filter(pk=lake.pk).update(hold="paused", held_at=now)
    notify(kind="subscription-failing", object_kind="subscription", object_id=erp.pk, text="ERP core fails.")
    sample(now)
    return erp


def test_it_shows_a_day_and_leads_to_what_it_counts(console: Console, busy: Subscription) -> None:
    page = console.page
    console.open("/admin/")
    expect(page.locator("h1")).to_have_text("Overview")
    expect(page.locator(".side a[aria-current=page]")).to_have_text("Overview")
    expect(page.locator("[data-as-of]")).to_have_text("Updated just now")
    expect(page.locator(".banner")).to_contain_text("A circuit opened in the last 15 minutes.")
    expect(page.locator(".figures li")).to_have_count(6)
    expect(page.locator("#overview .chart-plot a")).to_have_count(96)
    for heading, told in (
        ("worst", "ERP core"), ("circuits", "opened just now"), ("issues", "503"), ("causes", "Timeout"),
        ("waiting", "Held by circuit or pause"), ("news", "ERP core fails."),
    ):  # fmt: skip
        expect(page.locator(f"section[aria-labelledby={heading}]")).to_contain_text(told)
    console.check_access()
    page.get_by_role("link", name=re.compile("^Dead letters")).filter(has_text="vs previous").click()
    expect(page).to_have_url(re.compile(r"/delivery/\?status=dead&since=24h$"))
    expect(page.locator("#rows tr")).to_have_count(4)
    page.go_back()
    page.get_by_role("link", name=re.compile("^Retrying or held")).click()
    expect(page.locator("#rows tr")).to_have_count(1)
    page.go_back()
    page.locator("#overview .chart-plot a").nth(40).click()
    expect(page.locator(".chips")).to_contain_text("From ")
    page.go_back()
    page.locator("section[aria-labelledby=issues] td.number a").click()
    expect(page).to_have_url(re.compile(r"fp=v1:a"))


def test_its_window_is_chosen_and_the_charts_can_be_read_as_tables(
    console: Console, busy: Subscription
) -> None:
    page = console.page
    console.open("/admin/")
    page.get_by_role("navigation", name="Window").get_by_role("link", name="7d").click()
    expect(page).to_have_url(re.compile(r"\?w=7d$"))
    expect(page.locator(".spans a[aria-current]")).to_have_text("7d")
    expect(page.locator("#overview .chart-plot a")).to_have_count(84)
    page.get_by_role("link", name="Show as table").first.click()
    expect(
        page.get_by_role("region", name="Deliveries by outcome, as a table").locator("tbody tr")
    ).to_have_count(84)
    console.check_access()
    console.open("/admin/?w=2d")
    expect(page.locator(".banner.warn").first).to_contain_text("There is no window “2d”")


def test_it_keeps_itself_up_to_date_and_says_when_it_cannot(
    console: Console, busy: Subscription, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overview, "EVERY_MS", 300)
    page, answers = console.page, []

    def part(route: Route) -> None:
        answers.append(route.request.url)
        route.abort() if len(answers) == 1 else route.continue_()

    page.route("**/admin/overview/**", part)
    console.open("/admin/?w=7d")
    tile = page.locator(".figures li").nth(2)
    before = tile.text_content()
    page.locator(".figures a").nth(2).focus()
    make.slices(busy, ago=timedelta(hours=1), attempts=500, dead=500)
    expect(page.locator("[data-as-of]")).to_have_text(re.compile(r"Last updated \d+ s ago, retrying"))
    assert tile.text_content() == before
    expect(tile).to_contain_text("519")
    expect(page.locator("[data-as-of]")).to_have_text("Updated just now")
    expect(page.locator(".figures a").nth(2)).to_be_focused()
    assert {url.removeprefix(console.base) for url in answers} == {"/admin/overview/?w=7d"}
    assert console.faults == ["Failed to load resource: net::ERR_FAILED"]
    console.faults.clear()


def test_it_reads_on_a_phone_and_without_a_script(
    console: Console, chromium: Browser, busy: Subscription
) -> None:
    page = console.page
    page.set_viewport_size({"width": 390, "height": 844})
    console.open("/admin/?w=30d")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    console.check_access()
    context = chromium.new_context(java_script_enabled=False, storage_state=page.context.storage_state())
    plain = context.new_page()
    plain.goto(f"{console.base}/admin/")
    expect(plain.locator("[data-as-of]")).to_have_text(re.compile(r"As of \d\d:\d\d:\d\d UTC"))
    expect(plain.locator(".figures li")).to_have_count(6)
    plain.get_by_role("link", name="Show as table").first.click()
    expect(plain.get_by_role("region", name="Endpoint latency, as a table")).to_be_visible()
    context.close()


def test_an_empty_hub_says_how_to_begin(console: Console) -> None:
    console.open("/admin/")
    expect(console.page.locator("#first")).to_have_text("Nothing has come in yet.")
    expect(console.page.get_by_role("region", name="A first event")).to_contain_text(
        f"curl {console.base}/in/"
    )
    console.check_access()
    console.page.get_by_role("link", name="add a source").click()
    expect(console.page.locator("h1")).to_contain_text("source")
