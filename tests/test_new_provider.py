"""A provider of a known family is one row of the table, or a source's options, and nothing else."""

import hmac
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from webhooks.deciders import schemes
from webhooks.deciders.scheme_columns import Kind, Scheme
from webhooks.models import Event
from webhooks.services.sources import create_source

pytestmark = pytest.mark.django_db

AT = 1767225600
BODY = b'{"uid":"u-7","topic":"parcel.left","at":"2026-01-01T00:00:00Z"}'
SIGNATURE = hmac.digest(b"key", b"1767225600." + BODY, "sha512").hex()
HEADERS = {"x-parcel-signature": f"ts={AT}, sig={SIGNATURE}"}
COLUMNS: dict[str, Any] = {
    "signature": "header:x-parcel-signature",
    "separator": ",",
    "pick": "sig",
    "algorithm": "sha512",
    "signed": "{ts}.{body}",
    "timestamp": "field:ts",
}


def send(body: bytes = BODY) -> Any:
    return Client().post("/in/parcels", body, content_type="application/json", headers=HEADERS)


@pytest.fixture(autouse=True)
def clock(monkeypatch: Any) -> None:
    monkeypatch.setattr("webhooks.views.timezone.now", lambda: datetime.fromtimestamp(AT + 60, UTC))


def test_a_row_is_all_a_new_provider_takes(monkeypatch: Any) -> None:
    row = Scheme(
        slug="parcels",
        label="Parcels",
        kind=Kind.HMAC,
        tolerance_s=120,
        id_sources=("json:uid",),
        type_sources=("json:topic",),
        time_sources=("json:at",),
        **COLUMNS,
    )
    monkeypatch.setattr(schemes, "SCHEMES", {**schemes.SCHEMES, "parcels": row})
    create_source(name="Parcels", slug="parcels", scheme="parcels", secret="key", actor="test")
    assert send().status_code == 202
    event = Event.objects.get()
    assert (event.external_id, event.event_type, event.verified_by) == ("u-7", "parcel.left", "parcels …key")
    assert event.occurred_at == datetime(2026, 1, 1, tzinfo=UTC)
    assert send(BODY + b" ").status_code == 401


def test_an_operator_can_fill_in_the_same_without_a_row() -> None:
    create_source(
        name="Parcels",
        slug="parcels",
        scheme="generic-hmac",
        secret="key",
        id_from="uid",
        type_from="topic",
        options=COLUMNS | {"tolerance_s": 120},
        actor="test",
    )
    assert send().status_code == 202
    assert Event.objects.get().external_id == "u-7"
    assert send(BODY + b" ").status_code == 401


def test_what_an_operator_filled_in_bounds_the_age_too() -> None:
    create_source(
        name="Parcels",
        slug="parcels",
        scheme="generic-hmac",
        secret="key",
        options=COLUMNS | {"tolerance_s": 59},
        actor="test",
    )
    assert send().status_code == 401
    assert not Event.objects.exists()
