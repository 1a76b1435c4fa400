"""Decides whether a request comes from who it claims to. Whatever was sent, it never raises."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

from . import standard
from .schemes import Kind, Scheme


@dataclass(frozen=True, kw_only=True, slots=True)
class Arrival:
    """A request as it came in. The names of its headers are in lower case."""

    method: str
    headers: Mapping[str, str]
    body: bytes
    query: str
    remote_address: str
    received_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class LiveSecret:
    text: str = field(repr=False)
    hint: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Verified:
    secret_hint: str = ""  # says which secret matched, so that people see when an old one is unused


@dataclass(frozen=True, kw_only=True, slots=True)
class Refused:
    reason: str  # a slug
    detail: str  # one sentence for an operator, never for the sender


_DETAILS = {
    "signature-missing": "The signature header is missing.",
    "signature-malformed": "The signature header cannot be read.",
    "signature-mismatch": "The signature fits none of this source's live secrets.",
    "timestamp-missing": "The timestamp header is missing.",
    "timestamp-malformed": "The timestamp header is not a number of seconds.",
    "timestamp-stale": "The timestamp is {age:.0f} s behind this hub's clock; {tolerance} s are allowed.",
    "timestamp-future": "The timestamp is {age:.0f} s ahead of this hub's clock; {tolerance} s are allowed.",
}


def verify(
    *, scheme: Scheme, secrets: Sequence[LiveSecret], arrival: Arrival, now: datetime
) -> Verified | Refused:
    """Tries every secret given; the caller leaves out the expired ones."""
    if scheme.kind is Kind.NONE:
        return Verified()
    if not secrets:
        return Refused(reason="secret-missing", detail="This source has no live secret to verify with.")
    return _verify_standard(scheme, secrets, arrival, now)


def check_secret(*, scheme: Scheme, secret: str) -> None:
    """Raises ValueError, in one sentence that does not repeat the secret, when it cannot serve the scheme."""
    if scheme.kind is Kind.STANDARD_WEBHOOKS:
        _standard_verifier((secret,))


def _verify_standard(
    scheme: Scheme, secrets: Sequence[LiveSecret], arrival: Arrival, now: datetime
) -> Verified | Refused:
    try:
        verifier = _standard_verifier(tuple(secret.text for secret in secrets))
    except ValueError as error:
        return Refused(reason="secret-unusable", detail=str(error))
    found = verifier.verify(
        message_id=arrival.headers.get(scheme.id_header),
        timestamp=arrival.headers.get(scheme.timestamp_header),
        signature=arrival.headers.get(scheme.signature_header),
        body=arrival.body,
        now=now.timestamp(),
        tolerance_s=scheme.tolerance_s,
    )
    if found.reason or found.matched is None:
        detail = _DETAILS[found.reason].format(age=abs(found.age_s or 0), tolerance=scheme.tolerance_s)
        return Refused(reason=found.reason, detail=detail)
    return Verified(secret_hint=secrets[found.matched].hint)


# Decoding a key costs as much as the HMAC it is for.
@lru_cache(maxsize=1_024)
def _standard_verifier(secrets: tuple[str, ...]) -> standard.Verifier:
    return standard.Verifier.of(secrets)
