"""The shell in a real browser: every kind of page, both themes, by keyboard, narrow, and without a script."""

import pytest
from django.contrib.auth.models import User
from django.urls import reverse
from playwright.sync_api import Browser, Route, expect

from deliveries.models import Circuit, Lane
from deliveries.services.depths import sample
from tests import make
from tests.browser import Console
from webhooks.ids import public_id
from webhooks.models import Event

pytestmark = pytest.mark.ui

LIST = "/admin/deliveries/delivery/"
EVENTS = "/admin/webhooks/event/"
PAGES = [
    "/admin/",
    "/admin/records/",
    LIST,
    "/admin/deliveries/subscription/",
    "/admin/deliveries/subscription/add/",
    "/admin/webhooks/refusal/",
    "/admin/queue/",
    "/admin/go/?q=nothing",
    "/admin/auth/user/add/",
    "/admin/auth/group/add/",
    "/admin/password_change/",
]


@pytest.fixture
def three(transactional_db: None) -> list[str]:
    """Deliveries, as their primary keys, the newest first."""
    to = make.subscription(name="ERP core")
    Lane.objects.update(circuit=Circuit.OPEN)
    keys = [str(key) for key in reversed(make.deliveries(to, 3))]
    sample(make.now())
    return keys


def test_every_kind_of_page_has_its_shell_and_nothing_to_complain_of(
    console: Console, chief: User, three: list[str]
) -> None:
    delivery = reverse("admin:deliveries_delivery_change", args=[three[0]])
    event = reverse("admin:webhooks_event_change", args=[Event.objects.first().pk])
    history = reverse("admin:auth_user_history", args=[chief.pk])
    delete = reverse("admin:auth_user_delete", args=[chief.pk])
    for path in (*PAGES, delivery, event, history, delete):
        console.open(path)
        expect(console.page.get_by_role("navigation", name="Console")).to_be_visible()
        expect(console.page.get_by_role("searchbox", name="An id to go to")).to_be_visible()
        expect(console.page.locator("h1")).to_have_count(1)
        console.check_access()


def test_the_door_looks_the_same_and_is_no_worse(visitor: Console, chief: User) -> None:
    visitor.open("/admin/login/")
    visitor.page.fill("#id_username", "ada")
    visitor.page.fill("#id_password", "wrong")
    visitor.page.keyboard.press("Enter")
    expect(visitor.page.get_by_role("alert")).to_contain_text(
        "Please enter the correct username and password"
    )
    expect(visitor.page.get_by_role("navigation", name="Console")).to_have_count(0)
    visitor.check_access()


def test_one_logs_in_and_out(visitor: Console, chief: User) -> None:
    visitor.open("/admin/")
    visitor.page.fill("#id_username", "ada")
    visitor.page.fill("#id_password", "a long enough password")
    visitor.page.keyboard.press("Enter")
    expect(visitor.page.locator("h1")).to_have_text("Overview")
    visitor.page.click(".person summary")
    visitor.page.get_by_role("button", name="Log out").click()
    visitor.page.wait_for_url("**/admin/logout/")
    visitor.open("/admin/")
    assert visitor.path() == "/admin/login/?next=/admin/"


def test_the_side_bar_counts_and_says_where_one_is(console: Console, three: list[str]) -> None:
    console.open("/admin/deliveries/subscription/")
    here = console.page.locator(".side a[aria-current=page]")
    expect(here).to_have_text("Subscriptions 1")


def test_slash_goes_to_a_pasted_id(console: Console, three: list[str]) -> None:
    console.open("/admin/")
    console.page.keyboard.press("/")
    expect(console.page.locator("#jump")).to_be_focused()
    console.page.keyboard.type(f"dlv_{three[1].replace('-', '')}")
    console.page.keyboard.press("Enter")
    console.page.wait_for_url(f"**{LIST}{three[1]}/change/")


def test_a_slash_that_is_typed_stays_a_slash(console: Console) -> None:
    console.open("/admin/")
    console.page.focus("#jump")
    console.page.keyboard.type("a/j?k")
    expect(console.page.locator("#jump")).to_have_value("a/j?k")


def test_rows_are_walked_ticked_and_opened_by_keys(console: Console, three: list[str]) -> None:
    console.open(LIST)
    press, current = console.page.keyboard.press, console.page.locator("tr.is-current input")
    for key, row in [("j", 0), ("j", 1), ("j", 2), ("j", 2), ("k", 1)]:
        press(key)
        expect(current).to_have_value(three[row].replace("-", ""))
    press("x")
    expect(current).to_be_checked()
    expect(console.page.locator(".selection strong")).to_have_text("1 selected")
    press("Enter")
    console.page.wait_for_url(f"**{LIST}{three[1]}/change/**")


def test_a_dot_copies_the_id_of_the_row(console: Console, three: list[str]) -> None:
    console.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    console.open("/admin/queue/")
    console.page.keyboard.press("j")
    console.page.keyboard.press(".")
    copied = public_id("subscription", Lane.objects.get().pk)
    expect(console.page.get_by_role("status")).to_have_text(f"Copied {copied}")
    assert console.page.evaluate("navigator.clipboard.readText()") == copied


def test_n_and_p_turn_pages(console: Console) -> None:
    make.deliveries(make.subscription(), 51)
    console.open(EVENTS)
    console.page.keyboard.press("n")
    console.page.wait_for_url("**/?before=*")
    expect(console.page.locator("#content tbody tr")).to_have_count(1)
    console.page.keyboard.press("p")
    expect(console.page.locator("#content tbody tr")).to_have_count(50)


def test_a_question_mark_lists_the_keys(console: Console) -> None:
    console.open("/admin/queue/")
    dialog = console.page.get_by_role("dialog", name="Keyboard shortcuts")
    console.page.keyboard.press("?")
    expect(dialog).to_be_visible()
    console.page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_the_theme_is_chosen_and_remembered(console: Console) -> None:
    console.open("/admin/")
    ground = "getComputedStyle(document.body).backgroundColor"
    seen = []
    for _ in range(3):
        seen.append((console.page.locator("#theme-name").text_content(), console.page.evaluate(ground)))
        console.page.click("#theme")
    light, dark = "rgb(244, 245, 247)", "rgb(14, 17, 22)"
    assert seen == [("as the system", light), ("dark", dark), ("light", light)]
    console.page.click("#theme")
    console.page.reload()
    assert console.page.evaluate(ground) == dark


def test_the_system_s_dark_is_followed(console: Console) -> None:
    console.page.emulate_media(color_scheme="dark")
    console.open("/admin/")
    assert console.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(14, 17, 22)"


@pytest.mark.parametrize("width", [360, 800])
def test_a_narrow_page_scrolls_in_its_parts_only(console: Console, three: list[str], width: int) -> None:
    console.page.set_viewport_size({"width": width, "height": 800})
    for path in PAGES[:7]:
        console.open(path)
        assert console.page.evaluate("document.documentElement.scrollWidth") == width
        sizes = "['.top', '.side'].map(part => document.querySelector(part).getBoundingClientRect())"
        bar, side = console.page.evaluate(f"{sizes}.map(({{width, height}}) => [width, height])")
        assert (bar, side[0]) == ([width, 48], width)


def test_everything_is_read_without_a_script(chromium: Browser, console: Console, three: list[str]) -> None:
    state = console.page.context.storage_state()
    context = chromium.new_context(java_script_enabled=False, storage_state=state)
    page = context.new_page()
    page.goto(f"{console.base}{LIST}")
    expect(page.locator("#rows tr")).to_have_count(3)
    expect(page.locator("#theme")).to_be_hidden()
    page.fill("#jump", three[0])
    page.press("#jump", "Enter")
    page.wait_for_url(f"**{LIST}{three[0]}/change/")
    context.close()


def test_on_paper_there_is_only_the_page(console: Console, three: list[str]) -> None:
    console.page.emulate_media(media="print")
    console.open(EVENTS)
    expect(console.page.locator("#content table")).to_be_visible()
    for part in (".top", ".side", ".page-tools", ".filters"):
        expect(console.page.locator(part)).to_be_hidden()


POLLED = """<!doctype html><title>Replay</title><script src="/static/hub/console.js"></script>
<div data-poll="/progress" data-every="50"><b data-live="sent">0</b> <progress data-live="share" value="0" max="1">
</progress><i data-poll-note></i></div>"""


def test_a_polled_part_follows_until_it_is_done(visitor: Console) -> None:
    answers = [{"sent": "1 of 2", "share": 0.5}, {"sent": "<b>2 of 2", "share": 1, "done": True}]
    asked = []

    def progress(route: Route) -> None:
        asked.append(route.request.headers["accept"])
        route.fulfill(json=answers[min(len(asked), len(answers)) - 1])

    visitor.page.route("**/replay", lambda route: route.fulfill(body=POLLED, content_type="text/html"))
    visitor.page.route("**/progress", progress)
    visitor.open("/replay")
    expect(visitor.page.locator("[data-live=sent]")).to_have_text("<b>2 of 2")
    assert visitor.page.locator("progress").evaluate("it => it.value") == 1
    visitor.page.wait_for_timeout(200)
    assert asked == ["application/json"] * 2


def test_a_poll_that_fails_says_so_and_goes_on(visitor: Console) -> None:
    outcomes = iter([False, True])

    def progress(route: Route) -> None:
        route.fulfill(json={"sent": "2 of 2", "done": True}) if next(outcomes) else route.abort()

    visitor.page.route("**/replay", lambda route: route.fulfill(body=POLLED, content_type="text/html"))
    visitor.page.route("**/progress", progress)
    visitor.open("/replay")
    expect(visitor.page.locator("[data-poll-note]")).to_have_text("Last updated 0 s ago, retrying.")
    expect(visitor.page.locator("[data-live=sent]")).to_have_text("2 of 2")
    expect(visitor.page.locator("[data-poll-note]")).to_have_text("")
    assert visitor.faults == ["Failed to load resource: net::ERR_FAILED"]
    visitor.faults.clear()


def test_a_poll_by_who_was_logged_out_stops_and_says_so(visitor: Console) -> None:
    page = POLLED.replace("/progress", "/admin/queue/")
    visitor.page.route("**/replay", lambda route: route.fulfill(body=page, content_type="text/html"))
    visitor.open("/replay")
    expect(visitor.page.locator("[data-poll-note]")).to_have_text("You are logged out; log in to see more.")
