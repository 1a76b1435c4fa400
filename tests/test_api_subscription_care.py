"""Looking after a subscription over the API: pauses for a time, reasons, how it does, the secrets that sign."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from deliveries.models import (
    Cascade,
    CircuitChange,
    DepthSample,
    Hold,
    Lane,
    Subscription,
    SubscriptionSecret,
)
from deliveries.services.subscriptions import rotate_secret
from tests import make
from tests.answers import fields, sentence
from tests.callers import Caller, with_key
from webhooks.ids import public_id
from webhooks.models import AuditEntry

pytestmark = pytest.mark.django_db

NEEDED = {"reason": ["Say why: a reason is needed."]}


@pytest.fixture
def caller() -> Caller:
    return with_key()


def home(subscription: Subscription, part: str = "") -> str:
    return f"/api/v1/subscriptions/{public_id('subscription', subscription.pk)}{part}"


# -- pauses ---------------------------------------------------------------------------------------------


def test_a_pause_lasts_until_a_moment(caller: Caller) -> None:
    to, until = make.subscription(), make.now().replace(microsecond=0) + timedelta(hours=2)
    answer = caller.post(home(to, "/pause"), {"until": until.isoformat(), "reason": "Night."})
    assert (answer.status_code, answer.json()["lane"]["hold"]) == (200, "paused")
    lane = Lane.objects.get()
    assert (lane.hold, lane.hold_until, lane.hold_reason) == (Hold.PAUSED, until, "Night.")


def test_a_pause_lasts_for_so_many_seconds(caller: Caller) -> None:
    to, before = make.subscription(), make.now()
    caller.post(home(to, "/pause"), {"for_s": 90})
    until = Lane.objects.get().hold_until
    assert before <= until - timedelta(seconds=90) <= make.now()


def test_a_pause_without_an_end_lasts_until_it_is_resumed(caller: Caller) -> None:
    caller.post(home(make.subscription(), "/pause"), {"until": None, "for_s": None})
    lane = Lane.objects.get()
    assert (lane.hold, lane.hold_until) == (Hold.PAUSED, None)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"until": "2020-01-01T00:00:00Z"}, "until"),
        ({"until": "2999-01-01T00:00:00Z"}, "until"),
        ({"until": "noon"}, "until"),
        ({"for_s": 0}, "for_s"),
        ({"for_s": 1e300}, "for_s"),
        ({"for_s": "nan"}, "for_s"),
        ({"for_s": 60, "until": "{soon}"}, "for_s"),
        ({"minutes": 5}, "minutes"),
    ],
)
def test_a_pause_that_makes_no_sense_holds_nothing(caller: Caller, body: dict[str, Any], field: str) -> None:
    soon = (make.now() + timedelta(hours=1)).isoformat()
    body = {name: soon if value == "{soon}" else value for name, value in body.items()}
    answer = caller.post(home(make.subscription(), "/pause"), body)
    assert (answer.status_code, list(fields(answer))) == (400, [field])
    assert (Lane.objects.get().hold, AuditEntry.objects.exclude(verb="create").count()) == ("", 0)


def test_a_pause_that_is_there_already_gets_no_other_end(caller: Caller) -> None:
    to = make.subscription()
    caller.post(home(to, "/pause"))
    answer = caller.post(home(to, "/pause"), {"for_s": 60})
    assert (answer.status_code, sentence(answer)) == (
        409, "It is paused already; resume it first, to pause it for a time.",
    )  # fmt: skip
    assert Lane.objects.get().hold_until is None


# -- reasons --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["disable", "reset", "rotate-secret", "secrets/expire"])
def test_what_the_console_asks_a_reason_for_needs_one_here(caller: Caller, verb: str) -> None:
    to = make.subscription()
    rotate_secret(subscription_id=to.pk, actor="ada")
    Lane.objects.update(circuit="open")
    before = AuditEntry.objects.count()
    answer = caller.post(home(to, f"/{verb}"), {"reason": " "})
    assert (answer.status_code, fields(answer)) == (400, NEEDED)
    assert AuditEntry.objects.count() == before
    assert caller.post(home(to, f"/{verb}"), {"reason": "mended"}).status_code in (200, 202)
    assert AuditEntry.objects.latest("id").reason == "mended"


# -- how it does ----------------------------------------------------------------------------------------


def test_its_health_is_told_from_rollups_and_the_last_sample(caller: Caller) -> None:
    to, at = make.subscription(), make.now()
    make.slices(to, attempts=10, delivered_first=7, delivered_retry=1, dead=2, took=9)
    make.failures(to, "server_error", 503, 2)
    make.failures(to, "timeout", 0, 1)
    DepthSample.objects.create(
        subscription=to, pending=4, due=3, oldest_due_at=at, retrying=1, dead=2, sampled_at=at
    )
    CircuitChange.objects.create(subscription=to, before="closed", after="open", why="5 of 9 failed.", at=at)
    told = caller.get(home(to, "/health")).json()
    figures = told["figures"]
    assert [figures[name] for name in ("attempts", "delivered", "dead", "success_rate")] == [10, 8, 2, 0.8]
    assert [40 < figures["latency_ms"][name] <= 63 for name in ("p50", "p95", "p99")] == [True] * 3
    assert told["failures"] == [
        {"outcome": "server_error", "status": 503, "count": 2},
        {"outcome": "timeout", "status": None, "count": 1},
    ]
    assert (told["endpoint"]["mood"], told["lane"]["circuit"]) == ("no_traffic", "closed")
    assert [(each["after"], each["why"]) for each in told["circuit_changes"]] == [("open", "5 of 9 failed.")]
    backlog = told["backlog"]
    assert [backlog[name] for name in ("pending", "due", "retrying", "dead")] == [4, 3, 1, 2]
    assert datetime.fromisoformat(backlog["sampled_at"]) == at


def test_its_health_looks_back_as_far_as_asked(caller: Caller) -> None:
    to = make.subscription()
    make.slices(to, attempts=3, ago=timedelta(days=3))
    spans = [
        caller.get(home(to, f"/health?span={span}")).json()["figures"]["attempts"] for span in ("24h", "7d")
    ]
    assert spans == [0, 3]
    answer = caller.get(home(to, "/health?span=century"))
    assert (answer.status_code, list(fields(answer))) == (400, ["span"])


def test_one_that_never_did_anything_has_no_figures(caller: Caller) -> None:
    told = caller.get(home(make.subscription(), "/health")).json()
    assert (told["figures"]["success_rate"], told["figures"]["latency_ms"]["p99"]) == (None, None)
    assert told["backlog"] == {
        "pending": 0, "due": 0, "oldest_due_at": None, "retrying": 0, "dead": 0, "sampled_at": None,
    }  # fmt: skip


def test_its_health_asks_as_much_after_many_hours(caller: Caller) -> None:
    to, counts = make.subscription(), []
    for hours in (1, 40):
        for hour in range(hours):
            make.slices(to, attempts=1, ago=timedelta(hours=hour))
        with CaptureQueriesContext(connection) as asked:
            caller.get(home(to, "/health?span=30d"))
        counts.append(len(asked))
    assert counts[0] == counts[1]


def test_what_waits_behind_it_is_told_while_it_is_in_trouble_and_only_then(caller: Caller) -> None:
    to, hour = make.subscription(), make.now().replace(microsecond=0) - timedelta(hours=1)
    shop, billing = make.source("shop"), make.source("billing")
    first = make.event(source=billing, type="order.placed", state="routed")
    make.delivery(to, first, created_at=hour)
    for _ in range(2):
        make.delivery(to, make.event(source=shop, state="routed"))
    Cascade.objects.create(trace_id=first.trace_id, root=first, events=2)
    assert caller.get(home(to, "/health")).json()["blast_radius"] is None
    Lane.objects.filter(pk=to.pk).update(circuit="open", circuit_since=make.now())
    told = caller.get(home(to, "/health")).json()["blast_radius"]
    assert datetime.fromisoformat(told.pop("oldest_at")) == hour
    assert told == {
        "parked": 3,
        "is_more": False,
        "sources": [{"source": "shop", "count": 2}, {"source": "billing", "count": 1}],
        "cascades": [{"trace_id": first.trace_id.hex, "event_type": "order.placed", "count": 1}],
    }
    Lane.objects.filter(pk=to.pk).update(circuit="closed", hold=Hold.PAUSED)
    assert caller.get(home(to, "/health")).json()["blast_radius"]["parked"] == 3


def test_to_a_subscriber_no_cascade_is_told_since_its_first_event_may_have_been_anothers() -> None:
    to, first = make.subscription(), make.event(type="order.placed", state="routed")
    make.delivery(to, first)
    Cascade.objects.create(trace_id=first.trace_id, root=first, events=2)
    Lane.objects.filter(pk=to.pk).update(hold=Hold.PAUSED)
    answer = with_key("subscriber", subscriber=to.subscriber).get(home(to, "/health"))
    assert (answer.json()["blast_radius"]["parked"], answer.json()["blast_radius"]["cascades"]) == (1, None)
    assert "order.placed" not in answer.content.decode()
    assert (
        with_key("subscriber", subscriber=make.subscriber("other")).get(home(to, "/health")).status_code
        == 404
    )


# -- secrets --------------------------------------------------------------------------------------------


def test_secrets_are_told_by_their_last_characters_alone(caller: Caller) -> None:
    to = make.subscription()
    new = rotate_secret(subscription_id=to.pk, actor="ada")
    SubscriptionSecret.objects.create(subscription=to, sealed="x", hint="gone", expires_at=make.now())
    answer = caller.get(home(to, "/secrets"))
    told = answer.json()["secrets"]
    assert (len(told), told[0]["hint"], told[0]["expires_at"]) == (2, new.secret[-4:], None)
    assert set(told[0]) == {"hint", "signing", "public_key", "created_at", "expires_at"}
    kept = SubscriptionSecret.objects.exclude(hint="gone")
    assert not any(each.sealed in answer.content.decode() for each in kept)


def test_each_secret_says_how_it_signs(caller: Caller) -> None:
    to = make.subscription()
    (old,) = to.secrets.all()
    new = rotate_secret(subscription_id=to.pk, actor="ada", signing="both")
    signing = {new.public_key[-4:]: "v1a", new.secret[-4:]: "v1", old.hint: "v1"}
    for address in (home(to, "/secrets"), home(to, "")):
        told = caller.get(address).json()["secrets"]
        assert {each["hint"]: each["signing"] for each in told} == signing
        assert {each["public_key"] for each in told} == {new.public_key, ""}
    assert len(signing) == 3


def test_what_was_replaced_signs_no_more(caller: Caller) -> None:
    to = make.subscription()
    new = rotate_secret(subscription_id=to.pk, actor="ada")
    answer = caller.post(home(to, "/secrets/expire"), {"reason": "leaked"})
    assert answer.status_code == 200
    assert [each["hint"] for each in answer.json()["secrets"]] == [new.secret[-4:]]
    assert answer.json()["detail"] == "Only the newest secret signs from now on."
    assert AuditEntry.objects.get(verb="end-overlap").reason == "leaked"


def test_where_none_was_replaced_nothing_is_ended(caller: Caller) -> None:
    to = make.subscription()
    answer = caller.post(home(to, "/secrets/expire"), {"reason": "leaked"})
    assert (answer.status_code, sentence(answer)) == (409, "No older secret signs any more.")
    assert to.secrets.get().expires_at is None
    assert not AuditEntry.objects.filter(verb="end-overlap").exists()
