"""The catalogue of event types: what is published must fit its type; what providers send is never asked to."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import UUID, uuid4

import pytest
from django.core.exceptions import ValidationError
from django.test import Client

from tests import make
from tests.callers import Caller, browser, with_key
from webhooks.ids import public_id
from webhooks.models import AuditEntry, Event, EventType
from webhooks.services import event_types

pytestmark = pytest.mark.django_db

HOME = "/api/v1/event-types"
EVENTS = "/api/v1/events"
SCHEMA = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer", "minimum": 1}}}


@pytest.fixture
def caller() -> Caller:
    make.source("shop")
    return with_key()


def create(caller: Caller, name: str = "order.placed", **more: Any) -> Any:
    return caller.post(HOME, {"name": name, "schema": SCHEMA, **more})


def say(caller: Caller, data: object, event_type: str = "order.placed") -> Any:
    return caller.post(EVENTS, {"source": "shop", "event_type": event_type, "data": data})


def test_a_type_is_made_listed_and_found_by_name_or_id(caller: Caller) -> None:
    made = create(caller, description="A customer paid.", example={"n": 3})
    assert made.status_code == 201
    row = EventType.objects.get()
    told = made.json()
    assert (told["id"], told["state"], told["schema"]) == (public_id("eventtype", row.pk), "active", SCHEMA)
    assert caller.get(HOME).json()["results"] == [told]
    for name in ("order.placed", told["id"]):
        assert caller.get(f"{HOME}/{name}").json() == told
    entry = AuditEntry.objects.get(object_kind="eventtype")
    assert (entry.verb, entry.after["name"]) == ("create", "order.placed")


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"name": "order placed"}, "name"),
        ({"name": "order.*"}, "name"),
        ({"name": "weir.order"}, "name"),
        ({"schema": {"type": "objekt"}}, "schema"),
        ({"schema": {"$ref": "https://example.com/s.json"}}, "schema"),
        ({"example": {"n": 0}}, "example"),
    ],
)
def test_what_cannot_be_a_type_is_refused_by_field(caller: Caller, given: dict[str, Any], field: str) -> None:
    answer = create(caller, **given)
    assert answer.status_code == 400
    assert field in json.dumps(answer.json())
    assert not EventType.objects.exists()


SENTENCE = (
    "Use letters (a-z, A-Z), digits and _, with single dots, colons or hyphens between them, such as order.placed; "
    "at most 200 characters."
)


@pytest.mark.parametrize("name", ["order", "Order.2.placed_", "_a", "shop:order-paid", "a.b:c-d", "x" * 200])
def test_what_is_named_as_the_sentence_says_is_made_and_found_by_its_name(caller: Caller, name: str) -> None:
    assert create(caller, name).status_code == 201
    assert caller.get(f"{HOME}/{name}").json()["name"] == name


@pytest.mark.parametrize("name", ["a/b", "a..b", ".a", "a.", "a-", "a.-b", "é", "a b", "a.b\n", "٣", "a,b"])
def test_what_is_named_otherwise_is_refused_with_the_sentence(caller: Caller, name: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        event_types.create_event_type(name=name, actor="ada")
    assert refusal.value.message_dict == {"name": [SENTENCE]}
    if name == name.strip():
        assert create(caller, name).json()["errors"] == {"name": [SENTENCE]}
    assert not EventType.objects.exists()


def test_one_that_an_earlier_version_took_is_published_under_and_changed_as_before(caller: Caller) -> None:
    row = EventType.objects.create(name="order/placed", schema=SCHEMA)
    assert say(caller, {"n": 0}, "order/placed").status_code == 400
    assert say(caller, {"n": 1}, "order/placed").status_code == 201
    answer = caller.patch(
        f"{HOME}/{public_id('eventtype', row.pk)}", {"description": "Paid.", "name": row.name}
    )
    assert (answer.status_code, answer.json()["description"]) == (200, "Paid.")
    ada = browser(*(f"webhooks.{verb}_eventtype" for verb in ("view", "change")))
    page = f"/admin/webhooks/eventtype/{row.pk}/change/"
    form = {"description": "Sold.", "schema": json.dumps(SCHEMA), "example": "", "state": "active"}
    assert ada.post(page, form).status_code == 302
    row.refresh_from_db()
    assert (row.name, row.description) == ("order/placed", "Sold.")


def test_the_console_says_how_a_type_may_be_named_before_and_after() -> None:
    ada = browser(*(f"webhooks.{verb}_eventtype" for verb in ("view", "add")))
    home = "/admin/webhooks/eventtype/add/"
    assert "dots, colons or hyphens between them; for good." in ada.get(home).content.decode()
    assert SENTENCE in ada.post(home, {"name": "a/b", "description": "Paid."}).content.decode()
    assert not EventType.objects.exists()


def test_a_name_is_taken_once(caller: Caller) -> None:
    create(caller)
    assert create(caller).status_code == 400
    assert EventType.objects.count() == 1


def test_what_is_published_must_fit_its_type(caller: Caller) -> None:
    create(caller)
    answer = say(caller, {"n": 0})
    assert answer.status_code == 400
    assert "data.n: 0 is less than the minimum of 1" in json.dumps(answer.json())
    assert not Event.objects.exists()
    assert say(caller, {"n": 1}).status_code == 201


def test_in_a_batch_every_flaw_is_told_by_its_place(caller: Caller) -> None:
    create(caller)
    events = [{"source": "shop", "event_type": "order.placed", "data": {"n": n}} for n in (1, 0, 2, "x")]
    events.append({"source": "nobody", "event_type": "order.placed", "data": {"n": 1}})
    answer = caller.post(f"{EVENTS}/batch", {"events": events})
    assert answer.status_code == 400
    assert answer.json()["errors"]["events"] == {
        "1": {"data": ["data.n: 0 is less than the minimum of 1"]},
        "3": {"data": ["data.n: 'x' is not of type 'integer'"]},
        "4": {"source": ["There is no such source."]},
    }
    assert not Event.objects.exists()


def test_a_new_schema_holds_from_the_next_event_on(caller: Caller) -> None:
    create(caller)
    assert say(caller, {"n": 5}).status_code == 201
    changed = {"schema": {"properties": {"n": {"maximum": 4}}}}
    assert caller.patch(f"{HOME}/order.placed", changed).status_code == 200
    assert say(caller, {"n": 5}).status_code == 400
    assert caller.patch(f"{HOME}/order.placed", {"schema": None}).status_code == 200
    assert say(caller, "anything").status_code == 201


def test_a_name_is_settled_for_good(caller: Caller) -> None:
    create(caller)
    assert caller.patch(f"{HOME}/order.placed", {"name": "order.paid"}).status_code == 400
    assert EventType.objects.get().name == "order.placed"


def test_a_deprecated_type_is_published_under_and_its_publishers_are_told(caller: Caller) -> None:
    create(caller)
    assert (
        caller.post(f"{HOME}/order.placed/deprecate", {"reason": "order.paid is better"}).status_code == 200
    )
    since = EventType.objects.get().deprecated_at
    answer = say(caller, {"n": 1})
    assert answer.status_code == 201
    assert answer["Deprecation"] == f"@{int(since.timestamp())}"
    assert answer.json()["deprecated"] == [
        f"The event type order.placed is deprecated since {since:%Y-%m-%d}."
    ]
    batch = {"events": [{"source": "shop", "event_type": "order.placed", "data": {"n": 1}}]}
    assert "Deprecation" in caller.post(f"{EVENTS}/batch", batch)
    caller.post(f"{HOME}/order.placed/activate")
    assert "Deprecation" not in say(caller, {"n": 1})


def test_nothing_is_published_under_an_archived_type(caller: Caller) -> None:
    create(caller)
    caller.post(f"{HOME}/order.placed/archive")
    answer = say(caller, {"n": 1})
    assert answer.status_code == 400
    assert "This event type is archived" in json.dumps(answer.json())
    assert not Event.objects.exists()
    assert caller.get(HOME, {"state": "archived"}).json()["results"][0]["name"] == "order.placed"
    assert caller.get(HOME, {"state": "active"}).json()["results"] == []


def test_a_type_that_is_not_in_the_catalogue_is_taken_unless_the_hub_says_otherwise(
    caller: Caller, settings: Any
) -> None:
    assert say(caller, 1, "user.created").status_code == 201
    settings.HUB_KNOWN_TYPES_ONLY = True
    answer = say(caller, 1, "user.created")
    assert answer.status_code == 400
    assert "There is no such event type in the catalogue." in json.dumps(answer.json())


def test_schemas_are_read_once_and_the_least_used_is_forgotten_whoever_else_is_reading(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Stored:
        """Stands in for the table, so that threads meet in the memory and nowhere else."""

        asked: ClassVar[list[UUID]] = []
        objects: ClassVar[Any]

        def values_list(self, *_: str, **__: bool) -> "Stored":
            return self

        def get(self, pk: UUID) -> None:
            self.asked.append(pk)

    Stored.objects = Stored()
    event_types._schema_of.cache_clear()
    monkeypatch.setattr(event_types, "EventType", Stored)
    at, types = datetime(2026, 11, 26, tzinfo=UTC), [uuid4() for _ in range(1_100)]
    for pk in (*types[:2], types[0], *types[2:1_001], *types[:2]):
        assert event_types._schema_of(pk, at) is None
    assert Stored.asked == [*types[:1_001], types[1]]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: {event_types._schema_of(pk, at) for pk in types * 10}, range(8)))
    assert found == [{None}] * 8


def test_nobody_publishes_what_only_weir_may_say(caller: Caller) -> None:
    answer = say(caller, 1, "weir.delivery.dead")
    assert answer.status_code == 400
    assert "Types that begin with weir. are Weir's own." in json.dumps(answer.json())


def test_what_a_provider_sends_is_not_held_to_the_catalogue(caller: Caller) -> None:
    create(caller)
    caller.post(f"{HOME}/order.placed/archive")
    body = {"event_id": "p1", "event_type": "order.placed", "data": {"n": 0}}
    assert Client().post("/in/shop", body, content_type="application/json").status_code == 202


def test_only_operators_change_the_catalogue_over_the_api() -> None:
    for role in ("viewer", "publisher"):
        assert create(with_key(role)).status_code == 403
    assert not EventType.objects.exists()


def test_the_console_makes_and_changes_a_type_and_says_what_is_wrong_beside_the_field() -> None:
    ada = browser(*(f"webhooks.{verb}_eventtype" for verb in ("view", "add", "change")))
    home = "/admin/webhooks/eventtype/"
    form = {
        "name": "order.placed",
        "description": "Paid.",
        "schema": json.dumps(SCHEMA),
        "example": '{"n": 0}',
    }
    refused = ada.post(f"{home}add/", form)
    assert b"It does not fit the schema. data.n: 0 is less than the minimum of 1" in refused.content
    assert not EventType.objects.exists()
    assert ada.post(f"{home}add/", form | {"example": '{"n": 1}'}).status_code == 302
    row = EventType.objects.get()
    page = f"{home}{row.pk}/change/"
    assert ada.post(page, form | {"example": "", "schema": "", "state": "deprecated"}).status_code == 302
    row.refresh_from_db()
    assert (row.state, row.schema, row.example) == ("deprecated", None, None)
    verbs = AuditEntry.objects.filter(object_kind="eventtype").order_by("pk").values_list("verb", flat=True)
    assert list(verbs) == ["create", "update", "deprecate"]
    assert b"Deprecated" in ada.get(home).content


def test_a_schema_that_was_kept_before_its_pattern_was_unfit_is_told_and_is_no_500(caller: Caller) -> None:
    create(caller)
    EventType.objects.update(schema={"pattern": "(?=a)"})
    answer = say(caller, "a" * 60 + "!")
    assert (answer.status_code, answer.json()["errors"]) == (
        400,
        {
            "data": [
                "data: Nothing can be held against its schema. "
                "The pattern '(?=a)' is no regular expression that RE2 reads: invalid perl operator: (?=."
            ]
        },
    )
    assert not Event.objects.exists()


@pytest.mark.parametrize("number", [10**400 + 1, 1.1])
def test_a_number_is_held_against_its_type_however_large_it_is(caller: Caller, number: float) -> None:
    create(caller, schema={"multipleOf": 0.75})
    assert say(caller, number).status_code == 400
