"""Which fact a request reports: where ids, types and times are looked for, and what is made of garbage."""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from webhooks.deciders.identify import Identity, check_place, identify
from webhooks.deciders.schemes import scheme
from webhooks.deciders.verify import Arrival, Refused

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def found(
    body: bytes, *, row: str = "none", id_from: str = "", type_from: str = "", **headers: str
) -> Identity | Refused:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    came = Arrival(method="POST", headers=given, body=body, query="", remote_address="", received_at=NOW)
    return identify(scheme=scheme(row), id_from=id_from, type_from=type_from, arrival=came)


def named(body: bytes, **options: Any) -> tuple[str, str]:
    identity = found(body, **options)
    assert isinstance(identity, Identity)
    assert identity.kind == "id"
    return identity.external_id, identity.event_type


def is_fingerprint(identity: Identity | Refused, body: bytes) -> bool:
    return (
        isinstance(identity, Identity)
        and identity.kind == "fingerprint"
        and identity.external_id == hashlib.sha256(body).hexdigest()
    )


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"event_id":"a1b2","event_type":"user.created","data":{}}', ("a1b2", "user.created")),
        (b'{"event_id":"e","webhook_type":"status.updated","id":"s"}', ("e", "status.updated")),
        (b'{"id":"evt_1","type":"charge.paid"}', ("evt_1", "charge.paid")),
        (b'{"event_id":null,"id":"x","event_type":{"a":1},"type":"t"}', ("x", "t")),
        (b'{"event_id":"  ","id":"x"}', ("x", "")),
        (b'{"event_id":42}', ("42", "")),
        (b'{"event_id":1.50}', ("1.50", "")),
        (b'{"event_id":12345678901234567890123}', ("12345678901234567890123", "")),
        (b'{"event_id":"first","event_id":"last"}', ("last", "")),
        (b'\xef\xbb\xbf{"event_id":"bom"}', ("bom", "")),
        ('{"event_id":"é"}'.encode(), ("é", "")),
    ],
)
def test_a_usual_body_is_understood_without_configuration(body: bytes, expected: tuple[str, str]) -> None:
    assert named(body) == expected


def test_the_header_webhook_id_goes_before_the_body() -> None:
    assert named(b'{"event_id":"body","type":"t"}', webhook_id="header") == ("header", "t")


def test_standard_webhooks_takes_its_signed_header_and_no_other_id() -> None:
    assert named(b'{"id":"body","type":"t"}', row="standard-webhooks", webhook_id="m1") == ("m1", "t")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[1,2]",
        b'"text"',
        b"null",
        b"NaN",
        b"{}",
        b'{"event_id":true}',
        b'{"event_id":NaN}',
        b'{"event_id":["a"]}',
        b'{"event_id":"\xff"}',
        b"\xed\xa0\x80",
        b"[" * 10_000,
        b'{"event_id":"deep","a":' + b"[" * 10_000 + b"]" * 10_000 + b"}",
    ],
    ids=range(14),
)
def test_where_there_is_no_id_the_body_s_fingerprint_stands_in(body: bytes) -> None:
    assert is_fingerprint(found(body), body)


def test_a_number_of_5000_digits_does_not_hide_the_id_beside_it() -> None:
    assert named(b'{"event_id":"a1","n":' + b"9" * 5_000 + b',"x":1E400,"y":NaN}') == ("a1", "")


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b'{"event_id":"' + b"x" * 501 + b'"}', "The event id is longer than 500 characters."),
        (b'{"event_id":' + b"9" * 5_000 + b"}", "The event id is longer than 500 characters."),
        (b'{"event_type":"' + b"x" * 201 + b'"}', "The event type is longer than 200 characters."),
        (b'{"event_id":"a\\u0000"}', "The event id holds a control character or half a character."),
        (b'{"event_id":"\\ud800"}', "The event id holds a control character or half a character."),
        (b'{"event_type":"a\\nb"}', "The event type holds a control character or half a character."),
    ],
)
def test_an_id_or_type_that_cannot_be_kept_is_refused(body: bytes, detail: str) -> None:
    assert found(body) == Refused(reason="identity-invalid", detail=detail)


@pytest.mark.parametrize("length", [500])
def test_the_longest_id_is_taken(length: int) -> None:
    assert named(b'{"event_id":"' + b"x" * length + b'"}') == ("x" * length, "")


@pytest.mark.parametrize(
    ("id_from", "type_from", "expected"),
    [
        ("header:X-Request-Id", "header:x-topic", ("r1", "orders")),
        ("meta.key", "join('.', [kind, action])", ("k1", "order.paid")),
        ("items[0].n", "amount > `100` && 'big' || 'small'", ("7", "big")),
    ],
)
def test_a_source_may_say_where_id_and_type_lie(id_from: str, type_from: str, expected: Any) -> None:
    body = b'{"event_id":"no","type":"no","meta":{"key":"k1"},"kind":"order","action":"paid","amount":101,"items":[{"n":7}]}'  # noqa: E501
    headers = {"x_request_id": "r1", "x_topic": "orders"}
    assert named(body, id_from=id_from, type_from=type_from, **headers) == expected


@pytest.mark.parametrize("id_from", ["header:x-absent", "absent", "data", "join('-', data)", "data[*].id"])
def test_where_the_source_says_and_nothing_lies_the_fingerprint_stands_in(id_from: str) -> None:
    body = b'{"event_id":"not this","data":[{"id":1}]}'
    assert is_fingerprint(found(body, id_from=id_from), body)


@pytest.mark.parametrize("body", [b"not json", b"[" * 10_000, b'{"a":NaN}', b'{"a":' + b"9" * 5_000 + b"}"])
def test_an_expression_on_a_body_it_cannot_read_finds_nothing(body: bytes) -> None:
    assert is_fingerprint(found(body, id_from="a", type_from="a"), body)


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        (b'"2026-05-04T03:02:01Z"', datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)),
        (b'"2026-05-04T03:02:01.5+02:00"', datetime(2026, 5, 4, 1, 2, 1, 500_000, tzinfo=UTC)),
        (b'"2026-05-04T03:02:01"', datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)),
        (b"1614265330", datetime(2021, 2, 25, 15, 2, 10, tzinfo=UTC)),
        (b"1614265330000", datetime(2021, 2, 25, 15, 2, 10, tzinfo=UTC)),
        (b'"1614265330"', datetime(2021, 2, 25, 15, 2, 10, tzinfo=UTC)),
        (b'"yesterday"', None),
        (b'"0001-01-01T00:00:00+14:00"', None),
        (b'"9999-99-99"', None),
        (b"1E400", None),
        (b"NaN", None),
        (b"9" * 5_000, None),
        (b"{}", None),
    ],
    ids=range(13),
)
def test_the_event_s_own_time_is_read_in_its_usual_forms(time: bytes, expected: datetime | None) -> None:
    identity = found(b'{"timestamp":' + time + b"}")
    assert isinstance(identity, Identity)
    assert identity.occurred_at == expected


@pytest.mark.parametrize("place", ["header:", "header:a b", "header:é", "data.[", " ", "x" * 4_001])
def test_a_place_that_is_none_is_refused_when_it_is_saved(place: str) -> None:
    with pytest.raises(ValueError):
        check_place(place)


@pytest.mark.parametrize("place", ["header:X-Request-Id", "data.id", "join('-', [a, b])"])
def test_a_header_or_an_expression_is_a_place(place: str) -> None:
    check_place(place)


def envelope(**more: Any) -> bytes:
    """As Weir itself publishes, and sends on."""
    ours = {"event_id": "a1", "event_type": "t", "timestamp": "2026-01-01T00:00:00Z", "data": {}}
    return json.dumps(ours | more).encode()


@pytest.mark.parametrize("row", ["none", "standard-webhooks"])
@pytest.mark.parametrize(
    ("body", "subject"),
    [
        (envelope(entity="order-7", entity_version=3), ("order-7", 3)),
        (envelope(entity="order-7", entity_version=2**63 - 1), ("order-7", 2**63 - 1)),
        (envelope(entity="order-7", entity_version=0), ("order-7", 0)),
        (envelope(entity="order-7"), ("order-7", None)),
        (envelope(entity_version=3), ("", None)),
        (envelope(entity=None, entity_version=3), ("", None)),
        (envelope(entity={"id": 7}, entity_version=3), ("", None)),
        (envelope(), ("", None)),
        (b'{"event_id":"a1","event_type":"t","data":{},"entity":"order-7","entity_version":3}', ("", None)),
        (b'{"entity":"event","entity_version":3}', ("", None)),
        (b'["event_id","event_type","timestamp","data"]', ("", None)),
    ],
)
def test_only_the_hubs_own_envelope_names_an_entity(
    body: bytes, subject: tuple[str, int | None], row: str
) -> None:
    identity = found(body, row=row, webhook_id="a1")
    assert isinstance(identity, Identity)
    assert (identity.entity, identity.entity_version) == subject


@pytest.mark.parametrize(
    ("more", "flaw"),
    [
        ({"entity": "x" * 501}, "The entity is longer than 500 characters."),
        ({"entity": "a\0"}, "The entity holds a control character or half a character."),
        *[
            (
                {"entity": "order-7", "entity_version": version},
                "An entity version is a whole number from 0 to 9223372036854775807.",
            )
            for version in (-1, 1.5, 2**63, 10**400, "first", "٣")
        ],
    ],
)
def test_an_entity_or_version_that_cannot_be_kept_is_refused(more: dict[str, Any], flaw: str) -> None:
    assert found(envelope(**more)) == Refused(reason="identity-invalid", detail=flaw)
