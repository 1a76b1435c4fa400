"""What was published before is published again by what the process remembers, with one statement, and is never
stored by what no longer holds: a key, a source or a type that anybody changed counts from the very next request."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request as WebRequest
from urllib.request import urlopen

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY
from pytest_django import Settings
from rest_framework import serializers

from tests import make
from tests.callers import Caller, with_key
from tests.web_servers import web_server_beside
from webhooks import receipt_sql
from webhooks.deciders import plain_publication
from webhooks.models import (
    ApiKey,
    ApiUsage,
    BusinessKey,
    Event,
    EventKey,
    EventType,
    EventTypeState,
    Refusal,
    Source,
)
from webhooks.publish_api import PublishDoor
from webhooks.serializers import Publication
from webhooks.services import api_rate, event_types, known_publishers
from webhooks.services.keys import USE_NOTED_EVERY, create_api_key, revoke_api_key
from webhooks.services.sources import update_source

pytestmark = pytest.mark.django_db(transaction=True)

HOME = "/api/v1/events"
AT_ONCE = {"postgresql": ["EXECUTE"], "sqlite": ["BEGIN", "INSERT", "INSERT", "INSERT", "COMMIT"]}


def body(event_id: str = "e1", **more: Any) -> dict[str, Any]:
    return {"source": "shop", "event_id": event_id, "event_type": "order.placed", "data": {"n": 1}, **more}


@pytest.fixture(autouse=True)
def rate(settings: Settings) -> Iterator[None]:
    settings.HUB_API_RATE = 10_000
    api_rate._blocks.clear()
    yield
    api_rate._blocks.clear()


@pytest.fixture
def caller() -> Caller:
    """Whose key, source and type are remembered, since it published before."""
    make.source("shop")
    caller = with_key("publisher")
    assert caller.post(HOME, body("first")).status_code == 201
    return caller


@pytest.fixture
def long_way(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A line for each request that was not answered at once."""
    taken: list[str] = []
    create = PublishDoor.create

    def noting(door: PublishDoor, request: Any) -> Any:
        taken.append(request.method)
        return create(door, request)

    monkeypatch.setattr(PublishDoor, "create", noting)
    return taken


def statements(act: Callable[[], Any]) -> list[str]:
    """The first words of what was asked of the database."""
    with CaptureQueriesContext(connection) as asked:
        act()
    return [each["sql"].split()[0] for each in asked]


# -- what it costs -------------------------------------------------------------------------------------


def test_it_costs_the_statement_that_stores_it_and_nothing_else(caller: Caller) -> None:
    answers: list[Any] = []
    caller.post(HOME, body("warm"))  # a connection plans its statement once
    assert statements(lambda: answers.append(caller.post(HOME, body("e1")))) == AT_ONCE[connection.vendor]
    assert answers[0].status_code == 201
    assert Event.objects.filter(external_id="e1").count() == 1


def test_with_a_schema_and_an_entity_it_costs_no_more(caller: Caller) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    event_types.create_event_type(name="order.placed", schema=schema, actor="ada")
    for event_id in ("second", "third"):
        caller.post(HOME, body(event_id))
    more = body("e1", entity="order-7", entity_version=3)
    assert statements(lambda: caller.post(HOME, more)) == AT_ONCE[connection.vendor]
    event = Event.objects.get(external_id="e1")
    assert (event.entity, event.entity_version) == ("order-7", 3)


def test_it_is_answered_to_the_last_header_as_the_long_way(caller: Caller, long_way: list[str]) -> None:
    at_once = caller.post(HOME, body("e1"))
    assert long_way == []
    known_publishers._keys.clear()
    by_the_tables = caller.post(HOME, body("e2"))
    assert long_way == ["POST"]
    assert _headers(at_once) == _headers(by_the_tables)
    assert set(at_once.headers) >= {
        "RateLimit",
        "RateLimit-Policy",
        "X-Content-Type-Options",
        "Content-Length",
    }
    first, second = (at_once.json(), by_the_tables.json())
    assert list(first) == list(second) == ["id", "event_id", "status"]
    assert (first["event_id"], first["status"]) == ("e1", "accepted")
    assert len(at_once.content) == len(by_the_tables.content)


def _headers(answer: Any) -> dict[str, str]:
    return {name: text for name, text in answer.headers.items() if name != "RateLimit"}


@pytest.mark.parametrize("host", ["elsewhere.example", "testserver:port", "a b", "testserver\0"])
def test_for_a_host_that_is_not_ours_it_is_refused_as_ever(caller: Caller, host: str) -> None:
    answer = caller.post(HOME, body("e1"), HTTP_HOST=host)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")
    assert not Event.objects.filter(external_id="e1").exists()


@pytest.mark.parametrize("host", ["testserver", "testserver:8443", "TestServer", "testserver."])
def test_for_a_host_that_is_ours_the_port_is_nobody_s_concern(
    caller: Caller, long_way: list[str], host: str
) -> None:
    assert caller.post(HOME, body("e1"), HTTP_HOST=host).status_code == 201
    assert long_way == []


def test_it_is_counted_as_by_the_long_way(caller: Caller, long_way: list[str]) -> None:
    caller.post(HOME, body("warm"))
    before = counted()
    caller.post(HOME, body("e1"))
    at_once = counted() - before
    assert long_way == []
    known_publishers._keys.clear()
    before = counted()
    caller.post(HOME, body("e2"))
    assert long_way == ["POST"]
    assert at_once == counted() - before
    name = "django_http_responses_total_by_status_view_method_total"
    assert at_once[name, (("method", "POST"), ("status", "201"), ("view", "event-list"))] == 1


def counted() -> Counter[tuple[str, tuple[tuple[str, str], ...]]]:
    """All that django-prometheus counts of requests: of how long they took, how many; of templates nothing."""
    samples = (sample for family in REGISTRY.collect() for sample in family.samples)
    return Counter(
        {
            (each.name, tuple(sorted(each.labels.items()))): int(each.value)
            for each in samples
            if each.name.startswith("django_http_")
            and not each.name.endswith("_created")
            and "templatename" not in each.name
            and not ("latency" in each.name and not each.name.endswith("_count"))
        }
    )


def test_it_is_stored_as_by_the_long_way(caller: Caller, long_way: list[str]) -> None:
    event_id = caller.post(HOME, body("e1")).json()["event_id"]
    known_publishers._keys.clear()
    caller.post(HOME, body("e2"))
    assert long_way == ["POST"]
    columns = ("event_type", "state", "size", "verified_by", "entity", "target_id", "deliver_at", "source_id")
    first, second = (
        Event.objects.filter(external_id=name).values_list(*columns).get() for name in (event_id, "e2")
    )
    assert first == second


def test_each_request_counts_once_against_the_rate(caller: Caller, settings: Settings) -> None:
    settings.HUB_API_RATE = 100
    left = [_left(caller.post(HOME, body(name))) for name in ("a", "b", "a", "a", "c")]
    assert left == [left[0] - number for number in range(5)]  # duplicates, which go both ways, among them


def _left(answer: Any) -> int:
    return int(answer["RateLimit"].split(";")[1].removeprefix("r="))


# -- what no longer holds ------------------------------------------------------------------------------


def _key() -> Any:
    return ApiKey.objects.filter(role="publisher")


def _bind_elsewhere() -> None:
    _key().get().sources.add(make.source("till"))


def _rename() -> None:
    update_source(source_id=Source.objects.get(slug="shop").pk, slug="store", actor="ada")


def _type(**given: Any) -> None:
    event_types.create_event_type(name="order.placed", actor="ada", **given)


def _archive() -> None:
    _type()
    event_types.archive(event_type_id=EventType.objects.get().pk, actor="ada")


CHANGES: dict[str, tuple[Callable[[], Any], int, str]] = {
    "revoked": (lambda: revoke_api_key(key_id=_key().get().pk, actor="ada"), 401, ""),
    "revoked by hand": (lambda: _key().update(revoked_at=timezone.now()), 401, ""),
    "expired": (lambda: _key().update(expires_at=timezone.now()), 401, ""),
    "deleted": (lambda: _key().delete(), 401, ""),
    "another role": (lambda: _key().update(role="viewer"), 403, ""),
    "bound elsewhere": (_bind_elsewhere, 400, "source"),
    "source disabled": (lambda: Source.objects.filter(slug="shop").update(is_enabled=False), 400, "source"),
    "source renamed": (_rename, 400, "source"),
    "type archived": (_archive, 400, "event_type"),
    "type with a schema": (lambda: _type(schema={"required": ["total"]}), 400, "data"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_changed_counts_from_the_very_next_request(
    caller: Caller, change: str, long_way: list[str]
) -> None:
    act, status, field = CHANGES[change]
    assert caller.post(HOME, body("before")).status_code == 201
    assert long_way == []  # so it was remembered
    act()
    for event_id in ("after", "again", "before"):
        answer = caller.post(HOME, body(event_id))
        assert (answer.status_code, list(answer.json().get("errors", {}))) == (
            status,
            [field] if field else [],
        )
        assert ("RateLimit" in answer) == (status == 400)  # who may not is told nothing of it
    assert sorted(Event.objects.values_list("external_id", flat=True)) == ["before", "first"]
    assert EventKey.objects.filter(duplicates__gt=0).count() == 0


def test_a_type_that_is_known_is_held_to_its_new_schema_and_state(
    caller: Caller, long_way: list[str]
) -> None:
    _type(schema={"required": ["n"]})
    kind = EventType.objects.get().pk
    assert [caller.post(HOME, body(name)).status_code for name in ("a", "b")] == [201, 201]
    event_types.update_event_type(event_type_id=kind, schema={"required": ["total"]}, actor="ada")
    assert caller.post(HOME, body("c")).json()["errors"] == {"data": ["data: 'total' is a required property"]}
    event_types.update_event_type(event_type_id=kind, schema=None, actor="ada")
    assert [caller.post(HOME, body(name)).status_code for name in ("d", "e")] == [201, 201]
    EventType.objects.update(state=EventTypeState.ARCHIVED)  # by hand: no service noted the time
    assert caller.post(HOME, body("f")).status_code == 400
    EventType.objects.all().delete()
    long_way.clear()
    assert [caller.post(HOME, body(name)).status_code for name in ("g", "h")] == [201, 201]
    assert long_way == ["POST"]


def test_that_a_type_is_deprecated_is_told_at_once_and_ever_after(
    caller: Caller, long_way: list[str]
) -> None:
    _type()
    caller.post(HOME, body("a"))
    event_types.deprecate(event_type_id=EventType.objects.get().pk, actor="ada")
    long_way.clear()
    told = [caller.post(HOME, body(name)) for name in ("b", "c")]
    assert long_way == ["POST"]
    assert {each["Deprecation"][0] for each in told} == {"@"}
    assert told[0].json()["deprecated"] == told[1].json()["deprecated"] != []


def test_new_business_keys_of_a_source_name_the_next_event(caller: Caller) -> None:
    update_source(source_id=Source.objects.get().pk, business_keys={"n": "data.n"}, actor="ada")
    for name in ("a", "b"):
        assert caller.post(HOME, body(name)).status_code == 201
    assert list(BusinessKey.objects.values_list("name", "value")) == [("n", "1"), ("n", "1")]


def test_a_key_that_is_bound_to_the_source_publishes_at_once(long_way: list[str]) -> None:
    make.source("till")
    caller = with_key("publisher", sources=[make.source("shop")])
    assert [caller.post(HOME, body(name)).status_code for name in ("a", "b")] == [201, 201]
    assert len(long_way) == 1
    assert caller.post(HOME, body("c", source="till")).status_code == 400
    with_key("publisher").post(HOME, body("d", source="till"))  # now that source is known, too
    assert caller.post(HOME, body("e", source="till")).status_code == 400
    assert sorted(Event.objects.values_list("external_id", flat=True)) == ["a", "b", "d"]


def test_a_repeat_and_a_conflict_are_told_as_ever(caller: Caller) -> None:
    first = caller.post(HOME, body("e1")).json()
    again, other = caller.post(HOME, body("e1")), caller.post(HOME, body("e1", data={"n": 2}))
    assert (again.status_code, again.json()) == (200, {**first, "status": "duplicate"})
    assert other.status_code == 409
    key = EventKey.objects.get(event_id=Event.objects.get(external_id="e1").pk)
    assert (key.duplicates, key.conflicts, Refusal.objects.count()) == (1, 1, 1)


def test_when_it_is_enough_for_a_minute_nothing_is_stored(caller: Caller, settings: Settings) -> None:
    api_rate._blocks.clear()
    settings.HUB_API_RATE = 2
    ApiUsage.objects.all().delete()
    answers = [caller.post(HOME, body(name)) for name in ("a", "b", "c")]
    assert [each.status_code for each in answers] == [201, 201, 429]
    assert answers[2]["Retry-After"]
    assert not Event.objects.filter(external_id="c").exists()


def test_a_key_that_is_revoked_here_is_refused_by_another_process_at_once(
    tmp_path: Path, free_port: int
) -> None:
    make.source("shop")
    row, plain = create_api_key(role="publisher")
    with web_server_beside(tmp_path, free_port, "/livez") as address:
        told = [_said_to(address, plain, name) for name in ("a", "b", "c")]
        revoke_api_key(key_id=row.pk, actor="ada")
        told += [_said_to(address, plain, name) for name in ("d", "c")]
    assert told == [201, 201, 201, 401, 401]
    assert sorted(Event.objects.values_list("external_id", flat=True)) == ["a", "b", "c"]


def _said_to(address: str, key: str, event_id: str) -> int:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    said = json.dumps(body(event_id)).encode()
    try:
        with urlopen(WebRequest(f"{address}{HOME}", data=said, headers=headers), timeout=20) as answer:
            return int(answer.status)
    except HTTPError as error:
        return error.code


# -- what goes the long way ----------------------------------------------------------------------------


def test_a_use_is_noted_once_a_minute_although_the_key_is_remembered(
    caller: Caller, long_way: list[str]
) -> None:
    key = next(each for each in known_publishers._keys.values() if each.pk == _key().get().pk)
    assert key.last_used_at is not None
    then = key.last_used_at = key.last_used_at - USE_NOTED_EVERY - timedelta(seconds=1)
    _key().update(last_used_at=then)
    for name in ("a", "b"):
        caller.post(HOME, body(name))
    assert len(long_way) == 1
    used = _key().get().last_used_at
    assert used is not None and used > then + USE_NOTED_EVERY


@pytest.mark.parametrize(
    ("headers", "more"),
    [
        ({"HTTP_IDEMPOTENCY_KEY": '"k"'}, {}),
        ({"CONTENT_TYPE": "application/json; charset=us-ascii"}, {}),
        ({}, {"deliver_at": "2020-01-01T00:00:00Z"}),
        ({}, {"source": " shop"}),
        ({}, {"event_id": " e1 "}),
    ],
)
def test_what_is_unusual_goes_the_long_way(
    caller: Caller, headers: dict[str, str], more: dict[str, str], long_way: list[str]
) -> None:
    text = json.dumps(body("e1") | more)
    kind = headers.get("CONTENT_TYPE", "application/json")
    answer = caller.generic("POST", HOME, text, content_type=kind, **headers)  # type: ignore[arg-type]
    assert answer.status_code == (400 if more.get("source") else 201)
    assert len(long_way) == 1


@pytest.mark.parametrize("act", ["cancel", "release", "discard"])
def test_an_act_upon_an_event_publishes_nothing_whatever_its_body_says(act: str) -> None:
    make.source("shop")
    caller = with_key()
    name = caller.post(HOME, body("first")).json()["id"]
    answer = caller.post(f"{HOME}/{name}/{act}", body("e1"))
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    assert Event.objects.get().external_id == "first"


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"data": NaN}', "\ufeff{}", "[" * 100_000, '{"data": ' + "9" * 5_000 + "}"]
)
def test_a_body_that_is_no_proper_json_is_refused_as_ever(caller: Caller, text: str) -> None:
    answer = caller.generic("POST", HOME, text, content_type="application/json")
    known_publishers._keys.clear()
    by_the_tables = caller.generic("POST", HOME, text, content_type="application/json")
    assert answer.status_code == by_the_tables.status_code == 400
    assert answer.json() | {"instance": 0} == by_the_tables.json() | {"instance": 0}


@pytest.mark.parametrize(
    ("number", "named"),
    [
        ("1e999", "1e999"),
        ('{"n": -1e999}', "-1e999"),
        ("12345678901234567890.12", "12345678901234567890.12"),
        ("[0.10000000000000000001]", "0.10000000000000000001"),
        ("1e-400", "1e-400"),
        ("0e99999999999999999999", "0e99999999999999999999"),
        ("1." + "1" * 100, "1." + "1" * 48),
    ],
)
def test_a_number_that_would_lose_a_digit_is_refused_by_name(caller: Caller, number: str, named: str) -> None:
    text = json.dumps(body("e1")).replace('{"n": 1}', number)
    told = []
    for address, said in ((HOME, text), (f"{HOME}/batch", f'{{"events": [{text}]}}')):
        answer = caller.generic("POST", address, said, content_type="application/json")
        told.append((answer.status_code, answer.json()["detail"]))
    sentence = f"The number {named} would not be kept digit by digit; send it as a text."
    assert told == [(400, sentence)] * 2
    assert Event.objects.get().external_id == "first"


@pytest.mark.parametrize(
    "number", ["10.10", "1E2", "0.30000000000000004", "5e-324", "123456789012345.6", "-0.0"]
)
def test_a_number_that_keeps_its_value_is_taken_as_it_may_be_written_otherwise(
    caller: Caller, number: str
) -> None:
    text = json.dumps(body("e1")).replace('{"n": 1}', number)
    assert caller.generic("POST", HOME, text, content_type="application/json").status_code == 201
    kept = json.loads(bytes(Event.objects.get(external_id="e1").content.body), parse_float=Decimal)["data"]
    assert kept == Decimal(number)


class Torn(BytesIO):
    """A body whose sender went away."""

    def read(self, *given: Any) -> bytes:
        raise OSError("gone")


def test_a_body_that_breaks_off_is_the_callers_fault(caller: Caller) -> None:
    more: Any = {"wsgi.input": Torn(b"{}")}
    answer = caller.generic("POST", HOME, "{}", content_type="application/json", **more)
    assert (answer.status_code, answer.json()["detail"]) == (400, "The body ended before its Content-Length.")


def test_with_the_database_away_it_is_503(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*given: Any) -> bool:
        raise OperationalError("no route to host")

    monkeypatch.setattr("webhooks.store.insert", refuse)
    answer = caller.post(HOME, body("e1"))
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")


@pytest.mark.postgresql
def test_it_is_stored_once_when_the_answer_was_lost_with_the_connection(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute, tries = receipt_sql._execute, []

    def lose_the_first_answer(*given: Any) -> bool:
        tries.append(execute(*given))
        if len(tries) == 1:
            connection.connection.close()
            raise OperationalError("server closed the connection unexpectedly")
        return tries[-1]

    monkeypatch.setattr(receipt_sql, "_execute", lose_the_first_answer)
    said = body()
    del said["event_id"]
    answer = caller.post(HOME, said)
    assert tries == [True, False, False]
    assert (answer.status_code, answer.json()["status"]) == (200, "duplicate")
    assert Event.objects.exclude(external_id="first").get().external_id == answer.json()["event_id"]


# -- the plain reading ---------------------------------------------------------------------------------


class Whole(Publication):
    """As the serializer reads it, with the source as it was named."""

    source = serializers.CharField(trim_whitespace=False, allow_blank=True)  # type: ignore[assignment]


# What is no number of JSON's is refused when the event is written, by whichever way it was read.
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
ODD = st.one_of(st.none(), st.booleans(), st.integers(), FLOATS, st.lists(st.text()))
TEXT = st.one_of(
    st.text(max_size=8), st.sampled_from([" a", "a ", "\0", "\ud800", "x" * 501, "x" * 201]), ODD
)
FIELDS = st.fixed_dictionaries(
    {"source": st.sampled_from(["shop", "", "src_1"]), "event_type": TEXT, "data": st.one_of(ODD, st.text())},
    optional={
        "event_id": TEXT,
        "entity": TEXT,
        "entity_version": st.one_of(ODD, st.just(2**63)),
        "colour": st.text(),
    },
)


@given(said=FIELDS)
def test_what_is_read_plainly_is_read_as_the_serializer_would(said: dict[str, Any]) -> None:
    plain = plain_publication.read(said)
    if plain is None:
        return
    wanted = Whole(data=said)
    assert wanted.is_valid(), wanted.errors
    told = {name: each for name, each in plain._asdict().items() if name in said}
    assert dict(wanted.validated_data) == told
    assert {type(each) for each in told.values()} == {type(each) for each in wanted.validated_data.values()}


@pytest.mark.parametrize("said", [None, 1, "text", [], {}, {"source": "shop", "event_type": "t"}])
def test_what_is_no_publication_is_not_read_plainly(said: object) -> None:
    assert plain_publication.read(said) is None


def test_what_most_say_is_read_plainly() -> None:
    assert plain_publication.read(body("e1")) == ("shop", "e1", "order.placed", {"n": 1}, None, None)
    assert plain_publication.read(body("Ä")) is not None
