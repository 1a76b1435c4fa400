"""What the console's pages link to is served by Weir itself, favicon included."""

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from tests import make
from tests.callers import browser
from webhooks.services.keys import create_api_key

pytestmark = pytest.mark.django_db

LINKED = re.compile(r'<(?:link|script|img)[^>]* (?:href|src)="([^"]+)"')


def fetch(visitor: Client, address: str) -> tuple[int, str, bytes]:
    answer: Any = visitor.get(address)
    body = b"".join(answer) if answer.streaming else answer.content  # read to its end, it closes its file
    return answer.status_code, answer["Content-Type"], body


@pytest.mark.parametrize("page", ["login", "index", "deliveries_subscription_changelist"])
def test_every_file_a_page_links_to_is_there(page: str) -> None:
    make.subscription()
    visitor = Client() if page == "login" else browser(is_superuser=True)
    linked = LINKED.findall(visitor.get(reverse(f"admin:{page}")).content.decode())
    assert {"/static/hub/favicon.svg", "/static/hub/console.css"} <= set(linked)
    answers = {address: fetch(visitor, address) for address in linked}
    assert {address: status for address, (status, _, _) in answers.items()} == dict.fromkeys(linked, 200)
    _, kind, icon = answers["/static/hub/favicon.svg"]
    assert kind == "image/svg+xml" and icon.startswith(b"<svg ")


def test_a_list_counts_what_is_ticked_and_offers_no_more_than_the_page() -> None:
    for number in range(60):
        create_api_key(role="viewer", name=f"key {number}")
    shown = browser(is_superuser=True).get(reverse("admin:webhooks_apikey_changelist"))
    text = shown.content.decode()
    assert 'class="action-counter" data-actions-icnt="50"' in text  # the admin's script fails without it
    assert "Select all 60" not in text and "across all pages" not in text
