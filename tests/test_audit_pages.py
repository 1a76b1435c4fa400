"""The audit's pages: what people did, found by who, verb, object and time; what leaves it as CSV; and that it stays."""

import csv
import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from deliveries.deciders.delivery_address import parse, to_params
from tests import make
from tests.callers import browser
from webhooks import audit_admin
from webhooks.deciders.audit_query import AuditQuery, audit_url, parse_audit
from webhooks.ids import public_id, uuid7
from webhooks.models import AuditEntry
from webhooks.models.audit import Unchangeable
from webhooks.services import audit

pytestmark = pytest.mark.django_db

LIST = "/admin/webhooks/auditentry/"


@pytest.fixture
def chief() -> Client:
    return browser(is_superuser=True)


def done(actor: str = "ada", verb: str = "replay", kind: str = "delivery", **more: Any) -> AuditEntry:
    return audit.record(actor=actor, verb=verb, object_kind=kind, object_id=more.pop("of", ""), **more)


def shown(client: Client, address: str = "") -> list[AuditEntry]:
    return [row.entry for row in client.get(LIST + address).context["rows"]]


def text(answer: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


def test_the_newest_come_first_with_who_what_on_what_how_many_and_why(chief: Client) -> None:
    delivery = make.delivery(make.subscription())
    first = done(verb="open_payload", of=delivery.pk)
    second = done("bob", "discard", "delivery", count=1200, reason="They asked for it.")
    answer = chief.get(LIST)
    assert [row.entry for row in answer.context["rows"]] == [second, first]
    assert re.search(
        r"bob Discard delivery 1.200 They asked for it\. .* ada Open payload delivery dlv_", text(answer)
    )
    assert f"/admin/deliveries/delivery/{delivery.pk}/change/" in answer.content.decode()


def test_each_filter_finds_exactly(chief: Client) -> None:
    key, other = uuid7(), uuid7()
    one = done("ada", "replay", "delivery", of=key)
    two = done("bob", "replay", "delivery", of=other)
    three = done("ada", "acknowledge", "issue", of=key)
    assert shown(chief, "?who=ada") == [three, one]
    assert shown(chief, "?verb=replay") == [two, one]
    assert shown(chief, "?kind=issue") == [three]
    assert shown(chief, f"?object={public_id('delivery', key)}") == [one]
    assert shown(chief, f"?object={public_id('issue', key)}&kind=delivery") == [three]
    assert shown(chief, "?who=ada&verb=replay") == [one]
    assert shown(chief, "?who=ad") == []
    now = make.now()
    hour = timedelta(hours=1)
    assert shown(chief, f"?from={(now - hour):%Y-%m-%dT%H:%M}&to={(now + hour):%Y-%m-%dT%H:%M}") == [
        three,
        two,
        one,
    ]
    assert shown(chief, f"?to={(now - hour):%Y-%m-%dT%H:%M}") == []
    assert shown(chief, "?since=1h") == [three, two, one]


def test_what_is_not_understood_is_said_and_the_rest_holds(chief: Client) -> None:
    entry, _ = done("ada"), done("bob")
    answer = chief.get(LIST + "?who=ada&since=2d&colour=red&before=x&from=yesterday")
    assert [row.entry for row in answer.context["rows"]] == [entry]
    words = text(answer)
    for said in (
        "since does not know “2d”",
        "no filter “colour”",
        "before does not know “x”",
        "from does not know",
    ):
        assert said in words


@pytest.mark.parametrize(
    "address", ["?who=%00", "?object=" + "x" * 3000, "?%FF=%FE", "?from=0001-01-01", "?verb=a&verb=b"]
)
def test_no_address_breaks_it(chief: Client, address: str) -> None:
    assert chief.get(LIST + address).status_code == 200


@pytest.mark.parametrize(
    "query",
    [AuditQuery(), AuditQuery(who="ada", verb="x", kind="issue"), AuditQuery(object_id="dlv_1", kind="delivery"),
     AuditQuery(start=make.now(), end=make.now()), AuditQuery(since="7d", after=uuid7())],
)  # fmt: skip
def test_an_address_is_read_back_as_what_it_was_written_from(query: AuditQuery) -> None:
    from_address = dict(each.split("=", 1) for each in audit_url(query)[1:].split("&") if each)
    assert parse_audit({name: [value] for name, value in from_address.items()}).query == query


def test_pages_follow_each_other_by_key_and_lead_back(chief: Client) -> None:
    newest = [done() for _ in range(120)][::-1]
    first = chief.get(LIST + "?who=ada").context
    assert [row.entry for row in first["rows"]] == newest[:50]
    second = chief.get(LIST + first["older"]).context
    assert [row.entry for row in second["rows"]] == newest[50:100]
    third = chief.get(LIST + second["older"]).context
    assert [row.entry for row in third["rows"]] == newest[100:]
    assert [row.entry for row in chief.get(LIST + third["newer"]).context["rows"]] == newest[50:100]


def test_it_asks_the_same_questions_of_3_rows_and_of_50(chief: Client) -> None:
    chief.get(LIST)
    asked = []
    for number in (3, 47):
        for _ in range(number):
            done(criteria={"status": ["dead"], "sub": [public_id("subscription", uuid7())]}, of=uuid7())
        with CaptureQueriesContext(connection) as captured:
            chief.get(LIST)
        asked.append(len(captured))
    assert asked[0] == asked[1] <= 11, asked


def test_an_entry_s_page_says_criteria_in_words_and_what_changed(chief: Client) -> None:
    to = make.subscription(name="ERP core")
    query = parse({"status": ["dead"], "sub": [public_id("subscription", to.pk)], "since": ["24h"]}).query
    entry = done(
        "bob", "replay", "replay", criteria=to_params(query), count=12, reason="mended",
        before={"state": "open", "rate": 5}, after={"state": "closed"},
    )  # fmt: skip
    answer = chief.get(f"{LIST}{entry.pk}/change/")
    words = text(answer)
    assert "Replay by bob" in words and "mended" in words
    assert "Dead letter, Last 24 hours, ERP core" in words
    assert "state open closed" in words and "rate 5 –" in words
    assert f"?status=dead&amp;sub={public_id('subscription', to.pk)}&amp;since=24h" in answer.content.decode()
    assert chief.get(f"{LIST}{uuid7()}/change/").status_code == 404


def exported(client: Client, address: str = "") -> list[dict[str, str]]:
    answer = client.get(f"{LIST}export/{address}")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(b"".join(answer).decode().splitlines()))


def test_an_export_holds_what_matches_and_is_recorded(chief: Client) -> None:
    wanted = done("=bob", "replay", of=uuid7(), reason="-1", criteria={"status": ["dead"]}, count=3)
    done("ada")
    rows = exported(chief, "?who=%3Dbob")
    (row,) = rows
    assert [row[name] for name in ("who", "verb", "object", "count", "reason")] == [
        "'=bob", "replay", wanted.object_id, "3", "'-1",
    ]  # fmt: skip
    assert json.loads(row["criteria"]) == {"status": ["dead"]}
    entry = AuditEntry.objects.order_by("-pk")[0]
    assert (entry.actor, entry.verb, entry.object_kind) == ("ada", "export", "auditentry")
    assert entry.criteria["who"] == "=bob" and set(entry.criteria) == {"who", "to"}


def test_an_export_goes_on_past_its_pages_and_ends_at_its_limit(
    chief: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [done(of=uuid7()) for _ in range(25)]
    monkeypatch.setattr(audit_admin, "CSV_PAGE", 10)
    assert [row["object"] for row in exported(chief, "?kind=delivery")] == [
        each.object_id for each in made[::-1]
    ]
    monkeypatch.setattr(audit_admin, "MOST_ROWS", 15)
    assert len(exported(chief)) == 15


def test_without_permission_nothing_is_shown_and_nothing_is_posted(chief: Client) -> None:
    entry = done()
    stranger = browser("deliveries.view_delivery", name="eve")
    for address in (LIST, f"{LIST}export/", f"{LIST}{entry.pk}/change/"):
        assert stranger.get(address).status_code == 403
        assert chief.post(address, {}).status_code == 403
    assert AuditEntry.objects.count() == 1


def test_an_entry_is_appended_and_that_is_all() -> None:
    user = User.objects.create_user("bob")
    entry = done("bob", user=user)
    entry.reason = "another"
    for attempt in (
        entry.save,
        entry.delete,
        AuditEntry.objects.all().delete,
        lambda: AuditEntry.objects.update(reason="another"),
    ):
        with pytest.raises(Unchangeable):
            attempt()
    user.delete()
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.user, entry.reason) == ("bob", None, "")


def test_what_strangers_wrote_is_text(chief: Client) -> None:
    entry = done("<script>alert(1)</script>", reason="<img src=x>", before={"<b>": "<i>"})
    for address in (LIST, f"{LIST}{entry.pk}/change/"):
        content = chief.get(address).content.decode()
        assert "<script>alert(1)" not in content and "<img src=x" not in content and "<b>" not in content
