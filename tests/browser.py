"""A real Chromium that looks at the console, and fails a test for whatever a careful person would not accept.

That is: anything the Content-Security-Policy stopped, an error or a warning in the browser's console, a request to a
foreign host, an answer of 400 and above, and, where `check_access` is asked, a finding of axe.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Error,
    Page,
    Request,
    Response,
    sync_playwright,
)

from tests.chromium import CHROMIUM

IS_REQUIRED = os.environ.get("CI", "").lower() in {"true", "1"}
AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text()
RULES = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
COLOURS = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
# What it found well is most of what it says, and takes longest to bring over here.
ASK_AXE = """async runOnly => {
    const found = await axe.run(document, {runOnly, preload: false, resultTypes: ["violations"]});
    return found.violations;
}"""
AT_REST = """async () => {
    await document.fonts.ready;
    window.scrollTo(0, 0);
    await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
}"""
SETTLING_MS = 5_000
SHOTS = Path(os.environ.get("CONSOLE_SHOTS", "var/shots"))
_FLAGS = [
    "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


@dataclass
class Console:
    """Somebody's window on the console. `page` is Playwright's; `faults` is what no test may end with."""

    page: Page
    base: str
    faults: list[str] = field(default_factory=list)
    under_way: set[Request] = field(default_factory=set)

    def settle(self) -> None:
        """Lets the page ask nothing more, and waits for what it asked: an answer must not meet an emptied database."""
        self.page.evaluate("() => { window.fetch = () => new Promise(() => {}) }")
        self._wait_for_answers()

    def _wait_for_answers(self) -> None:
        for _ in range(SETTLING_MS // 20):
            if not self.under_way:
                return
            self.page.wait_for_timeout(20)

    def open(self, path: str) -> None:
        self.page.goto(f"{self.base}{path}")

    def path(self) -> str:
        return self.page.url.removeprefix(self.base)

    def theme(self, name: str) -> None:
        self.page.evaluate("name => { document.documentElement.dataset.theme = name }", name)

    def check_access(self) -> None:
        """Asks axe for everything in light, and in dark for what a theme can spoil.

        Of the page at rest, seen from its top: what is being laid out, or lies half under the bar, is no finding.
        """
        self._wait_for_answers()
        self.page.evaluate(AT_REST)
        self.page.evaluate(AXE)  # by the browser's own door, so that the policy stays as it is
        for theme, rules in (("light", RULES), ("dark", COLOURS)):
            self.theme(theme)
            violations = self.page.evaluate(ASK_AXE, rules)
            self.faults += [
                f"axe, {self.path()}, {theme}: {rule['id']}: {node['target']} {node['failureSummary']}"
                for rule in violations
                for node in rule["nodes"]
            ]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One for a module: Playwright keeps an event loop in this thread, which other tests must not find there."""
    if not CHROMIUM:
        (pytest.fail if IS_REQUIRED else pytest.skip)("There is no Chromium.")
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # for the same loop's sake
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def chief(transactional_db: None) -> User:
    return User.objects.create_superuser("ada", password="a long enough password")


@pytest.fixture
def visitor(chromium: Browser, live_server: Any, request: pytest.FixtureRequest) -> Iterator[Console]:
    """Not logged in."""
    context = chromium.new_context(
        viewport={"width": 1440, "height": 900}, reduced_motion="reduce", timezone_id="UTC", locale="en-GB"
    )
    console = _watched(context, live_server.url)
    yield console
    if console.faults or getattr(request.node, "has_failed", False):
        _shoot(console.page, request.node.name)
    console.settle()
    context.close()
    if console.faults:
        pytest.fail("\n".join(dict.fromkeys(console.faults)), pytrace=False)


@pytest.fixture
def console(visitor: Console, chief: User) -> Console:
    """The chief's, logged in."""
    enter(visitor, chief)
    return visitor


def enter(visitor: Console, user: User) -> None:
    client = Client()
    client.force_login(user)
    cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": visitor.base}
    visitor.page.context.add_cookies([cookie])  # type: ignore[list-item]


def _watched(context: BrowserContext, base: str) -> Console:
    page = context.new_page()
    page.set_default_timeout(15_000)
    console = Console(page=page, base=base)

    def said(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:  # what the policy stopped is told here too
            console.faults.append(message.text)

    def failed(error: Error) -> None:
        console.faults.append(str(error))

    def asked(request: Request) -> None:
        console.under_way.add(request)
        if not request.url.startswith((base, "data:")):
            console.faults.append(f"a foreign request: {request.url}")

    def over(request: Request) -> None:
        console.under_way.discard(request)

    def answered(response: Response) -> None:
        if response.status >= 400:
            console.faults.append(f"{response.status} {response.url}")

    page.on("console", said)
    page.on("pageerror", failed)
    page.on("request", asked)
    page.on("requestfinished", over)
    page.on("requestfailed", over)
    page.on("response", answered)
    return console


def _shoot(page: Page, name: str) -> None:
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"{re.sub(r'[^a-z0-9]+', '-', name)}.png")
