"""Every provider's sample, signed apart from what verifies, is taken by the real door."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from tests.certificates import Authority, authority
from webhooks.deciders.options import with_options
from webhooks.deciders.samples import SAMPLES
from webhooks.deciders.schemes import SCHEMES, scheme
from webhooks.deciders.signing import Signed, fill_in, new_pair, sign
from webhooks.models import Event, Refusal
from webhooks.services.sources import create_source

ID = "7f3a91c2d4e805b6"  # long, for it must not stand in a digest by chance
URL = "https://hub.example/in/shop"
ACCOUNT = "arn:aws:sns:us-east-1:123456789012:Sample"


@pytest.fixture(scope="module")
def signer() -> Authority:
    return authority()


def send(signed: Signed) -> Any:
    headers = {name: value for name, value in signed.headers.items() if name != "content-type"}
    return Client().post(
        "/in/shop", signed.body, content_type=signed.headers["content-type"], headers=headers
    )


@pytest.mark.django_db
@pytest.mark.parametrize("slug", sorted(SCHEMES))
def test_a_sample_of_every_provider_is_taken(slug: str, signer: Authority) -> None:
    row = scheme(slug)
    held, secret = new_pair(row, b"seed")
    options = {"public_url": URL} | ({"account": ACCOUNT} if row.needs_certificate else {})
    create_source(
        name="S",
        slug="shop",
        scheme=slug,
        secret=held if row.needs_secret else "",
        options=options,
        pinned_certificate=signer.certificate if row.needs_certificate else "",
        actor="test",
    )
    own = with_options(row, options)
    unsigned = fill_in(SAMPLES[slug], id=ID, at=datetime.now(UTC))
    signed = sign(own, unsigned, secret=signer.private if row.needs_certificate else secret, url=URL)
    answer = send(signed)
    assert 200 <= answer.status_code < 300, list(Refusal.objects.values("reason", "detail"))
    event = Event.objects.get()
    assert event.verified_by.startswith(slug) and event.event_type
    has_id = slug not in {"discord", "adyen-platform"}
    assert (ID in event.external_id or event.external_id.isdigit() or "/" in event.external_id) is has_id
    assert send(signed).status_code == (200 if answer.status_code == 202 else answer.status_code)
    assert Event.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("slug", sorted(set(SCHEMES) - {"none"}))
def test_a_sample_signed_by_another_s_secret_is_refused(slug: str, signer: Authority) -> None:
    row = scheme(slug)
    held, _ = new_pair(row, b"seed")
    _, other = new_pair(row, b"other")
    options, pinned = {"public_url": URL}, ""
    if row.needs_certificate:
        held, pinned, other = "", signer.certificate, authority().private
        options["account"] = ACCOUNT
    create_source(
        name="S",
        slug="shop",
        scheme=slug,
        secret=held,
        options=options,
        pinned_certificate=pinned,
        actor="test",
    )
    unsigned = fill_in(SAMPLES[slug], id="7f3a", at=datetime.now(UTC))
    signed = sign(with_options(row, options), unsigned, secret=other, url=URL)
    assert send(signed).status_code == 401
    assert Refusal.objects.get().reason in ("signature-mismatch", "token-mismatch")
    assert not Event.objects.exists()


def test_every_provider_of_the_table_has_a_sample() -> None:
    assert set(SAMPLES) == set(SCHEMES)


def test_blanks_are_filled_in_with_what_they_stand_for() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    body = json.loads(fill_in(SAMPLES["stripe"], id="x", at=at).body)
    assert (body["id"], body["created"]) == ("evt_x", 1767225600)
    again = fill_in(SAMPLES["stripe"], id="x", at=at)
    assert json.loads(again.body) == body
