"""Cascades over the API: counted, found by what waits in quarantine, and let go of."""

from typing import Any

import pytest

from deliveries.models import Cascade, Quarantine
from tests import make
from tests.callers import browser, with_key
from webhooks.ids import public_id
from webhooks.models import AuditEntry, Event

pytestmark = pytest.mark.django_db

AT = "/api/v1/cascades"


def held(count: int) -> tuple[Cascade, list[Event]]:
    root = make.event(state="routed")
    cause = make.delivery(make.subscription(), root, state="delivered")
    events = [
        make.event(state="quarantined", routed_at=None, trace_id=root.trace_id, cause_id=cause.pk)
        for _ in range(count)
    ]
    Quarantine.objects.bulk_create(
        Quarantine(event=each, trace_id=root.trace_id, why="budget") for each in events
    )
    made = Cascade.objects.create(
        trace_id=root.trace_id, root=root, events=1 + count, depth=1, quarantined=count,
        quarantined_at=make.now() if count else None,
    )  # fmt: skip
    return made, events


def test_one_is_read_by_its_trace_id_and_listed_by_what_waits() -> None:
    made, _ = held(2)
    other, _ = held(0)
    key = with_key("viewer")
    assert key.get(f"{AT}/{made.pk.hex}").json()["quarantined"] == 2
    assert [each["id"] for each in key.get(f"{AT}?quarantined=true").json()["results"]] == [made.pk.hex]
    assert [each["id"] for each in key.get(f"{AT}?quarantined=false").json()["results"]] == [other.pk.hex]
    assert key.get(f"{AT}/nonsense").status_code == 404


def ids(answer: Any) -> list[str]:
    return [each["id"] for each in answer.json()["results"]]


@pytest.mark.parametrize(("query", "count"), [("", 0), ("quarantined=false&", 0), ("quarantined=true&", 1)])
def test_they_are_listed_by_their_first_events_and_pages_stay_while_some_are_added(
    query: str, count: int
) -> None:
    made = [held(count)[0].pk.hex for _ in range(6)][::-1]
    key = with_key("viewer")
    first = key.get(f"{AT}?{query}limit=2")
    newer = [held(count)[0].pk.hex for _ in range(2)][::-1]
    second = key.get(first.json()["next"])
    third = key.get(second.json()["next"])
    assert (ids(first), ids(second), ids(third)) == (made[:2], made[2:4], made[4:])
    assert third.json()["next"] is None
    back = key.get(third.json()["previous"])
    front = key.get(key.get(back.json()["previous"]).json()["previous"])
    assert (ids(back), ids(front), front.json()["previous"]) == (made[2:4], newer, None)
    console = browser("deliveries.view_cascade").get("/admin/deliveries/cascade/")
    assert [each.cascade.pk.hex for each in console.context["lines"]] == newer + made


def test_it_is_released_whole_or_one_by_one_with_a_record() -> None:
    made, events = held(3)
    key = with_key()
    event = f"/api/v1/events/{public_id('event', events[0].pk)}"
    assert key.post(f"{event}/discard", {"reason": "a test"}).json() == {
        "events": 1, "detail": "1 event is discarded.",
    }  # fmt: skip
    again = key.post(f"{event}/release", {"reason": "a test"})
    assert (again.status_code, again.json()["detail"]) == (409, "It is not in quarantine.")
    assert key.post(f"{AT}/{made.pk.hex}/release", {"reason": "mended"}).json()["events"] == 2
    assert key.post(f"{AT}/{made.pk.hex}/discard", {"reason": "late"}).status_code == 409
    found = Event.objects.filter(pk__in=[each.pk for each in events]).order_by("pk")
    assert list(found.values_list("state", flat=True)) == ["discarded", "received", "received"]
    assert AuditEntry.objects.filter(verb__endswith="-quarantine").count() == 2


def test_a_key_that_only_reads_lets_nothing_go() -> None:
    made, events = held(1)
    key = with_key("viewer")
    for path in (f"{AT}/{made.pk.hex}", f"/api/v1/events/{public_id('event', events[0].pk)}"):
        for verb in ("release", "discard"):
            assert key.post(f"{path}/{verb}", {"reason": "x"}).status_code == 403
    assert Event.objects.filter(state="quarantined").count() == 1
