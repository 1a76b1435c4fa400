"""What the API says of itself, in a real browser, under the strict policy: its description, and its problems."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser import Console

pytestmark = [pytest.mark.ui, pytest.mark.django_db(transaction=True)]


def test_the_description_is_read_and_unfolded(visitor: Console) -> None:
    visitor.open("/api/docs")
    page = visitor.page
    expect(page.get_by_role("heading", name=re.compile("^Weir"))).to_be_visible(timeout=15_000)
    expect(page.get_by_role("heading", name="Five common jobs")).to_be_visible()
    expect(page.get_by_text("post events '{").first).to_be_visible()
    operation = page.locator(".opblock", has_text="List deliveries").first
    operation.locator(".opblock-summary").click()
    expect(operation.get_by_text("A place in the list.")).to_be_visible()
    expect(operation.get_by_text("The key's role does not allow this.")).to_be_visible()


@pytest.mark.parametrize("path", ["/api/problems", "/api/problems/key-reused"])
def test_a_problem_is_explained_to_everybody(visitor: Console, path: str) -> None:
    visitor.open(path)
    expect(visitor.page.get_by_role("heading", level=1)).to_be_visible()
    visitor.check_access()
