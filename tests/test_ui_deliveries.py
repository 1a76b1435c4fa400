"""The deliveries pages in a real browser: filters, pages, replaying and undoing, live tail, a body that is a script."""

import re
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from deliveries.models import Attempt, Delivery, Exchange, Lane, Subscription
from tests import make
from tests.browser import Console
from tests.endpoints import Endpoint, answers
from tests.running import dispatchers
from webhooks.models import AuditEntry

pytestmark = pytest.mark.ui

LIST = "/admin/deliveries/delivery/"


@pytest.fixture
def many(transactional_db: None) -> list[Delivery]:
    """60 deliveries of every look, oldest first."""
    erp, lake = make.subscription(name="ERP core"), make.subscription(name="Data lake")
    Lane.objects.filter(pk=lake.pk).update(hold="paused")
    looks = (
        {
            "state": "dead",
            "attempts": 3,
            "last_outcome": "client_error",
            "last_status": 401,
            "last_latency_ms": 41,
        },
        {
            "state": "delivered",
            "attempts": 2,
            "last_outcome": "ok",
            "last_status": 200,
            "last_latency_ms": 1200,
        },
        {"state": "pending", "phase": 1, "attempts": 2, "last_outcome": "tls"},
        {"state": "discarded", "attempts": 9, "last_outcome": "server_error", "last_status": 503},
    )
    made = [
        make.delivery(erp, make.event(type="order.paid", state="routed"), **looks[number % 4])
        for number in range(55)
    ]
    return made + [make.delivery(lake, make.event(type="user.created", state="routed")) for _ in range(5)]


@pytest.fixture
def scripted(transactional_db: None) -> Delivery:
    """Dead after two attempts; what was sent and answered holds scripts."""
    body = b'{"name": "<script>document.title = \'run\'</script>", "id": 7}'
    event = make.event(body, type="order.paid", state="routed")
    values = {"attempts": 2, "last_outcome": "server_error", "last_status": 503, "fingerprint": "v1:a"}
    made = make.delivery(make.subscription(name="ERP core"), event, state="dead", **values)
    for number in (1, 2):
        attempt = Attempt.objects.create(
            delivery=made, number=number, phase=0, started_at=make.now() - timedelta(minutes=9 - number),
            duration_ms=120, outcome="server_error", status=503,
        )  # fmt: skip
        Exchange.objects.create(
            attempt=attempt, url="https://erp.example/hooks", request_headers={"webhook-id": "evt_1"},
            response_headers=[["server", f"nginx {number}"]], response_body=b"<script>document.title = 'run'</script>",
        )  # fmt: skip
    return made


def test_the_list_is_sound_in_both_themes_and_so_is_each_open_filter(
    console: Console, many: list[Delivery]
) -> None:
    console.open(LIST)
    expect(console.page.locator("[data-count=all]")).to_have_text("60")
    expect(console.page.locator("[data-count=attention]")).to_have_text("33")
    console.page.locator("#rows input").nth(2).check()
    console.check_access()
    console.open(f"{LIST}?status=superseded&colour=red")
    console.check_access()
    for name in ("Time", "Subscription", "Event type", "Response", "Source", "Attempts"):
        console.page.locator("summary", has_text=name).click()
        expect(console.page.locator("details.choice[open]")).to_have_count(1)
        console.check_access()


def test_a_filter_is_chosen_and_taken_off_and_pages_keep_it(console: Console, many: list[Delivery]) -> None:
    page = console.page
    console.open(LIST)
    page.locator("summary", has_text="Response").click()
    page.get_by_role("link", name="4xx").click()
    expect(page).to_have_url(re.compile(r"\?code=4xx$"))
    expect(page.locator("#rows tr")).to_have_count(14)
    page.get_by_role("link", name="Remove the filter Response 4xx").click()
    expect(page.locator("#rows tr")).to_have_count(50)
    page.get_by_role("link", name="Older").click()
    expect(page.locator("#rows tr")).to_have_count(10)
    page.get_by_role("link", name="Newer").click()
    expect(page.locator("#rows tr")).to_have_count(50)
    page.get_by_role("link", name="Needs attention").click()
    expect(page.locator("#rows tr")).to_have_count(33)


def test_the_back_of_a_page_is_where_it_was_though_rows_arrived(
    console: Console, many: list[Delivery]
) -> None:
    page = console.page
    console.open(LIST)
    first = page.locator("#rows tr").evaluate_all("rows => rows.map(row => row.dataset.id)")
    page.keyboard.press("n")
    expect(page.locator("#rows tr")).to_have_count(10)
    make.deliveries(many[0].subscription, 3)
    page.keyboard.press("p")
    expect(page.locator("#rows tr")).to_have_count(50)
    assert page.locator("#rows tr").evaluate_all("rows => rows.map(row => row.dataset.id)") == first


def test_ticked_rows_are_replayed_after_asking(console: Console, many: list[Delivery]) -> None:
    page = console.page
    console.open(f"{LIST}?status=dead")
    expect(page.locator(".selection")).to_be_hidden()
    page.locator("#rows input").nth(0).check()
    page.locator("#rows input").nth(1).check()
    page.get_by_role("button", name="Replay 2").click()
    expect(page.locator("h1")).to_have_text("Replay 2 deliveries?")
    console.check_access()
    assert Delivery.objects.filter(state="dead").count() == 14
    page.get_by_label("Reason").fill("mended")
    page.get_by_role("button", name="Replay 2").click()
    expect(page.locator(".messagelist")).to_contain_text("Replayed 2. It is due now.")
    expect(page).to_have_url(re.compile(r"\?status=dead$"))
    assert Delivery.objects.filter(state="dead").count() == 12
    assert AuditEntry.objects.filter(verb="replay", reason="mended").count() == 2


def test_a_row_is_replayed_at_a_click_and_undone_at_another(console: Console, many: list[Delivery]) -> None:
    page = console.page
    console.open(f"{LIST}?status=dead")
    before = list(Delivery.objects.order_by("pk").values())
    page.get_by_role("button", name="Replay order.paid to ERP core").first.click()
    expect(page).to_have_url(re.compile(r"\?status=dead$"))
    expect(page.locator("#rows tr")).to_have_count(13)
    message = page.locator(".messagelist")
    expect(message).to_contain_text(re.compile(r"Replayed order.paid to ERP core. It will be sent in \d s."))
    console.check_access()
    message.get_by_role("button", name="Undo").click()
    expect(page.locator(".messagelist")).to_contain_text("Undone. It is dead as before; nothing was sent.")
    expect(page.locator("#rows tr")).to_have_count(14)
    assert list(Delivery.objects.order_by("pk").values()) == before
    console.open(LIST)
    page.get_by_role("button", name="Replay order.paid to ERP core").first.click()
    expect(page.locator("#rows").get_by_role("button", name="Undo")).to_have_count(1)
    console.check_access()
    page.keyboard.press("u")
    expect(page.locator(".messagelist")).to_contain_text("Undone.")
    assert list(Delivery.objects.order_by("pk").values()) == before


def test_everything_works_by_keyboard(console: Console, many: list[Delivery]) -> None:
    page = console.page
    console.open(f"{LIST}?status=dead")
    for key in ("j", "j", "x", "r"):
        page.keyboard.press(key)
    expect(page.locator("h1")).to_have_text("Replay 1 delivery?")
    page.go_back()
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text("order.paid to ERP core")


def test_the_tail_shows_what_arrives(console: Console, many: list[Delivery]) -> None:
    page = console.page
    console.open(LIST)
    page.mouse.move(5, 5)
    page.get_by_role("button", name="Live tail").click()
    new = make.delivery(many[0].subscription, make.event(type="order.<b>new</b>", state="routed"))
    expect(page.locator("#rows tr.is-new")).to_have_count(1, timeout=10_000)
    expect(page.locator("#rows tr").first).to_contain_text("order.<b>new</b>")
    assert page.locator("#rows tr").first.get_attribute("data-id") == f"dlv_{new.pk.hex}"
    page.get_by_role("button", name="Live tail").click()
    expect(page.locator("#tail")).to_have_attribute("aria-pressed", "false")


def test_many_subscriptions_are_narrowed_by_name(console: Console, many: list[Delivery]) -> None:
    for number in range(70):
        make.subscription(name=f"Team {number:02}")
    page = console.page
    console.open(f"{LIST}?status=dead")
    page.locator("summary", has_text="Subscription").click()
    expect(page.locator("[data-choices] li")).to_have_count(72)
    page.locator("#subscriptions .narrow").fill("erp")
    expect(page.locator("[data-choices] li:visible")).to_have_count(1)
    page.locator("[data-choices] li:visible a").click()
    expect(page.get_by_role("link", name="Remove the filter ERP core")).to_be_visible()
    expect(page.locator("#rows tr")).to_have_count(14)


def test_a_script_in_a_body_is_shown_and_not_run(console: Console, scripted: Delivery) -> None:
    page = console.page
    console.open(f"{LIST}{scripted.pk}/change/")
    expect(page.locator("[aria-label='Request body']")).to_contain_text(
        "<script>document.title = 'run'</script>"
    )
    expect(page.locator("[aria-label='Response body']")).to_contain_text(
        "<script>document.title = 'run'</script>"
    )
    assert page.title() != "run"
    console.check_access()


def test_a_view_is_saved_and_chosen_and_removed(console: Console, many: list[Delivery]) -> None:
    page = console.page
    console.open(f"{LIST}?status=dead&code=4xx")
    page.locator("summary", has_text="Views").click()
    page.get_by_label("Save these filters as").fill("Refused")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".messagelist")).to_contain_text("Saved these filters as “Refused”.")
    console.open(LIST)
    page.locator("summary", has_text="Views").click()
    console.check_access()
    page.get_by_role("link", name="Refused").click()
    expect(page).to_have_url(re.compile(r"\?status=dead&code=4xx$"))
    page.locator("summary", has_text="Views").click()
    page.get_by_role("button", name="Remove the view Refused").click()
    expect(page.locator(".views li")).to_have_count(0)


def test_the_next_attempt_appears_by_itself_after_a_replay(console: Console, scripted: Delivery) -> None:
    page = console.page
    Delivery.objects.update(state="pending", phase=2, due_at=make.now(), budget_at=make.now(), budget_from=2)
    console.open(f"{LIST}{scripted.pk}/change/")
    expect(page.locator(".timeline")).to_contain_text("Next attempt")
    Attempt.objects.create(
        delivery=scripted, number=3, phase=2, started_at=make.now(), duration_ms=12, outcome="ok", status=200
    )
    Delivery.objects.update(
        state="delivered", due_at=None, attempts=3, settled_at=make.now(), last_outcome="ok"
    )
    expect(page.locator(".timeline")).to_contain_text("Attempt 3")
    expect(page.locator("h1")).to_contain_text("Delivered")


def test_the_seconds_run_down_and_the_way_back_goes_away(console: Console, scripted: Delivery) -> None:
    page = console.page
    page.clock.install()
    console.open(f"{LIST}{scripted.pk}/change/")
    page.keyboard.press("r")
    undo = page.get_by_role("button", name="Undo")
    expect(undo).to_have_count(2)  # in what is said, and beside the state
    seconds = page.locator("[data-left]").first
    page.clock.pause_at(page.evaluate("Date.now()") / 1_000 + 0.5)  # from here on time passes by order alone
    left = int(seconds.inner_text())
    assert left in (3, 4, 5)
    page.clock.run_for(2_000)
    expect(seconds).to_have_text(str(left - 2))
    expect(page.locator("#said")).to_have_text("")
    undo.last.focus()
    page.clock.run_for((left - 2) * 1_000)
    expect(undo).to_have_count(0)
    expect(page.locator("#said")).to_have_text("The replay can no longer be undone.")
    expect(page.locator(".messagelist")).to_have_text("Replayed order.paid to ERP core.")
    assert page.evaluate("document.activeElement.className") == "page-tools"
    page.clock.resume()
    console.check_access()


def test_one_click_sends_it_five_seconds_later_and_shows_what_came(
    console: Console, scripted: Delivery, settings: Any
) -> None:
    settings.HUB_EGRESS_ALLOW = [ip_network("127.0.0.0/8")]
    page = console.page
    with Endpoint(answers(200)) as endpoint, dispatchers():
        Subscription.objects.update(url=endpoint.url)
        console.open(f"{LIST}{scripted.pk}/change/")
        page.get_by_role("button", name="Replay now").click()
        due_at = Delivery.objects.get().due_at
        assert due_at is not None
        expect(page.locator(".timeline")).to_contain_text("Attempt 3", timeout=15_000)
        expect(page.locator("h1")).to_contain_text("Delivered")
        assert Attempt.objects.get(number=3).started_at >= due_at
        assert len(endpoint.requests) == 1


def test_attempts_are_walked_by_keyboard(console: Console, scripted: Delivery) -> None:
    page = console.page
    console.open(f"{LIST}{scripted.pk}/change/")
    expect(page.locator("#exchange")).to_contain_text("Attempt 2")
    page.keyboard.press("[")
    expect(page.locator("#exchange")).to_contain_text("Attempt 1")
    expect(page.get_by_text("nginx 1")).to_be_visible()
    page.keyboard.press("]")
    expect(page.locator("#exchange")).to_contain_text("Attempt 2")


def test_a_delivery_is_discarded_after_asking(console: Console, scripted: Delivery) -> None:
    page = console.page
    console.open(f"{LIST}{scripted.pk}/change/")
    page.get_by_role("link", name="Discard").click()
    console.check_access()
    page.get_by_label("Reason").fill("a test")
    page.get_by_role("button", name="Discard 1").click()
    expect(page.locator("h1")).to_contain_text("Discarded")
    scripted.refresh_from_db()
    assert scripted.state == "discarded"


def test_it_reads_on_a_phone_and_without_a_script(
    console: Console, chromium: Browser, many: list[Delivery], scripted: Delivery
) -> None:
    console.page.set_viewport_size({"width": 390, "height": 800})
    for path in (LIST, f"{LIST}?status=dead&since=24h", f"{LIST}{scripted.pk}/change/"):
        console.open(path)
        assert console.page.evaluate("document.documentElement.scrollWidth") <= 390
        console.check_access()
    state = console.page.context.storage_state()
    context = chromium.new_context(java_script_enabled=False, storage_state=state)
    page = context.new_page()
    page.goto(console.base + LIST)
    expect(page.locator("#rows tr")).to_have_count(50)
    page.locator("summary", has_text="Response").click()
    page.get_by_role("link", name="4xx").click()
    expect(page.locator("#rows tr")).to_have_count(14)
    page.locator("#rows input").first.check()
    page.get_by_role("button", name="Replay", exact=True).click()
    expect(page.locator("h1")).to_have_text("Replay 1 delivery?")
    page.goto(f"{console.base}{LIST}{scripted.pk}/change/")
    page.get_by_role("button", name="Replay now").click()
    expect(page.locator(".page-tools")).to_contain_text("It will be sent in 5 s.")
    page.locator(".page-tools").get_by_role("button", name="Undo").click()
    expect(page.locator(".messagelist")).to_have_text("Undone. It is dead as before; nothing was sent.")
    context.close()
