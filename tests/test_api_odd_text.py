"""Half a character or a NUL, wherever it stands in a body, is refused by the name of its place, and by no 500."""

import json
from typing import Any

import pytest

from tests import make
from tests.callers import with_key
from webhooks.models import Event, EventType, Source

pytestmark = pytest.mark.django_db

HALF = "\ud800"
UNSTORABLE = "This holds a NUL or half a character, which cannot be stored."


@pytest.mark.parametrize(
    ("path", "body", "errors"),
    [
        ("subscribers", {HALF: 1}, {HALF: ["There is no such field."]}),
        ("events", {"source": HALF, "event_type": "t", "data": 1}, {"source": ["There is no such source."]}),
        (
            "events",
            {"source": "shop", "event_type": "t", "data": 1, HALF: 1},
            {HALF: ["There is no such field."]},
        ),
        (
            "events/batch",
            {"events": [{"source": "shop", "event_type": "t", "data": 1, HALF: 1}]},
            {"events": {"0": {HALF: ["There is no such field."]}}},
        ),
        ("api-keys", {"role": HALF}, {"role": [f'"{HALF}" is not a valid choice.']}),
        (
            "api-keys",
            {"role": "publisher", "sources": [HALF]},
            {"sources": ["There is no such source."]},
        ),
        ("event-types", {"name": "t", "schema": {HALF: 1}}, {"schema": [UNSTORABLE]}),
        ("event-types", {"name": "t", "schema": {"title": ["\0"]}}, {"schema": [UNSTORABLE]}),
        ("event-types", {"name": "t", "example": {"a": [{"b": HALF}]}}, {"example": [UNSTORABLE]}),
        ("event-types", {"name": "t", "example": "\0"}, {"example": [UNSTORABLE]}),
        ("sources", {"name": "s", "slug": "s", "options": {"a": HALF}}, {"options": [UNSTORABLE]}),
        (
            "sources",
            {"name": "s", "slug": "s", "business_keys": {"a": "\0"}},
            {"business_keys": [UNSTORABLE]},
        ),
    ],
)
def test_it_is_refused_and_nothing_is_made(path: str, body: dict[str, Any], errors: dict[str, Any]) -> None:
    make.source()
    answer = with_key().post(f"/api/v1/{path}", data=json.dumps(body), content_type="application/json")
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    told = answer.json()["errors"]
    assert {field: told[field] for field in errors} == errors
    assert not Event.objects.exists()
    assert not EventType.objects.exists()
    assert [source.slug for source in Source.objects.all()] == ["shop"]


def test_whole_characters_of_any_script_are_answered_as_they_are() -> None:
    answer = with_key().post("/api/v1/subscribers", {"😀": 1})
    assert '"😀":["There is no such field."]' in answer.content.decode()


def test_an_example_keeps_every_whole_character() -> None:
    answer = with_key().post("/api/v1/event-types", {"name": "t", "example": {"é😀": "\x01\\u0000"}})
    assert (answer.status_code, answer.json()["example"]) == (201, {"é😀": "\x01\\u0000"})
