"""The attempts of a delivery over the API, and giving up one that is still owed."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from deliveries.models import Attempt, Delivery, DeliveryBody, Exchange, Lane
from tests import make, replaying
from tests.answers import fields, sentence
from tests.callers import Caller, with_key
from webhooks.ids import public_id
from webhooks.models import AuditEntry, EventBody

pytestmark = pytest.mark.django_db

WHY = {"reason": "Nobody waits for it."}


@pytest.fixture
def caller() -> Caller:
    return with_key()


def home(delivery: Delivery, part: str = "") -> str:
    return f"/api/v1/deliveries/{public_id('delivery', delivery.pk)}{part}"


def tried(delivery: Delivery, number: int = 1, **exchange: Any) -> Attempt:
    made = Attempt.objects.create(
        delivery=delivery, number=number, phase=1, started_at=make.now(), duration_ms=12,
        outcome="server_error", status=503,
    )  # fmt: skip
    values: dict[str, Any] = {
        "url": "https://billing.example/hook",
        "request_headers": {"webhook-id": "m1", "authorization": "••••••"},
        "response_headers": [["Server", "nginx"], ["Set-Cookie", "••••••"]],
        "response_body": b"out of stock",
    }
    Exchange.objects.create(attempt=made, **values | exchange)
    return made


def test_each_attempt_tells_what_was_sent_and_answered_with_credentials_masked(caller: Caller) -> None:
    delivery = make.delivery(make.subscription(), attempts=1)
    made = tried(delivery)
    (told,) = caller.get(home(delivery, "/attempts")).json()["results"]
    assert told == {
        "id": public_id("attempt", made.pk),
        "number": 1,
        "queue": "retry",
        "started_at": f"{made.started_at:%Y-%m-%dT%H:%M:%S.%f}Z",
        "duration_ms": 12,
        "outcome": "server_error",
        "status": 503,
        "error": "",
        "request": {
            "url": "https://billing.example/hook",
            "headers": [["webhook-id", "m1"], ["authorization", "••••••"]],
            "body": make.BODY.decode(),
        },
        "response": {
            "headers": [["Server", "nginx"], ["Set-Cookie", "••••••"]],
            "body": "out of stock",
            "is_truncated": False,
        },
    }


def test_what_a_transform_made_is_what_was_sent(caller: Caller) -> None:
    delivery = make.delivery(make.subscription())
    tried(delivery)
    DeliveryBody.objects.create(delivery=delivery, body=b'{"only":"this"}')
    (told,) = caller.get(home(delivery, "/attempts")).json()["results"]
    assert told["request"]["body"] == '{"only":"this"}'


def test_bodies_are_excerpts_and_a_secret_inside_them_is_masked(caller: Caller) -> None:
    delivery = make.delivery(
        make.subscription(), make.event(b'{"clientState":"hush"}' + b" " * 9_000, state="routed")
    )
    tried(delivery, response_body="é".encode() * 9_000, is_truncated=True)
    (told,) = caller.get(home(delivery, "/attempts")).json()["results"]
    assert told["request"]["body"].startswith('{"clientState":"••••••"}')
    assert (len(told["request"]["body"]), told["response"]["body"]) == (2_000, "é" * 2_000)
    assert told["response"]["is_truncated"] is True


def test_what_retention_dropped_is_null(caller: Caller) -> None:
    delivery = make.delivery(make.subscription())
    tried(delivery)
    EventBody.objects.all().delete()
    (told,) = caller.get(home(delivery, "/attempts")).json()["results"]
    assert told["request"]["body"] is None
    Exchange.objects.all().delete()
    (told,) = caller.get(home(delivery, "/attempts")).json()["results"]
    assert (told["request"], told["response"]) == (None, None)


def test_they_come_by_pages_the_newest_first(caller: Caller) -> None:
    delivery = make.delivery(make.subscription())
    for number in range(1, 6):
        tried(delivery, number)
    tried(make.delivery(make.subscription(name="other")))
    page, seen = caller.get(home(delivery, "/attempts?limit=2")).json(), []
    while True:
        seen.append([each["number"] for each in page["results"]])
        if not page["next"]:
            break
        page = caller.get(page["next"]).json()
    assert seen == [[5, 4], [3, 2], [1]]


def test_they_are_read_in_as_many_questions_however_many_there_are(caller: Caller) -> None:
    delivery, counts = make.delivery(make.subscription()), []
    for first, last in ((1, 10), (11, 200)):
        for number in range(first, last + 1):
            tried(delivery, number)
        caller.get(home(delivery, "/attempts"))  # the opening is recorded
        with CaptureQueriesContext(connection) as asked:
            answer = caller.get(home(delivery, "/attempts?limit=250"))
        assert len(answer.json()["results"]) == last
        counts.append(len(asked))
    assert counts[0] == counts[1]


def test_a_filter_that_does_not_exist_is_named(caller: Caller) -> None:
    delivery = make.delivery(make.subscription())
    answer = caller.get(home(delivery, "/attempts?state=dead"))
    assert (answer.status_code, list(fields(answer))) == (400, ["state"])


# -- giving up ------------------------------------------------------------------------------------------


def test_what_is_still_owed_is_given_up_with_a_reason(caller: Caller) -> None:
    delivery = make.delivery(make.subscription())
    answer = caller.post(home(delivery, "/cancel"), WHY)
    assert (answer.status_code, answer.json()["state"]) == (202, "discarded")
    assert answer.json()["detail"] == (
        "It is discarded: no attempt follows, and one that is in flight comes to its end."
    )
    entry = AuditEntry.objects.exclude(verb="create").get()
    assert (entry.verb, entry.reason, entry.before, entry.after) == (
        "cancel", WHY["reason"], {"state": "pending"}, {"state": "discarded"},
    )  # fmt: skip


def test_what_died_meanwhile_is_not_given_up_by_cancelling(caller: Caller) -> None:
    (delivery,) = replaying.dead(make.subscription())
    answer = caller.post(home(delivery, "/cancel"), WHY)
    assert (answer.status_code, sentence(answer)) == (409, "It is dead, so there is nothing to cancel.")
    delivery.refresh_from_db()
    assert (delivery.state, delivery.dead_letter.resolved_at) == ("dead", None)
    assert not AuditEntry.objects.exclude(verb="create").exists()


@pytest.mark.parametrize("verb", ["cancel", "discard"])
@pytest.mark.parametrize("body", [{}, {"reason": " "}, {"reason": None}])
def test_giving_up_without_a_reason_changes_nothing(caller: Caller, verb: str, body: dict[str, Any]) -> None:
    delivery = make.delivery(make.subscription())
    answer = caller.post(home(delivery, f"/{verb}"), body)
    assert (answer.status_code, fields(answer)) == (400, {"reason": ["Say why: a reason is needed."]})
    delivery.refresh_from_db()
    assert delivery.state == "pending"


def test_in_a_strict_lane_the_next_one_is_woken(caller: Caller) -> None:
    to = make.subscription(ordering="strict")
    head = make.delivery(to, seq=1)
    make.delivery(to, seq=2)
    Lane.objects.update(next_due_at=None)
    caller.post(home(head, "/cancel"), WHY)
    assert Lane.objects.get().next_due_at is not None
