"""Refusals on the console: listed by source and reason, looked at, tried again, and accepted by who may, once."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tests import make
from tests.callers import browser
from webhooks.ids import public_id
from webhooks.models import AuditEntry, Event, Refusal, Source
from webhooks.services.sources import add_secret, create_source

pytestmark = pytest.mark.django_db

LIST = "/admin/webhooks/refusal/"
MAY = ("webhooks.view_refusal", "webhooks.accept_refusal")


@pytest.fixture
def shop() -> Source:
    return create_source(name="Shop", slug="shop", scheme="api-key", secret="old-key", actor="test")


@pytest.fixture
def chief() -> Client:
    return browser(is_superuser=True)


def refuse(number: int = 1, key: str = "new-key") -> list[Refusal]:
    for each in range(number):
        body = b'{"id":"%d","note":"<script>x</script>"}' % each
        Client().post(
            "/in/shop?access_token=s3cret", body, content_type="text/plain", headers={"x-api-key": key}
        )
    return list(Refusal.objects.order_by("pk"))


def page(refusal: Refusal, act: str = "change") -> str:
    return reverse(f"admin:webhooks_refusal_{act}", args=[refusal.pk])


def said(answer: Any) -> list[str]:
    return [str(message) for message in answer.context["messages"]]


class TestList:
    def test_what_waits_is_counted_by_source_and_reason(self, chief: Client, shop: Source) -> None:
        refuse(3)
        Client().post("/in/shop", b"{}", content_type="text/plain")
        groups = chief.get(LIST).context["groups"]
        assert [(each.source.slug, each.reason, each.count) for each in groups] == [
            ("shop", "token-mismatch", 3), ("shop", "token-missing", 1),
        ]  # fmt: skip
        found = chief.get(LIST + groups[1].address).context["rows"]
        assert [row.reason for row, _ in found] == ["token-missing"]

    def test_accepted_ones_have_a_tab_of_their_own(self, chief: Client, shop: Source) -> None:
        first, _ = refuse(2)
        Refusal.objects.filter(pk=first.pk).update(accepted_at=make.now())
        assert [len(chief.get(f"{LIST}?state={each}").context["rows"]) for each in ("waiting", "accepted", "all")] == [
            1, 1, 2,
        ]  # fmt: skip

    def test_pages_follow_each_other_both_ways(self, chief: Client, shop: Source) -> None:
        Refusal.objects.bulk_create(
            Refusal(source=shop, reason="x", headers=[], body=b"") for _ in range(120)
        )
        seen, address = [], LIST
        for _ in range(3):
            shown = chief.get(address).context
            seen += [row.pk for row, _ in shown["rows"]]
            address = LIST + shown["next"]
        assert (len(seen), sorted(seen, reverse=True), shown["next"]) == (120, seen, "")
        back = chief.get(LIST + shown["previous"]).context
        assert [row.pk for row, _ in back["rows"]] == seen[50:100]

    def test_what_an_address_says_and_nobody_understands_is_told(self, chief: Client) -> None:
        shown = chief.get(f"{LIST}?colour=red&state=gone&before=x&reason={'r' * 64}&source=%00")
        assert shown.status_code == 200
        assert len(shown.context["notices"]) == 5

    def test_neither_bodies_nor_credentials_are_read_for_it(self, chief: Client, shop: Source) -> None:
        refuse(2)
        with CaptureQueriesContext(connection) as captured:
            text = chief.get(LIST).content.decode()
        rows = [each["sql"] for each in captured if 'FROM "webhooks_refusal"' in each["sql"]]
        assert rows and not any('"credentials"' in sql for sql in rows)
        assert "s3cret" not in text and "new-key" not in text


class TestOne:
    def test_the_reason_is_in_words_with_what_mends_it(self, chief: Client, shop: Source) -> None:
        (refusal,) = refuse()
        text = chief.get(page(refusal)).content.decode()
        assert "Token does not fit" in text and "compare its last four characters" in text
        assert "…-key" in text and "tried then, and live now" in text
        assert "It would be refused again: The token is none of this source&#x27;s live secrets." in text
        assert "Accept after all" not in text

    def test_a_secret_that_was_added_since_is_told_apart(self, chief: Client, shop: Source) -> None:
        (refusal,) = refuse()
        add_secret(source_id=shop.pk, secret="new-key", actor="test")
        text = chief.get(page(refusal)).content.decode()
        assert "added since: not tried yet" in text
        assert "It would be taken now by api-key …-key: 1 event." in text
        assert "Accept after all" in text

    def test_credentials_are_masked_and_a_body_is_no_markup(self, chief: Client, shop: Source) -> None:
        (refusal,) = refuse()
        text = chief.get(page(refusal)).content.decode()
        assert "new-key" not in text and "s3cret" not in text and "••••••" in text
        assert "&lt;script&gt;x&lt;/script&gt;" in text and "<script>x" not in text

    def test_payloads_are_shown_to_whom_they_may_be_and_each_opening_is_recorded(self, shop: Source) -> None:
        (refusal,) = refuse()
        blind = browser("webhooks.view_refusal", name="bo")
        seeing = browser("webhooks.view_refusal", "webhooks.view_payload", name="cy")
        assert (
            "script"
            not in blind.get(page(refusal)).content.decode().partition("What the sender sent")[2][:200]
        )
        assert "x-api-key" in seeing.get(page(refusal)).content.decode()
        assert list(AuditEntry.objects.filter(verb="open_payload").values_list("actor", flat=True)) == ["cy"]

    @pytest.mark.parametrize("key", ["x", "00000000000000000000000000000000"])
    def test_what_is_not_there_is_404(self, chief: Client, key: str) -> None:
        assert chief.get(f"{LIST}{key}/change/").status_code == 404


class TestAccepted:
    def test_pressed_twice_it_makes_one_event_and_the_second_is_told(self, shop: Source) -> None:
        (refusal,) = refuse()
        add_secret(source_id=shop.pk, secret="new-key", actor="test")
        operator = browser(*MAY)
        first = operator.post(page(refusal, "accept"), {"reason": "mended"}, follow=True)
        second = operator.post(page(refusal, "accept"), {"reason": "mended"}, follow=True)
        event = Event.objects.get()
        assert said(first) == [f"It is event {public_id('event', event.pk)} now."]
        assert said(second) == ["It was accepted before."]
        assert public_id("event", event.pk) in first.content.decode()
        assert AuditEntry.objects.filter(verb="accept", actor="ada").count() == 1

    def test_who_may_not_sees_no_button_and_is_refused(self, shop: Source) -> None:
        (refusal,) = refuse()
        add_secret(source_id=shop.pk, secret="new-key", actor="test")
        viewer = browser("webhooks.view_refusal", "webhooks.view_source")
        assert "Accept after all" not in viewer.get(page(refusal)).content.decode().replace(
            "Accepted after all", ""
        )
        assert viewer.post(page(refusal, "accept")).status_code == 403
        assert viewer.post(f"{LIST}accept/", {"chosen": refusal.pk.hex, "post": "yes"}).status_code == 403
        assert not Event.objects.exists()
        assert Refusal.objects.get().accepted_at is None

    def test_a_look_changes_nothing(self, chief: Client, shop: Source) -> None:
        (refusal,) = refuse()
        add_secret(source_id=shop.pk, secret="new-key", actor="test")
        assert chief.get(page(refusal, "accept")).status_code == 405
        assert chief.get(f"{LIST}accept/").status_code == 405
        chief.get(page(refusal))
        assert not Event.objects.exists()

    def test_a_waiver_is_asked_for_with_a_reason(self, chief: Client) -> None:
        create_source(name="Shop", slug="shop", actor="test")
        for body in (b'{"id":"a","n":1}', b'{"id":"a","n":2}'):
            Client().post("/in/shop", body, content_type="text/plain")
        refusal = Refusal.objects.get()
        assert "Accept as an event of its own" in chief.get(page(refusal)).content.decode()
        bare = chief.post(page(refusal, "accept"), {"as_own": "1"}, follow=True)
        assert said(bare) == ["Say why: a waiver needs a reason."]
        chief.post(page(refusal, "accept"), {"as_own": "1", "reason": "two facts"})
        assert Event.objects.count() == 2


class TestMany:
    def ask(self, client: Client, **more: Any) -> Any:
        return client.post(f"{LIST}accept/", {"kept": "source=shop", **more}, follow=True)

    def test_all_that_waits_of_a_source_is_previewed_then_accepted_oldest_first(
        self, chief: Client, shop: Source
    ) -> None:
        refuse(3)
        refuse(1, key="forged")
        add_secret(source_id=shop.pk, secret="new-key", actor="test")
        asked = self.ask(chief, all="1")
        assert asked.context["counts"] == {"new": 3, "refused": 1}
        assert asked.context["title"] == "Accept 3 requests after all?"
        assert not Event.objects.exists()
        chosen = [row.pk.hex for row, _, trial in asked.context["rows"] if trial.may_be_accepted]
        done = self.ask(chief, chosen=chosen, post="yes", reason="the new key was missing")
        assert said(done) == ["Accepted 3."]
        assert list(Event.objects.order_by("pk").values_list("external_id", flat=True)) == ["0", "1", "2"]
        assert Refusal.objects.filter(accepted_at=None).count() == 1
        assert AuditEntry.objects.filter(verb="accept", reason="the new key was missing").count() == 3

    def test_without_a_reason_nothing_happens_and_it_asks_again(self, chief: Client, shop: Source) -> None:
        (refusal,) = refuse()
        add_secret(source_id=shop.pk, secret="new-key", actor="test")
        again = self.ask(chief, chosen=refusal.pk.hex, post="yes")
        assert said(again) == ["Say why: a reason is needed."]
        assert again.context["ready"] == 1 and not Event.objects.exists()

    def test_those_that_would_be_refused_are_left_out_and_told(self, chief: Client, shop: Source) -> None:
        (refusal,) = refuse()
        told = self.ask(chief, chosen=refusal.pk.hex, post="yes", reason="x")
        assert self.ask(chief, chosen=refusal.pk.hex).context["title"] == "None can be taken now"
        assert said(told) == [
            "Left out 1. It would be refused again: The token is none of this source's live secrets."
        ]

    def test_all_needs_one_source(self, chief: Client, shop: Source) -> None:
        refuse()
        told = chief.post(f"{LIST}accept/", {"kept": "", "all": "1"}, follow=True)
        assert said(told) == ["No request was chosen."]
