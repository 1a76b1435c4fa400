"""An event over the API, taken apart: the very bytes that came, and its cascade."""

from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from deliveries.models import Cascade, Delivery
from tests import make
from tests.answers import sentence
from tests.callers import Caller, with_key
from webhooks.ids import public_id
from webhooks.models import Event, EventBody

pytestmark = pytest.mark.django_db


@pytest.fixture
def caller() -> Caller:
    return with_key()


def home(event: Event, part: str) -> str:
    return f"/api/v1/events/{public_id('event', event.pk)}/{part}"


# -- raw ------------------------------------------------------------------------------------------------


def test_the_very_bytes_come_as_a_file_that_no_browser_opens(caller: Caller) -> None:
    body = b'{"a": 1.10,\r\n "a":2} \xff\x00'
    event = make.event(body)
    answer = caller.get(home(event, "raw"))
    assert (answer.status_code, answer.content) == (200, body)
    expected = {
        "Content-Type": "application/json",
        "Content-Disposition": f'attachment; filename="{public_id("event", event.pk)}"',
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cache-Control": "no-store",
    }
    assert {name: answer[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("came", "told"),
    [
        ("application/x-www-form-urlencoded", "application/x-www-form-urlencoded"),
        ("application/json; charset=utf-8", "application/json; charset=utf-8"),
        ("", "application/octet-stream"),
        ("text/html\r\nset-cookie: a=b", "application/octet-stream"),
        ("text/<script>", "application/octet-stream"),
    ],
)
def test_a_content_type_is_told_as_it_came_unless_it_is_none(caller: Caller, came: str, told: str) -> None:
    event = make.event()
    EventBody.objects.update(content_type=came)
    assert caller.get(home(event, "raw"))["Content-Type"] == told


def test_a_body_past_retention_is_404_in_a_sentence(caller: Caller) -> None:
    event = make.event()
    EventBody.objects.all().delete()
    answer = caller.get(home(event, "raw"))
    assert (answer.status_code, sentence(answer)) == (404, "Its body is past retention.")


# -- the cascade ----------------------------------------------------------------------------------------


def cascade(children: int) -> tuple[Event, Delivery]:
    """An order whose delivery caused so many invoices, each of them dead."""
    to = make.subscription(name="ERP core")
    root = make.event(type="order.placed", state="routed", trace_id=uuid4())
    first = make.delivery(
        to, root, state="delivered", last_outcome="ok", last_status=200, last_attempt_at=make.now()
    )
    for _ in range(children):
        caused: dict[str, Any] = {"trace_id": root.trace_id, "cause_id": first.pk, "depth": 1}
        event = make.event(type="invoice.issued", state="routed", **caused)
        make.delivery(to, event, state="dead", last_outcome="timeout")
    Cascade.objects.create(trace_id=root.trace_id, root=root, events=1 + children, depth=1)
    return root, first


def test_a_cascade_is_nodes_and_edges_with_their_states_times_and_depths(caller: Caller) -> None:
    root, first = cascade(1)
    child = Event.objects.exclude(pk=root.pk).get()
    last = Delivery.objects.exclude(pk=first.pk).get()
    order, invoice = (public_id("event", each.pk) for each in (root, child))
    brought, lost = (public_id("delivery", each.pk) for each in (first, last))
    told = caller.get(home(child, "cascade")).json()
    assert [told[name] for name in ("first", "events", "deliveries", "depth", "is_cut")] == [
        order, 2, 2, 1, False,
    ]  # fmt: skip
    assert [(each["id"], each["kind"], each["state"], each["depth"]) for each in told["nodes"]] == [
        (order, "event", "routed", 0),
        (invoice, "event", "routed", 1),
        (brought, "delivery", "delivered", 0),
        (lost, "delivery", "dead", 1),
    ]
    assert [(each["before"], each["after"]) for each in told["edges"]] == [
        (brought, invoice), (order, brought), (invoice, lost),
    ]  # fmt: skip
    assert (told["nodes"][1]["event_type"], told["nodes"][3]["last_answer"]) == ("invoice.issued", "timeout")
    assert told["nodes"][0]["at"] == f"{root.received_at:%Y-%m-%dT%H:%M:%S.%f}Z"
    assert told["critical_path"] == [order, brought, invoice, lost]


def test_an_event_that_stands_alone_is_its_own_cascade(caller: Caller) -> None:
    event = make.event(state="routed")
    delivery = make.delivery(make.subscription(), event)
    told = caller.get(home(event, "cascade")).json()
    assert [each["id"] for each in told["nodes"]] == [
        public_id("event", event.pk), public_id("delivery", delivery.pk),
    ]  # fmt: skip
    assert not Cascade.objects.exists()


def test_a_cascade_is_read_in_as_many_questions_however_large_it_is(caller: Caller) -> None:
    counts: list[Any] = []
    for children in (10, 200):
        root, _ = cascade(children)
        with CaptureQueriesContext(connection) as asked:
            assert caller.get(home(root, "cascade")).json()["events"] == 1 + children
        counts.append(len(asked))
    assert counts[0] == counts[1]
