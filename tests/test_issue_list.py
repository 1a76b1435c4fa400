"""The issues page: what each row says, which questions it asks, what its buttons lead to, and who gets them."""

import re
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from deliveries.deciders.delivery_address import parse
from deliveries.models import Delivery, Issue, Lane, Rollup
from deliveries.selectors.delivery_pages import count
from tests import make
from tests.callers import browser
from tests.test_issues import again, dead
from webhooks.ids import public_id, uuid7
from webhooks.models import AuditEntry

pytestmark = pytest.mark.django_db

LIST = "/admin/deliveries/issue/"
VIEW = "deliveries.view_issue"


@pytest.fixture
def chief() -> Client:
    return browser(is_superuser=True)


def rows(client: Client, address: str = "") -> list[Any]:
    return list(client.get(LIST + address).context["rows"])


def text(answer: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


def busy(to: Any, succeeded: int, tried: int) -> None:
    Rollup.objects.create(
        starts_at=make.now().replace(second=0, microsecond=0), width_s=60, subscription=to, attempts=tried,
        delivered_first=succeeded, retried=tried - succeeded,
    )  # fmt: skip


def test_a_row_says_what_failed_where_how_often_and_whether_it_answers_now(chief: Client) -> None:
    to = make.subscription(name="ERP core", url="https://user:pw@erp.example:8443/hooks")
    dead(to)
    other = dead(to)
    Delivery.objects.filter(pk=other.pk).update(event_type="order.lost")
    again(dead(to), make.now() - timedelta(hours=3))
    busy(to, 62, 63)
    words = text(chief.get(LIST))
    assert "503 503 Service Unavailable ERP core erp.example:8443, 2 event types 3" in words
    assert "Answering 62 of 63 in 30 min Replay 3" in words
    row = rows(chief)[0]
    assert (sum(row.last_day), row.last_day[-1] >= 1, len(row.last_day)) == (3, True, 24)
    assert row.is_worth_replaying


@pytest.mark.parametrize(
    ("lane", "succeeded", "tried", "is_worth"),
    [
        ({}, 10, 10, True),
        ({}, 5, 10, False),
        ({}, 0, 10, False),
        ({}, 0, 0, False),
        ({"circuit": "open"}, 10, 10, False),
        ({"hold": "paused"}, 10, 10, False),
    ],
)
def test_the_button_is_filled_only_when_the_endpoint_answers_again(
    chief: Client, lane: dict[str, str], succeeded: int, tried: int, is_worth: bool
) -> None:
    to = make.subscription()
    dead(to)
    Lane.objects.update(**lane)
    if tried:
        busy(to, succeeded, tried)
    assert rows(chief)[0].is_worth_replaying is is_worth
    assert ('button primary" href' in chief.get(LIST).content.decode()) is is_worth


def test_the_count_the_list_and_the_replay_have_one_set_of_criteria(chief: Client) -> None:
    to, other = make.subscription(name="a"), make.subscription(name="b")
    for _ in range(3):
        dead(to)
    dead(other, "v1:b")
    make.delivery(to, state="pending", fingerprint="v1:a")
    make.delivery(to, state="discarded", fingerprint="v1:a")
    row = next(row for row in rows(chief) if row.issue.subscription == to)
    assert row.letters.dead == 3
    assert len(chief.get("/admin/deliveries/delivery/" + row.dead_address).context["rows"]) == 3
    asked = parse_qs(urlsplit(row.replay_address).query)
    assert asked == {"status": ["dead"], "fp": ["v1:a"]}
    assert count(parse(asked).query, make.now()) == 3
    assert parse_qs(urlsplit(row.discard_address).query) == asked | {"act": ["discard"]}


def test_tabs_hold_each_state_and_are_counted(chief: Client) -> None:
    now = make.now()
    states = ("open", "acknowledged", "ignored", "resolved", "regressed", "ignored")
    for number, state in enumerate(states):
        dead(make.subscription(name=f"{number} {state}"), f"v1:{number}")
        until = now + timedelta(hours=1) if state == "ignored" else None
        Issue.objects.filter(fingerprint=f"v1:{number}").update(
            state=state, ignored_until=until, state_by="ada"
        )
    Issue.objects.filter(fingerprint="v1:5").update(ignored_until=now - timedelta(seconds=1))
    names = {tab: {row.issue.subscription.name for row in rows(chief, f"?state={tab}")}
             for tab in ("open", "acknowledged", "ignored", "resolved")}  # fmt: skip
    assert names == {
        "open": {"0 open", "4 regressed", "5 ignored"},
        "acknowledged": {"1 acknowledged"},
        "ignored": {"2 ignored"},
        "resolved": {"3 resolved"},
    }
    assert chief.get(f"{LIST}counts/").json()["counts"] == {
        "open": "3", "acknowledged": "1", "ignored": "1", "resolved": "1", "letters": "6"
    }  # fmt: skip
    assert "Acknowledged by ada" in text(chief.get(f"{LIST}?state=acknowledged"))
    assert "Ignored by ada until" in text(chief.get(f"{LIST}?state=ignored"))
    assert "Regressed" in text(chief.get(LIST))


def test_pages_follow_each_other_by_key_and_lead_back(chief: Client) -> None:
    to = make.subscription()
    at = make.now()
    Issue.objects.bulk_create(
        Issue(
            subscription=to,
            fingerprint=f"v1:{number:x}",
            reason="exhausted",
            last_seen_at=at - timedelta(hours=number // 2),
        )
        for number in range(120)
    )
    newest = list(Issue.objects.order_by("-last_seen_at", "-pk"))
    first = chief.get(LIST).context
    assert [row.issue for row in first["rows"]] == newest[:40]
    second = chief.get(LIST + first["older"]).context
    assert [row.issue for row in second["rows"]] == newest[40:80]
    third = chief.get(LIST + second["older"]).context
    assert [row.issue for row in third["rows"]] == newest[80:]
    assert (first["newer"], third["older"]) == ("", "")
    back = chief.get(LIST + third["newer"]).context
    assert [row.issue for row in back["rows"]] == newest[40:80]


def test_the_page_asks_the_same_questions_of_3_rows_and_of_40(chief: Client) -> None:
    dead(make.subscription(), "v1:0")
    chief.get(LIST)
    asked = []
    for number in (1, 40):
        for each in range(number):
            to = make.subscription(name=f"{number} {each}")
            dead(to, f"v1:{number:x}{each:x}")
        with CaptureQueriesContext(connection) as captured:
            chief.get(LIST)
        asked.append([query["sql"] for query in captured])
    assert len(asked[0]) == len(asked[1]) <= 13
    assert not [sql for sql in asked[1] if " OFFSET " in sql.upper()]


def test_what_is_not_understood_is_said_and_the_rest_holds(chief: Client) -> None:
    dead(make.subscription(name="wanted"))
    dead(make.subscription(name="other"), "v1:b")
    wanted = Issue.objects.get(subscription__name="wanted").subscription_id
    answer = chief.get(
        LIST + f"?sub={public_id('subscription', wanted)}&state=lost&colour=red&before=x&after=%00"
    )
    assert [row.issue.subscription.name for row in answer.context["rows"]] == ["wanted"]
    words = text(answer)
    for said in ("state does not know “lost”", "no filter “colour”", "before does not know “x”"):
        assert said in words
    assert chief.get(LIST + "?before=9999-99-99_iss_1&sub=%F0").status_code == 200


def test_an_empty_page_says_when_a_delivery_last_died(chief: Client) -> None:
    assert "No open issue." in text(chief.get(LIST))
    dead(make.subscription())
    ago = make.now() - timedelta(days=3)
    Issue.objects.update(state="resolved", last_seen_at=ago)
    assert "A delivery last died 3 d ago" in text(chief.get(LIST))


def test_one_issue_has_a_page_with_what_people_did(chief: Client) -> None:
    dead(make.subscription(name="ERP core"))
    issue = Issue.objects.get()
    chief.post(f"{LIST}act/acknowledge/", {"one": f"{issue.pk.hex}:open", "of": issue.pk.hex}, follow=True)
    words = text(chief.get(f"{LIST}{issue.pk}/change/"))
    assert "503 Service Unavailable at ERP core" in words
    assert "The receiver answered that it is unavailable." in words
    assert re.search(r"What people did .* ada acknowledge", words)
    assert chief.get(f"{LIST}{uuid7()}/change/").status_code == 404
    assert chief.get(f"{LIST}x/change/").status_code == 404


def test_several_are_acknowledged_at_once_and_who_comes_late_is_told(chief: Client) -> None:
    for number in range(3):
        dead(make.subscription(name=str(number)), f"v1:{number}")
    chosen = [f"{key.hex}:open" for key in Issue.objects.order_by("pk").values_list("pk", flat=True)]
    Issue.objects.filter(fingerprint="v1:0").update(state="acknowledged", state_by="bob")
    answer = chief.post(f"{LIST}act/acknowledge/", {"chosen": chosen, "kept": "?state=open"}, follow=True)
    assert answer.redirect_chain == [(f"{LIST}?", 302)]
    words = text(answer)
    assert "Acknowledged: 2 issues." in words
    assert "Left out 1. It is acknowledged already, by bob." in words
    assert set(Issue.objects.values_list("state_by", flat=True)) == {"ada", "bob"}
    assert AuditEntry.objects.filter(verb="acknowledge", actor="ada").count() == 2


def test_a_row_s_own_button_acts_on_that_row_whatever_is_ticked(chief: Client) -> None:
    for number in range(2):
        dead(make.subscription(name=str(number)), f"v1:{number}")
    first, second = Issue.objects.order_by("pk")
    chief.post(f"{LIST}act/ignore/", {"one": f"{first.pk.hex}:open", "chosen": [f"{second.pk.hex}:open"]})
    assert list(Issue.objects.order_by("pk").values_list("state", flat=True)) == ["ignored", "open"]


def test_several_are_replayed_as_one_job(chief: Client) -> None:
    for number in range(3):
        dead(make.subscription(name=str(number)), f"v1:{number}")
    chosen = [
        f"{key.hex}:open" for key in Issue.objects.exclude(fingerprint="v1:1").values_list("pk", flat=True)
    ]
    answer = chief.post(f"{LIST}act/replay/", {"chosen": chosen})
    assert parse_qs(urlsplit(answer["Location"]).query) == {"status": ["dead"], "fp": ["v1:0,v1:2"]}
    assert not Delivery.objects.exclude(state="dead").exists()


def test_one_is_sent_as_a_test_and_the_others_wait(chief: Client) -> None:
    to = make.subscription()
    dead(to)
    newest = dead(to)
    issue = Issue.objects.get()
    answer = chief.post(f"{LIST}act/try/", {"one": f"{issue.pk.hex}:open"})
    assert answer["Location"] == f"/admin/deliveries/delivery/{newest.pk}/change/"
    assert list(Delivery.objects.order_by("pk").values_list("state", flat=True)) == ["dead", "pending"]
    entry = AuditEntry.objects.get()
    assert (entry.verb, entry.object_id) == ("replay", public_id("delivery", newest.pk))
    Delivery.objects.update(state="discarded", due_at=None)
    words = text(chief.post(f"{LIST}act/try/", {"one": f"{issue.pk.hex}:open"}, follow=True))
    assert "No dead letter of it waits any more." in words


OPERATOR = (
    "deliveries.triage_issue",
    "deliveries.replay_delivery",
    "deliveries.bulk_replay",
    "deliveries.discard_delivery",
)
SUPPORT = ("deliveries.replay_delivery",)


@pytest.mark.parametrize(
    ("more", "seen", "refused"),
    [
        ((), (), ("acknowledge", "ignore", "reopen", "replay", "try")),
        (SUPPORT, ("Send one as a test",), ("acknowledge", "ignore", "reopen", "replay")),
        (OPERATOR, ("Acknowledge", "Ignore for 24 h", "Send one as a test", "Discard 1…", "Replay 1"), ()),
    ],
)
def test_each_role_gets_its_buttons_and_is_refused_the_rest(
    more: tuple[str, ...], seen: tuple[str, ...], refused: tuple[str, ...]
) -> None:
    dead(make.subscription())
    client, issue = browser(VIEW, *more), Issue.objects.get()
    words = text(client.get(LIST))
    words = words[words.index("Endpoint now") :]
    for button in ("Acknowledge", "Ignore for 24 h", "Send one as a test", "Discard 1…", "Replay 1"):
        assert (button in words) is (button in seen)
    for verb in refused:
        assert client.post(f"{LIST}act/{verb}/", {"one": f"{issue.pk.hex}:open"}).status_code == 403
    assert list(Issue.objects.values_list("state", "state_by")) == [("open", "")]
    assert Delivery.objects.get().state == "dead"
    assert not AuditEntry.objects.exists()


def test_nothing_is_done_by_a_get_or_by_an_unknown_word_or_to_nothing(chief: Client) -> None:
    dead(make.subscription())
    assert chief.get(f"{LIST}act/acknowledge/").status_code == 405
    assert chief.post(f"{LIST}act/delete/", {}).status_code == 404
    assert chief.post(LIST, {}).status_code == 403
    for wrong in ({}, {"one": "x"}, {"chosen": ["", ":open", "zz:open"]}):
        answer = chief.post(f"{LIST}act/acknowledge/", wrong, follow=True)
        assert "No issue was chosen." in text(answer)
    assert Issue.objects.get().state == "open"


def test_who_may_not_see_issues_sees_none() -> None:
    user = User.objects.create_user("eve", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="triage_issue"))
    client = Client()
    client.force_login(user)
    for part in ("", "counts/"):
        assert client.get(LIST + part).status_code == 403
