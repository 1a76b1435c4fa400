"""Standard Webhooks 1.0.0, both ways, with the official package as the oracle."""

import base64
import json
from datetime import UTC, datetime

import pytest
import standardwebhooks
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from webhooks.deciders.standard import Signer, Verification, new_secret, secret_key, sign, verify

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
ID, AT, BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
PUBLISHED = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

SEED = bytes(range(32))
PUBLIC_BYTES = (
    Ed25519PrivateKey.from_private_bytes(SEED)
    .public_key()
    .public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
)
PRIVATE = "whsk_" + base64.b64encode(SEED).decode()
PUBLIC = "whpk_" + base64.b64encode(PUBLIC_BYTES).decode()


def verified(
    *secrets: str,
    signature: str | None = PUBLISHED,
    timestamp: str | None = str(AT),
    message_id: str | None = ID,
    body: bytes = BODY,
    now: float = AT,
) -> Verification:
    return verify(
        secrets=secrets or (SECRET,),
        message_id=message_id,
        timestamp=timestamp,
        signature=signature,
        body=body,
        now=now,
    )


def test_the_published_constant_is_signed_and_verified() -> None:
    assert sign(secrets=[SECRET], message_id=ID, timestamp=AT, body=BODY) == PUBLISHED
    assert verified() == Verification(matched=0, age_s=0)


@given(st.binary(min_size=24, max_size=64), st.dictionaries(st.text(), st.integers()))
def test_the_official_package_agrees(key: bytes, document: dict[str, int]) -> None:
    secret = "whsec_" + base64.b64encode(key).decode()
    body = json.dumps(document, ensure_ascii=True)
    moment = datetime.fromtimestamp(AT, UTC)
    official = standardwebhooks.Webhook(secret).sign("msg_1", moment, body)
    assert sign(secrets=[secret], message_id="msg_1", timestamp=AT, body=body.encode()) == official


def test_what_we_sign_the_official_package_accepts() -> None:
    now = int(datetime.now(UTC).timestamp())
    signature = sign(secrets=[OTHER, SECRET], message_id=ID, timestamp=now, body=BODY)
    headers = {"webhook-id": ID, "webhook-timestamp": str(now), "webhook-signature": signature}
    for secret in (SECRET, OTHER):
        assert standardwebhooks.Webhook(secret).verify(BODY, headers) == {"test": 2432232314}


def test_every_live_secret_signs_during_a_rotation() -> None:
    signature = sign(secrets=[SECRET, OTHER, PRIVATE], message_id=ID, timestamp=AT, body=BODY)
    assert [part.split(",")[0] for part in signature.split(" ")] == ["v1", "v1", "v1a"]
    assert [verified(secret, signature=signature).matched for secret in (SECRET, OTHER, PUBLIC)] == [0, 0, 0]


def test_the_secret_that_matched_is_named() -> None:
    assert verified(OTHER, SECRET).matched == 1


def test_ed25519_is_signed_and_verified() -> None:
    signature = sign(secrets=[PRIVATE], message_id=ID, timestamp=AT, body=BODY)
    assert verified(PUBLIC, signature=signature) == Verification(matched=0, age_s=0)
    assert verified(PRIVATE, signature=signature) == Verification(matched=0, age_s=0)
    assert verified(PUBLIC, signature=signature, body=b"{}").reason == "signature-mismatch"


def test_a_public_key_never_accepts_a_symmetric_signature() -> None:
    forged = sign(secrets=["whsec_" + PUBLIC.removeprefix("whpk_")], message_id=ID, timestamp=AT, body=BODY)
    assert verified(PUBLIC, signature=forged).reason == "signature-mismatch"
    assert verified(PUBLIC, signature="v1a," + forged.removeprefix("v1,")).reason == "signature-mismatch"


def test_a_private_key_may_carry_its_public_half() -> None:
    both = "whsk_" + base64.b64encode(SEED + PUBLIC_BYTES).decode()
    assert secret_key(both) == secret_key(PRIVATE) == SEED


@pytest.mark.parametrize(
    ("offset_s", "reason"),
    [(0, ""), (300, ""), (-300, ""), (301, "timestamp-stale"), (-301, "timestamp-future")],
)
def test_three_hundred_seconds_are_allowed_both_ways(offset_s: int, reason: str) -> None:
    result = verified(now=AT + offset_s)
    assert (result.reason, result.is_valid, result.age_s) == (reason, not reason, offset_s)


@pytest.mark.parametrize(
    ("signature", "reason"),
    [
        (None, "signature-missing"),
        ("", "signature-missing"),
        ("  ", "signature-missing"),
        (PUBLISHED.removeprefix("v1,"), "signature-malformed"),
        ("v1,***", "signature-malformed"),
        ("v1,AAAA,BBBB", "signature-malformed"),
        ("v1,", "signature-malformed"),
        ("v1,A", "signature-malformed"),
        ("v1,caf\u00e9", "signature-malformed"),
        ("v1,\udcff", "signature-malformed"),
        (f"{PUBLISHED},{PUBLISHED}", "signature-malformed"),
        (f"{PUBLISHED}, {PUBLISHED}", "signature-malformed"),
        (f"{PUBLISHED} nonsense", "signature-malformed"),
        ("v1,AAAA", "signature-mismatch"),
        (PUBLISHED.replace("v1,", "v2,"), "signature-mismatch"),
        (PUBLISHED.replace("v1,", "V1,"), "signature-mismatch"),
        (f"v1,AAAA {PUBLISHED}", ""),
        (f"v9,AAAA {PUBLISHED}", ""),
        (PUBLISHED.rstrip("="), ""),
    ],
)
def test_each_signature_header_has_its_reason(signature: str | None, reason: str) -> None:
    assert verified(signature=signature).reason == reason


@pytest.mark.parametrize(
    ("timestamp", "reason"),
    [
        (None, "timestamp-missing"),
        ("", "timestamp-missing"),
        ("2026-01-01T00:00:00Z", "timestamp-malformed"),
        (f"{AT}, {AT}", "timestamp-malformed"),
        (f"{AT}.0", "timestamp-malformed"),
        (f" {AT}", "timestamp-malformed"),
        (f"-{AT}", "timestamp-malformed"),
        ("١٦١٤٢٦٥٣٣٠", "timestamp-malformed"),
        ("9" * 5000, "timestamp-malformed"),
        ("1614265331", "signature-mismatch"),
        (f"0{AT}", "signature-mismatch"),
    ],
)
def test_each_timestamp_header_has_its_reason(timestamp: str | None, reason: str) -> None:
    assert verified(timestamp=timestamp).reason == reason


@pytest.mark.parametrize("change", [{"body": BODY + b"\n"}, {"message_id": "msg_2"}, {"message_id": None}])
def test_whatever_is_signed_may_not_change(change: dict[str, bytes]) -> None:
    assert verified(**change).reason == "signature-mismatch"  # type: ignore[arg-type]


def test_the_wrong_secret_does_not_match() -> None:
    assert verified(OTHER) == Verification(reason="signature-mismatch")


@given(st.none() | st.text(), st.none() | st.text(), st.none() | st.text(), st.binary())
def test_no_garbage_can_raise(
    message_id: str | None, timestamp: str | None, signature: str | None, body: bytes
) -> None:
    assert verified(message_id=message_id, timestamp=timestamp, signature=signature, body=body).reason


def test_a_lone_surrogate_in_the_id_only_mismatches() -> None:
    assert verified(message_id="msg_\udcff").reason == "signature-mismatch"


def test_a_new_secret_is_thirty_two_random_bytes() -> None:
    assert new_secret(lambda size: b"\x07" * size) == "whsec_" + base64.b64encode(b"\x07" * 32).decode()
    assert len(secret_key(new_secret())) == 32
    assert new_secret() != new_secret()


@pytest.mark.parametrize("secret", [SECRET, SECRET.removeprefix("whsec_"), "whsec_" + "QUJD" * 8 + "QQ"])
def test_prefix_and_padding_may_be_missing(secret: str) -> None:
    assert 24 <= len(secret_key(secret)) <= 64


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        "whsec_not base64 at all!",
        "whsec_c2hvcnQ=",
        "whsec_" + base64.b64encode(b"x" * 65).decode(),
        "whsk_c2hvcnQ=",
        "whpk_" + base64.b64encode(b"x" * 64).decode(),
        "whsec_\u00e9" * 8,
    ],
)
def test_a_bad_secret_is_refused_without_being_repeated(secret: str) -> None:
    with pytest.raises(ValueError, match=r"^The [^.]*\.$") as refusal:
        secret_key(secret)
    assert not secret.removeprefix("whsec_") or secret.removeprefix("whsec_") not in str(refusal.value)


def test_a_public_key_cannot_sign() -> None:
    with pytest.raises(ValueError, match="A public key cannot sign"):
        Signer.of([SECRET, PUBLIC])


def test_a_signer_never_shows_its_keys() -> None:
    assert repr(Signer.of([SECRET, PRIVATE])) == "Signer()"
