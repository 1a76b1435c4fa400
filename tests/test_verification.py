"""Who may send: each scheme of the table, against its live secrets, whatever the sender makes up."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from webhooks.deciders.schemes import SCHEMES, UnknownScheme, choices, scheme
from webhooks.deciders.verify import Arrival, LiveSecret, Refused, Verified, check_secret, verify

# The constant that every official Standard Webhooks library is tested with.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NOW = datetime.fromtimestamp(1614265330, UTC)
HEADERS = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
BODY = b'{"test": 2432232314}'


def arrival(body: bytes = BODY, **headers: str) -> Arrival:
    given = {**HEADERS, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return Arrival(method="POST", headers=given, body=body, query="", remote_address="", received_at=NOW)


def standard(
    came: Arrival, *, secrets: tuple[str, ...] = (SECRET,), now: datetime = NOW
) -> Verified | Refused:
    live = [LiveSecret(text=secret, hint=secret[-4:]) for secret in secrets]
    return verify(scheme=scheme("standard-webhooks"), secrets=live, arrival=came, now=now)


def test_a_source_without_a_scheme_takes_from_anyone() -> None:
    assert verify(scheme=scheme("none"), secrets=[], arrival=arrival(), now=NOW) == Verified()


def test_the_published_constant_verifies_and_says_which_secret_matched() -> None:
    assert standard(arrival()) == Verified(secret_hint="LaSw")


def test_any_live_secret_will_do() -> None:
    other = "whsec_" + "A" * 32
    assert standard(arrival(), secrets=(other, SECRET)) == Verified(secret_hint="LaSw")


@pytest.mark.parametrize(
    ("came", "reason"),
    [
        (arrival(body=BODY + b"\n"), "signature-mismatch"),
        (arrival(webhook_id="msg_other"), "signature-mismatch"),
        (arrival(webhook_id="\udcff\x00é"), "signature-mismatch"),
        (arrival(webhook_id=""), "signature-mismatch"),
        (arrival(webhook_signature=""), "signature-missing"),
        (arrival(webhook_signature="garbage"), "signature-malformed"),
        (arrival(webhook_signature="v1,\xff\xfe"), "signature-malformed"),
        (arrival(webhook_signature=",".join([HEADERS["webhook-signature"]] * 2)), "signature-malformed"),
        (arrival(webhook_signature="v2,AAAA"), "signature-mismatch"),
        (arrival(webhook_timestamp=""), "timestamp-missing"),
        (arrival(webhook_timestamp="soon"), "timestamp-malformed"),
        (arrival(webhook_timestamp="9" * 5_000), "timestamp-malformed"),
        (arrival(webhook_timestamp="1614265331"), "signature-mismatch"),
    ],
)
def test_what_was_tampered_with_or_made_up_is_refused_with_a_reason(came: Arrival, reason: str) -> None:
    refused = standard(came)
    assert isinstance(refused, Refused)
    assert refused.reason == reason
    assert refused.detail.endswith(".")


@pytest.mark.parametrize(
    ("late_s", "reason", "detail"),
    [
        (301, "timestamp-stale", "The timestamp is 301 s behind this hub's clock; 300 s are allowed."),
        (-301, "timestamp-future", "The timestamp is 301 s ahead of this hub's clock; 300 s are allowed."),
    ],
)
def test_an_old_signature_is_refused_and_told_by_how_much(late_s: int, reason: str, detail: str) -> None:
    assert standard(arrival(), now=NOW + timedelta(seconds=late_s)) == Refused(reason=reason, detail=detail)


@pytest.mark.parametrize("late_s", [-300, 0, 300])
def test_five_minutes_either_way_are_allowed(late_s: int) -> None:
    assert standard(arrival(), now=NOW + timedelta(seconds=late_s)) == Verified(secret_hint="LaSw")


@pytest.mark.parametrize(
    ("secrets", "reason"), [((), "secret-missing"), (("whsec_short",), "secret-unusable")]
)
def test_without_a_usable_secret_nobody_gets_in(secrets: tuple[str, ...], reason: str) -> None:
    refused = standard(arrival(), secrets=secrets)
    assert isinstance(refused, Refused)
    assert refused.reason == reason
    assert "whsec_short" not in refused.detail


def test_a_secret_is_never_shown_by_accident() -> None:
    assert SECRET not in repr(LiveSecret(text=SECRET, hint="LaSw"))


@pytest.mark.parametrize("secret", ["whsec_short", "not base64!", "", "whsec_" + "A" * 200])
def test_a_secret_of_the_wrong_form_is_refused_without_repeating_it(secret: str) -> None:
    with pytest.raises(ValueError) as caught:
        check_secret(scheme=scheme("standard-webhooks"), secret=secret)
    assert not secret or secret not in str(caught.value)


def test_the_table_is_keyed_by_slug_and_offers_every_row() -> None:
    assert list(SCHEMES)[:2] == ["none", "standard-webhooks"]
    assert [slug for slug, _ in choices()] == list(SCHEMES)


@pytest.mark.parametrize("slug", ["", "magic", "NONE"])
def test_an_unknown_scheme_is_named(slug: Any) -> None:
    with pytest.raises(UnknownScheme, match=repr(slug)):
        scheme(slug)
