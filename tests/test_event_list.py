"""The events page: did it arrive at all? What it shows, what its one search box answers, how much it asks."""

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from deliveries.admin import event_list
from deliveries.selectors.patience import TooSlow
from tests import make
from tests.callers import browser
from webhooks.ids import public_id, uuid7
from webhooks.models import BusinessKey, Event, EventKey, KeyKind, Refusal
from webhooks.services import rollups
from webhooks.services.sources import create_source

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/admin/webhooks/event/"


@pytest.fixture(autouse=True)
def fresh() -> None:
    cache.clear()
    rollups.stop()


@pytest.fixture
def chief() -> Client:
    return browser(is_superuser=True)


def shown(client: Client, address: str = "") -> list[Event]:
    return [row.event for row in client.get(LIST + address).context["rows"]]


def text(answer: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


def send(name: str, slug: str = "shop", **more: Any) -> int:
    body = json.dumps({"event_id": name, "event_type": "order.paid", **more})
    return Client().post(f"/in/{slug}", body, content_type="application/json").status_code


def test_each_row_says_what_it_is_and_what_became_of_it(chief: Client) -> None:
    to, other = make.subscription(name="ERP core"), make.subscription(name="lake")
    lost = make.event(type="order.lost", state="routed", external_id="ord-1")
    make.delivery(to, lost, state="dead")
    make.delivery(other, lost, state="delivered")
    make.event(type="order.unwanted", state="unmatched")
    first, second = chief.get(LIST).context["rows"]
    assert (first.event.event_type, first.words, first.some) == ("order.unwanted", "Unmatched", [])
    assert (second.event, second.words) == (lost, "Routed")
    assert [(some.words, some.number) for some in second.some] == [("Dead letter", 1), ("Delivered", 1)]


def test_filters_add_up_and_are_taken_off_one_by_one(chief: Client) -> None:
    wanted = make.event(type="order.paid", state="unmatched")
    make.event(type="order.paid", state="routed")
    make.event(type="user.created", state="unmatched")
    make.event(type="order.paid", state="unmatched", source=make.source("other"))
    address = "?state=unmatched&source=shop&type=order.*&since=24h"
    assert shown(chief, address) == [wanted]
    chips = dict(chief.get(LIST + address).context["chips"])
    assert list(chips) == ["Last 24 hours", "Unmatched", "Source shop", "order.*"]
    assert chips["order.*"] == "?state=unmatched&source=shop&since=24h"
    waiting = make.event(type="order.paid")
    assert shown(chief, "?state=received") == [waiting]
    assert len(shown(chief, "?state=received,unmatched")) == 4


def test_what_is_not_understood_is_said_and_the_rest_holds(chief: Client) -> None:
    wanted = make.event(state="routed")
    make.event(state="unmatched")
    answer = chief.get(LIST + "?state=routed,lost&colour=red&before=x&tab=all")
    assert [row.event for row in answer.context["rows"]] == [wanted]
    words = text(answer)
    for said in (
        "state does not know “lost”",
        "no filter “colour”",
        "before does not know “x”",
        "tab does not know",
    ):
        assert said in words


@pytest.mark.parametrize(
    "address",
    ["?q=%00", "?type=%F0%9F%92%A9*", "?q=" + "x" * 3000, "?from=0001-01-01", "?tab=refusals&q=%27", "?%FF=%FE",
     "?tab=duplicates&before=evt_" + "0" * 32, "?tab=conflicts&order=oldest"],
)  # fmt: skip
def test_no_address_breaks_the_page_or_its_counts_or_its_tail(chief: Client, address: str) -> None:
    make.event()
    for page in ("", "counts/", "newer/"):
        assert chief.get(LIST + page + address).status_code == 200


def test_pages_follow_each_other_by_key_and_lead_back(chief: Client) -> None:
    made = [make.event(state="routed") for _ in range(60)]
    first = chief.get(LIST)
    assert [row.event for row in first.context["rows"]] == made[:9:-1]
    second = chief.get(LIST + first.context["next"])
    assert [row.event for row in second.context["rows"]] == made[9::-1]
    assert [row.event for row in chief.get(LIST + second.context["previous"]).context["rows"]] == made[:9:-1]
    assert shown(chief, "?order=oldest") == made[:50]
    newer = chief.get(f"{LIST}newer/?after={public_id('event', made[-3].pk)}").json()
    assert (newer["count"], newer["after"]) == (2, public_id("event", made[-1].pk))


def test_duplicates_and_conflicts_have_their_tabs_and_all_tabs_their_counts(chief: Client) -> None:
    create_source(name="Shop", slug="shop", actor="ada")
    assert [send("a"), send("a"), send("a"), send("b"), send("b", other=1), send("c")] == [
        202,
        200,
        200,
        202,
        200,
        202,
    ]
    send("x", slug="shoop")
    rollups.flush()
    assert [each.external_id for each in shown(chief, "?tab=duplicates")] == ["a"]
    assert [each.external_id for each in shown(chief, "?tab=conflicts")] == ["b"]
    told = {
        row.event.external_id: (row.told.duplicates, row.told.conflicts)
        for row in chief.get(LIST).context["rows"]
    }
    assert told == {"a": (2, 0), "b": (0, 1), "c": (0, 0)}
    assert chief.get(f"{LIST}counts/").json()["counts"] == {
        "events": "3", "duplicates": "1", "conflicts": "1", "refusals": "2",
    }  # fmt: skip


def test_refusals_are_told_by_reason_those_that_are_only_counted_too(chief: Client, settings: Any) -> None:
    settings.HUB_MAX_BODY = 2_000
    create_source(
        name="Shop", slug="shop", scheme="standard-webhooks", secret="whsec_" + "A" * 32, actor="ada"
    )
    assert [send("a"), send("b", note="x" * 3_000), send("c", slug="nobody")] == [401, 413, 404]
    rollups.flush()
    answer = chief.get(LIST + "?tab=refusals")
    reasons = [(each.words, each.count, each.is_kept) for each in answer.context["reasons"]]
    assert reasons == [
        ("Signature missing", 1, True), ("Too large", 1, False), ("Unknown source", 1, False),
    ]  # fmt: skip
    page = answer.content.decode()
    assert "/admin/webhooks/refusal/?reason=signature-missing" in page and "?reason=too-large" not in page


def test_the_search_box_says_that_it_arrived_and_how_often(chief: Client) -> None:
    create_source(name="Shop", slug="shop", business_keys={"order": "order"}, actor="ada")
    send("a", order="ORD-0091734")
    send("a", order="ORD-0091734")
    event = Event.objects.get()
    for search in ("a", public_id("event", event.pk), str(event.pk), "ORD-0091734", "order ORD-0091734"):
        answer = chief.get(LIST, {"q": search})
        assert [row.event for row in answer.context["rows"]] == [event], search
        assert "It arrived" in text(answer) and "It came 1 time more" in text(answer)
    delivery = make.delivery(make.subscription(), event)
    assert shown(chief, f"?q={public_id('delivery', delivery.pk)}") == [event]
    assert shown(chief, "?q=ORD-009") == []


def test_the_search_box_says_that_it_was_refused_and_why(chief: Client) -> None:
    create_source(
        name="Shop", slug="shop", scheme="standard-webhooks", secret="whsec_" + "A" * 32, actor="ada"
    )
    body = json.dumps({"event_id": "in-the-body"})
    headers = {"webhook-id": "msg-7", "webhook-timestamp": "1", "webhook-signature": "v1,AAAA"}
    Client().post("/in/shop", body, content_type="application/json", headers=headers)
    assert Refusal.objects.get().claimed_id == "msg-7"
    answer = text(chief.get(LIST, {"q": "msg-7"}))
    assert (
        "It was refused" in answer
        and "1 request that claims this id" in answer
        and "signature mismatch" in answer
    )


def test_the_search_box_says_that_a_conflict_came(chief: Client) -> None:
    create_source(name="Shop", slug="shop", actor="ada")
    send("a")
    send("a", more=1)
    assert "1 request came with this id and another body" in text(chief.get(LIST, {"q": "a"}))


def test_an_id_outlives_its_event(chief: Client) -> None:
    create_source(name="Shop", slug="shop", actor="ada")
    send("a")
    Event.objects.all().delete()
    assert EventKey.objects.get().kind == KeyKind.ID
    answer = text(chief.get(LIST, {"q": "a"}))
    assert "It arrived, and is past its retention." in answer and "Shop sent it first" in answer


def test_what_was_never_seen_is_said_with_what_to_check(chief: Client) -> None:
    create_source(name="Shop", slug="shop", actor="ada")
    send("here")
    send("gone-astray", slug="shpo")
    rollups.flush()
    answer = chief.get(LIST, {"q": "gone-astray"})
    since = (make.now() - timedelta(days=90)).strftime("%Y-%m-%d")
    words = text(answer)
    assert f"Not seen since {since}" in words
    assert "1 request in the last 24 hours went to sources that do not exist" in words
    assert "No source names any yet" in words
    assert [(each.slug, each.last_event is not None) for each in answer.context["answer"]["sources"]] == [
        ("shop", True)
    ]


def test_the_page_asks_as_much_for_10_rows_as_for_50(chief: Client) -> None:
    to = make.subscription()

    def asked(address: str) -> int:
        cache.clear()
        chief.get(LIST + address)
        with CaptureQueriesContext(connection) as queries:
            cache.clear()
            chief.get(LIST + address)
        return len(queries)

    def fill(number: int) -> None:
        for _ in range(number):
            event = make.event(state="routed", external_id=uuid7().hex)
            make.delivery(to, event, state="delivered")
            BusinessKey.objects.create(event=event, name="order", value="same")

    fill(10)
    few = [asked(address) for address in ("", "?q=same", "?tab=duplicates", "?type=user.*&state=routed")]
    fill(40)
    assert [asked(each) for each in ("", "?q=same", "?tab=duplicates", "?type=user.*&state=routed")] == few


def test_a_database_that_is_too_slow_is_said_and_filters_are_kept(chief: Client, monkeypatch: Any) -> None:
    make.event()

    def fail(*args: Any) -> None:
        raise TooSlow

    monkeypatch.setattr(event_list, "events_page", fail)
    answer = chief.get(LIST + "?state=received")
    assert answer.status_code == 200 and "took too long" in text(answer)
    assert dict(answer.context["chips"]) == {"Waiting": "?"}


def test_who_may_not_see_events_sees_none_and_a_post_changes_nothing(chief: Client) -> None:
    event = make.event()
    stranger = browser("deliveries.view_delivery", name="bob")
    for page in ("", "counts/", "newer/", f"{event.pk}/change/", f"{event.pk}/route/"):
        assert stranger.get(LIST + page).status_code == 403
    assert (
        chief.post(LIST, {"action": "delete_selected", "_selected_action": str(event.pk)}).status_code == 403
    )
    assert Event.objects.count() == 1
