"""Publishing by key: an event is stored once, as it will be delivered, or refused by field."""

import hashlib
import json
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from tests import make
from webhooks import store
from webhooks.models import Event, EventKey, Refusal, Source
from webhooks.services.publications import Said
from webhooks.services.publish import publish
from webhooks.services.sources import update_source

pytestmark = pytest.mark.django_db


def say(
    source: Source, data: object = 1, *, event_id: str = "a1", event_type: str = "t", **subject: Any
) -> Any:
    return publish(Said(source=source, event_type=event_type, data=data, event_id=event_id, **subject))


def test_the_body_is_compact_and_says_when() -> None:
    verdict = say(make.source(), {"name": "Ädа", "n": 1.5}, event_type="user.created")
    event = Event.objects.get()
    stamp = event.received_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    expected = '{"event_id":"a1","event_type":"user.created","timestamp":"%s","data":{"name":"Ädа","n":1.5}}'
    assert bytes(event.content.body).decode() == expected % stamp
    assert verdict == store.Stored(event.id)
    assert (event.external_id, event.event_type, event.verified_by) == ("a1", "user.created", "api-key")
    assert event.occurred_at == event.received_at


def test_saying_it_again_is_a_duplicate_although_the_time_differs() -> None:
    source = make.source()
    first = say(source, {"a": 1, "b": 2})
    again = say(source, {"b": 2, "a": 1})
    assert again == store.Duplicate(first.event_id, EventKey.objects.get().first_seen_at)
    assert (Event.objects.count(), EventKey.objects.get().duplicates) == (1, 1)


@pytest.mark.parametrize("subject", [{}, {"entity": "order-7", "entity_version": 3}])
def test_an_id_that_an_earlier_version_took_is_known_by_how_it_digested_what_was_said(
    subject: dict[str, Any],
) -> None:
    source = make.source()
    first = say(source, {"n": "é", "a": 1}, **subject)
    terms = ["t", {"a": 1, "n": "é"}, *([subject] if subject else [])]
    former = hashlib.sha256(json.dumps(terms, sort_keys=True).encode()).digest()
    EventKey.objects.update(body_digest=former)
    again = say(source, {"a": 1, "n": "é"}, **subject)
    assert again == store.Duplicate(first.event_id, EventKey.objects.get().first_seen_at)
    assert say(source, {"a": 2, "n": "é"}, **subject) == store.Conflict(first.event_id)
    key = EventKey.objects.get()
    assert (bytes(key.body_digest), key.duplicates, key.conflicts) == (former, 1, 1)


@pytest.mark.parametrize(
    "data",
    [
        2**64,
        -(2**63) - 1,
        json.loads("[" * 300 + "]" * 300),
        1e16,
        None,
        "null",
    ],
)
def test_what_few_can_read_is_kept_as_it_was_said_and_known_again(data: object) -> None:
    source = make.source()
    first = say(source, data)
    assert json.loads(bytes(Event.objects.get().content.body))["data"] == data
    assert say(source, data) == store.Duplicate(first.event_id, EventKey.objects.get().first_seen_at)
    assert say(source, [data]) == store.Conflict(first.event_id)


def test_what_the_event_is_about_is_kept_and_sent_on() -> None:
    say(make.source(), entity="order-7", entity_version=3)
    event = Event.objects.get()
    assert (event.entity, event.entity_version) == ("order-7", 3)
    body = json.loads(bytes(event.content.body))
    assert list(body) == ["event_id", "event_type", "timestamp", "entity", "entity_version", "data"]
    assert (body["entity"], body["entity_version"]) == ("order-7", 3)


@pytest.mark.parametrize("version", [0, 2**63 - 1])
def test_a_version_is_counted_as_far_as_the_database_counts(version: int) -> None:
    say(make.source(), entity="order-7", entity_version=version)
    assert Event.objects.get().entity_version == version


def test_an_entity_may_come_without_a_version() -> None:
    say(make.source(), entity="order-7")
    event = Event.objects.get()
    assert (event.entity, event.entity_version) == ("order-7", None)
    assert "entity_version" not in json.loads(bytes(event.content.body))


@pytest.mark.parametrize(
    "change",
    [{"data": 2}, {"event_type": "u"}, {"entity": "order-7"}, {"entity": "order-7", "entity_version": 1}],
)
def test_other_data_or_type_under_one_id_is_a_conflict_and_kept(change: dict[str, Any]) -> None:
    source = make.source()
    first = say(source)
    assert say(source, **change) == store.Conflict(first.event_id)
    refusal = Refusal.objects.get()
    assert (refusal.reason, refusal.event_id, Event.objects.count()) == ("id-conflict", first.event_id, 1)


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("event_id", {"event_id": ""}),
        ("event_id", {"event_id": "x" * 501}),
        ("event_id", {"event_id": "\0"}),
        ("event_type", {"event_type": " "}),
        ("event_type", {"event_type": "order.*"}),
        ("event_type", {"event_type": "x" * 201}),
        ("event_type", {"event_type": "\ud800"}),
        ("entity", {"entity": ""}),
        ("entity", {"entity": "x" * 501}),
        ("entity", {"entity": "a\0"}),
        ("entity_version", {"entity_version": 1}),
        ("entity_version", {"entity": "order-7", "entity_version": -1}),
        ("entity_version", {"entity": "order-7", "entity_version": 2**63}),
        ("data", {"data": float("nan")}),
        ("data", {"data": "\ud800"}),
        ("data", {"data": object()}),
        ("data", {"data": "x" * 1_048_576}),
    ],
)
def test_what_cannot_be_an_event_is_refused_by_field(field: str, given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        say(make.source(), **given)
    assert list(caught.value.message_dict) == [field]
    assert not Event.objects.exists()


def test_a_source_that_changed_since_it_was_read_is_read_again() -> None:
    source = make.source()
    update_source(source_id=source.id, name="Renamed", actor="test")
    assert isinstance(say(source), store.Stored)


def test_nothing_is_published_to_a_source_that_was_disabled_meanwhile() -> None:
    source = make.source()
    update_source(source_id=source.id, is_enabled=False, actor="test")
    with pytest.raises(ValidationError, match="This source is disabled"):
        say(source)
    assert not Event.objects.exists()


def test_nothing_is_published_to_a_source_that_is_gone() -> None:
    source = make.source()
    Source.objects.all().delete()
    with pytest.raises(ValidationError, match="This source is gone"):
        say(source)
