"""The API door of alerts: read by operators and viewers, acknowledged and muted by operators."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils.dateparse import parse_datetime

from deliveries.models import Alert, Mute
from tests import make
from tests.callers import with_key
from webhooks.ids import first_id_at, public_id
from webhooks.models import AuditEntry

pytestmark = pytest.mark.django_db

ALERTS = "/api/v1/alerts"


def opened(**options: Any) -> Alert:
    return Alert.objects.create(
        **{"rule": "success", "summary": "It fails.", "told_at": make.now()} | options
    )


def address(alert: Alert, verb: str = "") -> str:
    return f"{ALERTS}/{public_id('alert', alert.pk)}{verb}"


@pytest.mark.parametrize("role", ["operator", "viewer"])
def test_one_is_shown_whole(role: str) -> None:
    alert = opened(scope="sub_1", severity="critical")
    told = with_key(role).get(address(alert)).json()
    stamp = told.pop("opened_at"), told.pop("told_at")
    assert [parse_datetime(each) for each in stamp] == [alert.opened_at, alert.told_at]
    assert told == {
        "id": public_id("alert", alert.pk), "rule": "success", "scope": "sub_1", "severity": "critical",
        "state": "open", "summary": "It fails.", "acknowledged_at": None, "acknowledged_by": "",
        "muted_until": None, "closed_at": None, "ending": "",
    }  # fmt: skip


def test_a_list_is_narrowed_by_state_rule_severity_and_scope() -> None:
    first = opened(summary="1", closed_at=make.now(), ending="Over.")
    second = opened(summary="2", rule="dead", severity="critical", scope="sub_2")
    caller = with_key("viewer")

    def found(query: str) -> list[str]:
        return [each["summary"] for each in caller.get(f"{ALERTS}{query}").json()["results"]]

    assert found("") == ["2", "1"]
    assert (found("?state=open"), found("?state=closed")) == (["2"], ["1"])
    assert (found("?rule=dead"), found("?severity=critical"), found("?scope=sub_2")) == (["2"], ["2"], ["2"])
    assert caller.get(f"{ALERTS}?state=ajar").status_code == 400
    assert caller.get(f"{ALERTS}?colour=red").status_code == 400
    assert (first.pk, second.pk) == tuple(Alert.objects.order_by("pk").values_list("pk", flat=True))


def test_a_list_is_narrowed_by_when_they_opened_too() -> None:
    for days in (9, 3, 1):
        opened(id=first_id_at(make.now() - timedelta(days=days)), summary=str(days), rule=f"r{days}")
    Alert.objects.filter(summary="3").update(closed_at=make.now())
    caller = with_key("viewer")

    def found(query: str) -> list[str]:
        return [each["summary"] for each in caller.get(f"{ALERTS}?{query}").json()["results"]]

    assert (found("since=7d"), found("until=2d")) == (["1", "3"], ["3", "9"])
    assert found("since=7d&until=2d") == ["3"]
    assert (found("since=7d&state=open"), found("until=2d&rule=r9")) == (["1"], ["9"])


def test_an_operator_acknowledges_once() -> None:
    alert, caller = opened(), with_key("operator")
    answer = caller.post(address(alert, "/acknowledge"), {"reason": "I look."})
    assert (answer.status_code, answer.json()["acknowledged_by"]) == (200, caller_name())
    again = caller.post(address(alert, "/acknowledge"))
    assert (again.status_code, again.json()["detail"]) == (
        409,
        f"It was acknowledged already, by {caller_name()}.",
    )
    entry = AuditEntry.objects.get(object_kind="alert")
    assert (entry.verb, entry.reason, entry.object_id) == (
        "acknowledge",
        "I look.",
        public_id("alert", alert.pk),
    )


def caller_name() -> str:
    return str(AuditEntry.objects.filter(object_kind="alert").values_list("actor", flat=True).first())


def test_what_is_closed_is_a_conflict() -> None:
    alert = opened(closed_at=make.now())
    answer = with_key().post(address(alert, "/acknowledge"))
    assert (answer.status_code, answer.json()["detail"]) == (409, "It is closed already.")


def test_an_operator_mutes_for_a_while_with_a_reason() -> None:
    alert = opened(scope="sub_1")
    answer = with_key().post(address(alert, "/mute"), {"for_s": 3_600, "reason": "We move."})
    mute = Mute.objects.get()
    assert (mute.rule, mute.scope, mute.reason) == ("success", "sub_1", "We move.")
    assert parse_datetime(answer.json()["muted_until"]) == mute.until
    assert timedelta(minutes=59) < mute.until - make.now() <= timedelta(hours=1)


@pytest.mark.parametrize(
    "asked", [{}, {"for_s": 3_600}, {"for_s": 59, "reason": "x"}, {"for_s": 99_999_999, "reason": "x"},
              {"for_s": 3_600, "reason": " "}, {"for_s": 3_600, "reason": "x", "until": "tomorrow"}]
)  # fmt: skip
def test_a_mute_without_a_time_or_a_reason_is_refused(asked: dict[str, Any]) -> None:
    assert with_key().post(address(opened(), "/mute"), asked).status_code == 400
    assert not Mute.objects.exists()


@pytest.mark.parametrize("verb", ["/acknowledge", "/mute"])
def test_a_viewer_looks_and_a_publisher_does_not_even_that(verb: str) -> None:
    alert = opened()
    body = {"for_s": 3_600, "reason": "x"} if verb == "/mute" else {}
    assert with_key("viewer").post(address(alert, verb), body).status_code == 403
    assert with_key("publisher").get(ALERTS).status_code == 403
    alert.refresh_from_db()
    assert alert.acknowledged_at is None and not Mute.objects.exists()


def test_what_is_not_there_is_said() -> None:
    answer = with_key("viewer").get(f"{ALERTS}/alr_{'0' * 32}")
    assert (answer.status_code, answer.json()["detail"]) == (404, "There is no such alert.")
