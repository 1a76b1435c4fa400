"""A batch is checked as a whole first, then stored as a whole, in its order, with one verdict for each event."""

import json
from threading import Barrier, Thread
from typing import Any

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from tests import make
from tests.callers import Caller, with_key
from webhooks import store_many, wake
from webhooks.ids import public_id
from webhooks.models import BusinessKey, Event, EventKey, Refusal
from webhooks.services import publish
from webhooks.services.publications import Said
from webhooks.services.publish import publish_many
from webhooks.services.sources import update_source

pytestmark = pytest.mark.django_db

HOME = "/api/v1/events/batch"


@pytest.fixture
def caller() -> Caller:
    make.source("shop")
    return with_key("publisher")


def event(name: str, **more: Any) -> dict[str, Any]:
    return {"source": "shop", "event_id": name, "event_type": "user.created", "data": {"name": name}, **more}


def send(caller: Caller, *events: Any) -> Any:
    return caller.post(HOME, {"events": list(events)})


def test_all_are_stored_in_their_order_as_if_each_were_published_alone(caller: Caller) -> None:
    answer = send(caller, *(event(f"e{number}") for number in range(20)))
    assert answer.status_code == 201
    told = answer.json()
    assert (told["accepted"], told["duplicates"], told["conflicts"]) == (20, 0, 0)
    stored = list(Event.objects.order_by("pk"))
    assert [each.external_id for each in stored] == [f"e{number}" for number in range(20)]
    assert told["events"][3] == {
        "id": public_id("event", stored[3].pk), "event_id": "e3", "status": "accepted",
    }  # fmt: skip
    body = json.loads(bytes(stored[3].content.body))
    assert list(body) == ["event_id", "event_type", "timestamp", "data"]
    assert (stored[3].state, stored[3].verified_by, stored[3].size) == (
        "received", "api-key", len(bytes(stored[3].content.body)),
    )  # fmt: skip


def test_one_that_cannot_be_an_event_stops_all_and_every_problem_is_told_by_its_place(caller: Caller) -> None:
    answer = send(
        caller,
        event("e0"),
        event("e1", event_type=""),
        {"source": "nobody", "event_type": "t", "data": 1},
        event("e3", colour="red"),
        "not an object",
    )
    assert answer.status_code == 400
    problems = answer.json()["errors"]["events"]
    assert set(problems) == {"1", "2", "3", "4"}
    assert problems["1"] == {"event_type": ["This field may not be blank."]}
    assert problems["2"] == {"source": ["There is no such source."]}
    assert problems["3"] == {"colour": ["There is no such field."]}
    assert answer.json()["detail"] == "events[1].event_type: This field may not be blank."
    assert not Event.objects.exists()


def test_what_is_no_object_is_named_by_its_place_alone(caller: Caller) -> None:
    answer = send(caller, event("e0"), "not an object")
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith("events[1]: ")
    assert not Event.objects.exists()


def test_what_the_service_refuses_is_told_by_its_place_too(caller: Caller) -> None:
    answer = send(caller, event("e0"), event("e1", entity_version=2), event("e2", event_type="a\x07b"))
    assert answer.status_code == 400
    assert answer.json()["errors"]["events"] == {
        "1": {"entity_version": ["A version needs the entity that it is a version of."]},
        "2": {"event_type": ["The event type holds a control character or half a character."]},
    }
    assert not Event.objects.exists()


def test_an_id_that_came_before_is_a_duplicate_or_a_conflict_and_stops_no_other(caller: Caller) -> None:
    first = send(caller, event("e1"), event("e2")).json()["events"]
    answer = send(caller, event("e1"), event("e2", data="other"), event("e3"), event("e3"))
    assert answer.status_code == 201
    told = answer.json()
    assert [each["status"] for each in told["events"]] == ["duplicate", "conflict", "accepted", "duplicate"]
    assert [each["id"] for each in told["events"][:2]] == [each["id"] for each in first]
    assert told["events"][3]["id"] == told["events"][2]["id"]
    assert (told["accepted"], told["duplicates"], told["conflicts"]) == (1, 2, 1)
    assert Event.objects.count() == 3
    keys = EventKey.objects.order_by("first_seen_at", "pk").values_list("duplicates", "conflicts")
    assert sorted(keys) == [(0, 1), (1, 0), (1, 0)]
    refusal = Refusal.objects.get()
    assert refusal.event_id is not None
    assert (refusal.reason, public_id("event", refusal.event_id)) == ("id-conflict", first[1]["id"])


def test_a_batch_that_says_nothing_new_is_answered_200(caller: Caller) -> None:
    send(caller, event("e1"), event("e2"))
    answer = send(caller, event("e1"), event("e2"))
    assert (answer.status_code, answer.json()["duplicates"]) == (200, 2)


def test_missing_ids_are_made_and_told(caller: Caller) -> None:
    nameless = {"source": "shop", "event_type": "t", "data": None}
    told = send(caller, nameless, nameless).json()["events"]
    assert len({each["event_id"] for each in told}) == 2
    assert {each["event_id"] for each in told} == set(Event.objects.values_list("external_id", flat=True))


@pytest.mark.parametrize("count", [0, 1_001])
def test_a_batch_has_one_event_to_a_thousand(caller: Caller, count: int) -> None:
    answer = send(caller, *({"source": "shop", "event_type": "t", "data": n} for n in range(count)))
    assert answer.status_code == 400
    assert not Event.objects.exists()


def test_a_batch_takes_as_many_questions_however_long_it_is(caller: Caller) -> None:
    send(caller, event("warm"))
    with CaptureQueriesContext(connection) as few:
        send(caller, *(event(f"a{number}") for number in range(2)))
    with CaptureQueriesContext(connection) as many:
        send(caller, *(event(f"b{number}") for number in range(200)))
    assert len(few) == len(many)


def test_routers_are_woken_once(caller: Caller, django_capture_on_commit_callbacks: Any) -> None:
    with django_capture_on_commit_callbacks() as rings:
        send(caller, *(event(f"e{number}") for number in range(50)))
    assert [each.args for each in rings if each.func is wake.ring] == [(wake.EVENTS,)]


def test_events_of_several_sources_may_come_together_with_their_business_keys(caller: Caller) -> None:
    source = make.source("bank")
    update_source(source_id=source.pk, business_keys={"who": "data.name"}, actor="test")
    send(caller, event("e1"), event("e1", source="bank"), event("e2", source=public_id("source", source.pk)))
    assert Event.objects.count() == 3
    assert sorted(BusinessKey.objects.values_list("value", flat=True)) == ["e1", "e2"]


def test_a_viewer_publishes_nothing() -> None:
    make.source("shop")
    assert send(with_key("viewer"), event("e1")).status_code == 403
    assert not Event.objects.exists()


def test_a_source_that_changed_since_it_was_read_is_read_again() -> None:
    source = make.source("shop")
    update_source(source_id=source.pk, name="Renamed", actor="test")
    said = [Said(source=source, event_id=name, event_type="t", data=1) for name in "ab"]
    assert len(publish_many(batch=said)) == Event.objects.count() == 2


def test_nothing_is_stored_once_one_of_its_sources_was_disabled_meanwhile() -> None:
    shop, bank = make.source("shop"), make.source("bank")
    update_source(source_id=bank.pk, is_enabled=False, actor="test")
    said = [Said(source=each, event_id="a", event_type="t", data=1) for each in (shop, bank)]
    with pytest.raises(publish.BatchInvalid) as caught:
        publish_many(batch=said)
    assert caught.value.problems == {1: {"source": ["This source is disabled."]}}
    assert not Event.objects.exists()


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_batches_that_share_their_ids_in_other_orders_store_each_once_and_never_wait_in_a_ring() -> None:
    source = make.source("shop")
    said = [Said(source=source, event_id=f"e{n}", event_type="t", data=n) for n in range(200)]
    verdicts: list[str] = []
    start = Barrier(4)

    def publish_them(batch: list[Said]) -> None:
        start.wait()
        verdicts.extend(type(each).__name__ for each in publish_many(batch=batch))
        connections.close_all()

    orders = [said, said[::-1], said[100:] + said[:100], said[::2] + said[1::2]]
    threads = [Thread(target=publish_them, args=[batch]) for batch in orders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (verdicts.count("Stored"), verdicts.count("Duplicate")) == (200, 600)
    assert Event.objects.count() == 200


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_an_id_that_retention_drops_while_a_batch_repeats_it_is_free_again(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(caller, event("e1"))
    looked: list[int] = []
    look = store_many._taken

    def drop() -> None:
        EventKey.objects.all().delete()
        connections.close_all()

    def look_once_they_are_dropped(repeated: Any) -> Any:
        if not looked:
            dropping = Thread(target=drop)
            dropping.start()
            dropping.join()
        looked.append(1)
        return look(repeated)

    monkeypatch.setattr(store_many, "_taken", look_once_they_are_dropped)
    answer = send(caller, event("e0"), event("e1"))
    assert (answer.status_code, answer.json()["accepted"], len(looked)) == (201, 2, 1)
    assert [each.external_id for each in Event.objects.order_by("pk")] == ["e1", "e0", "e1"]
    assert sorted(EventKey.objects.values_list("duplicates", flat=True)) == [0, 0]


def test_a_batch_of_which_a_taken_id_is_not_found_is_stored_anew_and_whole(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(caller, event("e1"))
    look = store_many._taken

    def look_too_late(_: Any) -> Any:
        monkeypatch.setattr(store_many, "_taken", look)
        return {}

    monkeypatch.setattr(store_many, "_taken", look_too_late)
    answer = send(caller, event("e0"), event("e1"))
    told = answer.json()
    assert (answer.status_code, told["accepted"], told["duplicates"]) == (201, 1, 1)
    assert sorted(EventKey.objects.values_list("duplicates", flat=True)) == [0, 1]
    assert Event.objects.count() == 2
