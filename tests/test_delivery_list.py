"""The deliveries page: what it shows and says, how many questions it asks, and what leaves it as CSV."""

import csv
import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from deliveries.admin import delivery_list
from deliveries.models import Delivery, Lane
from deliveries.selectors.patience import TooSlow
from tests import make
from tests.callers import browser
from webhooks.ids import public_id, uuid7
from webhooks.models import AuditEntry

pytestmark = pytest.mark.django_db

LIST = "/admin/deliveries/delivery/"


@pytest.fixture
def chief() -> Client:
    return browser(is_superuser=True)


@pytest.fixture
def viewer() -> Client:
    return browser("deliveries.view_delivery", name="bob")


def shown(client: Client, address: str = "") -> list[Delivery]:
    return [row.delivery for row in client.get(LIST + address).context["rows"]]


def text(answer: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


def test_the_newest_come_first_and_each_says_what_it_is(chief: Client) -> None:
    to = make.subscription(name="ERP core")
    make.delivery(
        to, make.event(type="order.paid"), state="delivered", attempts=1, last_outcome="ok", last_status=200
    )
    make.delivery(
        to, make.event(type="order.lost"), state="dead", attempts=3, last_outcome="server_error", last_status=503,
        last_latency_ms=1100,
    )  # fmt: skip
    make.delivery(to, make.event(type="order.slow"), attempts=2, phase=1, last_outcome="tls")
    words = text(chief.get(LIST))
    rows = words[words.index("Created") :]
    assert rows.index("order.slow") < rows.index("order.lost") < rows.index("order.paid")
    assert "Retrying order.slow" in rows and "TLS" in rows
    assert "Dead letter order.lost" in rows and "503 1.1 s" in rows
    assert "Delivered order.paid" in rows


def test_what_waits_in_a_lane_that_does_not_move_is_held(chief: Client) -> None:
    held, moving = make.subscription(name="held"), make.subscription(name="moving")
    Lane.objects.filter(pk=held.pk).update(hold="paused")
    first, second = make.delivery(held), make.delivery(moving)
    assert shown(chief, "?status=held") == [first]
    assert shown(chief, "?status=pending") == [second]
    assert "Held" in text(chief.get(f"{LIST}?status=held"))


def test_filters_add_up_and_are_shown_as_chips_that_can_be_taken_off(chief: Client) -> None:
    to = make.subscription(name="ERP core")
    wanted = make.delivery(to, make.event(type="order.paid"), state="dead")
    make.delivery(to, make.event(type="order.paid"))
    make.delivery(to, make.event(type="user.created"), state="dead")
    address = f"?status=dead&type=order.*&sub={public_id('subscription', to.pk)}&since=24h"
    assert shown(chief, address) == [wanted]
    chips = dict(chief.get(LIST + address).context["chips"])
    assert list(chips) == ["Last 24 hours", "ERP core", "order.*"]
    assert chips["order.*"] == f"?status=dead&sub={public_id('subscription', to.pk)}&since=24h"


def test_what_is_not_understood_is_said_and_the_rest_holds(chief: Client) -> None:
    wanted = make.delivery(make.subscription(), state="dead")
    make.delivery(make.subscription(name="other"))
    answer = chief.get(LIST + "?status=dead,lost&colour=red&before=x&since=2d&e=1")
    words = text(answer)
    assert [row.delivery for row in answer.context["rows"]] == [wanted]
    for said in (
        "status does not know “lost”",
        "no filter “colour”",
        "before does not know “x”",
        "since does not know “2d”",
    ):
        assert said in words


@pytest.mark.parametrize(
    "address",
    ["?q=%00", "?type=%F0%9F%92%A9*", "?q=" + "x" * 3000, "?from=0001-01-01", "?to=9999-12-31", "?before=&after=&q=",
     "?sub=" + ",".join(["sub_" + "0" * 32] * 200), "?attempts=>=99999999999", "?%FF=%FE", "?type=a&type=b&type=c"],
)  # fmt: skip
def test_no_address_breaks_the_page_or_its_counts_or_its_tail(chief: Client, address: str) -> None:
    make.delivery(make.subscription())
    assert chief.get(LIST + address).status_code == 200
    assert chief.get(f"{LIST}counts/{address}").status_code == 200
    assert chief.get(f"{LIST}newer/{address}").status_code == 200


def test_pages_follow_each_other_by_key_and_lead_back(chief: Client) -> None:
    newest_first = make.deliveries(make.subscription(), 120)[::-1]
    first = chief.get(LIST).context
    assert [row.delivery.pk for row in first["rows"]] == newest_first[:50]
    second = chief.get(LIST + first["next"]).context
    assert [row.delivery.pk for row in second["rows"]] == newest_first[50:100]
    third = chief.get(LIST + second["next"]).context
    assert [row.delivery.pk for row in third["rows"]] == newest_first[100:]
    assert (first["previous"], third["next"]) == ("", "")
    back = chief.get(LIST + third["previous"]).context
    assert [row.delivery.pk for row in back["rows"]] == newest_first[50:100]


def test_the_oldest_can_come_first(chief: Client) -> None:
    oldest_first = make.deliveries(make.subscription(), 60)
    first = chief.get(LIST + "?order=oldest").context
    assert [row.delivery.pk for row in first["rows"]] == oldest_first[:50]
    assert [row.delivery.pk for row in chief.get(LIST + first["next"]).context["rows"]] == oldest_first[50:]


def test_the_page_asks_the_same_questions_of_10_rows_and_of_many_and_counts_none(chief: Client) -> None:
    make.deliveries(make.subscription(), 10)
    chief.get(LIST)
    asked = []
    for more in (0, 300):
        for each in range(more // 100):
            make.deliveries(make.subscription(name=f"more {each}"), 100)
        with CaptureQueriesContext(connection) as captured:
            chief.get(LIST + "?status=pending&attempts=>=1")
        asked.append([query["sql"] for query in captured])
    assert len(asked[0]) == len(asked[1]) <= 16
    assert not [sql for sql in asked[1] if "COUNT(" in sql.upper() or " OFFSET " in sql.upper()]


def test_fifty_rows_stay_under_120_kb_with_500_subscriptions(chief: Client) -> None:
    owner = make.subscriber("a team with a rather long name")
    for each in range(500):
        make.subscription(subscriber=owner, name=f"a subscription with a long name, number {each}")
    make.deliveries(make.subscription(subscriber=owner, name="a busy subscription with a long name"), 60)
    assert len(chief.get(LIST + "?since=24h&status=pending").content) < 120_000


def test_an_empty_list_says_why(chief: Client) -> None:
    assert "No delivery in the last 30 days." in text(chief.get(LIST))
    assert "No delivery matches these filters." in text(chief.get(LIST + "?status=dead"))


def test_a_slow_database_is_said_and_the_filters_stay(chief: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*_: object) -> None:
        raise TooSlow

    monkeypatch.setattr(delivery_list, "page", slow)
    answer = chief.get(LIST + "?status=dead&type=order.*")
    assert answer.status_code == 200
    assert "Narrow the time range" in text(answer)
    assert [words for words, _ in answer.context["chips"]] == ["order.*"]


def test_tabs_are_counted_by_another_question_up_to_a_limit(
    chief: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    to = make.subscription()
    make.deliveries(to, 3)
    make.delivery(to, make.event(type="order.paid"), state="dead")
    assert chief.get(LIST + "counts/").json() == {
        "counts": {"all": "4", "attention": "1", "dead": "1", "retrying": "0", "held": "0",
                   "pending": "3", "delivered": "0"}
    }  # fmt: skip
    assert chief.get(LIST + "counts/?type=order.*&status=pending").json()["counts"]["all"] == "1"


def test_counts_are_remembered_a_little_while(chief: Client, settings: Any) -> None:
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "counts"}
    }
    make.deliveries(make.subscription(), 1)
    chief.get(LIST + "counts/")
    make.deliveries(make.subscription(name="more"), 1)
    assert chief.get(LIST + "counts/").json()["counts"]["all"] == "1"


def test_the_tail_gives_what_came_since_as_rows(chief: Client) -> None:
    to = make.subscription()
    first = make.delivery(to)
    nothing = chief.get(f"{LIST}newer/", {"after": first.pk.hex}).json()
    assert (nothing["count"], nothing["rows"].strip()) == (0, "")
    second = make.delivery(to, make.event(type="order.<b>"))
    found = chief.get(f"{LIST}newer/", {"after": first.pk.hex}).json()
    assert (found["count"], found["after"]) == (1, public_id("delivery", second.pk))
    assert "order.&lt;b&gt;" in found["rows"] and "order.<b>" not in found["rows"]


def test_types_and_names_are_text(chief: Client) -> None:
    make.delivery(make.subscription(name="<script>alert(1)</script>"), make.event(type="<img src=x>"))
    content = chief.get(LIST).content.decode()
    assert "<script>alert(1)" not in content and "<img src=x" not in content


def exported(client: Client, address: str = "") -> list[dict[str, str]]:
    answer = client.get(f"{LIST}export/{address}")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(b"".join(answer).decode().splitlines()))


def test_an_export_holds_what_matches_and_is_recorded(viewer: Client) -> None:
    to = make.subscription(name="ERP core")
    wanted = make.delivery(
        to, make.event(type="order.paid"), state="dead", last_outcome="timeout", attempts=2
    )
    make.delivery(to, make.event(type="user.created"))
    rows = exported(viewer, "?type=order.*")
    assert [(row["delivery"], row["status"], row["subscription_name"], row["attempts"]) for row in rows] == [
        (public_id("delivery", wanted.pk), "Dead letter", "ERP core", "2")
    ]
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.verb, entry.count) == ("bob", "export", 1)
    assert entry.criteria["type"] == ["order.*"] and set(entry.criteria) == {"type", "from", "to"}


def test_an_export_goes_on_past_its_pages_and_ends_at_its_limit(
    viewer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make.deliveries(make.subscription(), 25)
    monkeypatch.setattr("deliveries.admin.delivery_csv.PAGE", 10)
    assert [row["delivery"] for row in exported(viewer)] == [public_id("delivery", key) for key in made[::-1]]
    monkeypatch.setattr("deliveries.admin.delivery_csv.MOST_ROWS", 15)
    assert len(exported(viewer)) == 15


def test_a_cell_that_looks_like_a_formula_is_made_harmless(viewer: Client) -> None:
    make.delivery(make.subscription(name="=1+1"), make.event(type="@cmd", external_id="-2"))
    row = exported(viewer)[0]
    assert (row["subscription_name"], row["event_type"], row["sender_id"]) == ("'=1+1", "'@cmd", "'-2")


@pytest.mark.parametrize("part", ["", "counts/", "newer/", "export/", "choices/"])
def test_without_permission_nothing_is_shown(part: str) -> None:
    make.delivery(make.subscription())
    assert browser(name="eve").get(LIST + part).status_code == 403
    assert Client().get(LIST + part).status_code == 302
    assert not AuditEntry.objects.exists()


def test_a_viewer_has_no_boxes_to_tick(viewer: Client, chief: Client) -> None:
    make.delivery(make.subscription())
    assert 'name="chosen"' not in viewer.get(LIST).content.decode()
    assert 'name="chosen"' in chief.get(LIST).content.decode()


def test_nothing_is_posted_to_the_list(chief: Client) -> None:
    assert chief.post(LIST, {"action": "delete_selected"}).status_code == 403


def test_the_events_list_leads_to_an_events_deliveries(chief: Client) -> None:
    wanted = make.delivery(make.subscription())
    make.delivery(make.subscription(name="other"))
    address = f"?q={public_id('event', wanted.event_id)}"
    assert address in chief.get(reverse("admin:webhooks_event_changelist")).content.decode()
    assert shown(chief, address) == [wanted]


def test_the_choice_of_subscriptions_is_loaded_when_there_are_many(chief: Client) -> None:
    made = make.subscription(name="ERP core")
    assert chief.get(LIST + "choices/").json() == {
        "choices": [["ERP core", public_id("subscription", made.pk)]]
    }


def test_a_search_finds_by_any_id_exactly(chief: Client) -> None:
    wanted, _ = make.delivery(make.subscription()), make.delivery(make.subscription(name="other"))
    for term in (
        public_id("delivery", wanted.pk),
        str(wanted.pk),
        wanted.external_id,
        public_id("event", wanted.event_id),
    ):
        assert shown(chief, f"?q={term}") == [wanted]
        assert shown(chief, f"?q={term[:-1]}") == []
    assert shown(chief, f"?q={uuid7()}") == []
