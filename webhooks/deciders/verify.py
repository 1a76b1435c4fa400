"""Decides whether a request comes from who it claims to. Whatever was sent, it never raises."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from math import inf

from . import standard
from .adyen import verify_adyen
from .arrival import Arrival
from .certificates import certificate_url, verify_certified
from .chains import NOBODY, Roots
from .key_forms import key_of
from .pinning import refuse_private_key
from .places import look_up
from .scheme_columns import Kind, Scheme
from .schemes import SCHEMES
from .signatures import verify_item_tokens, verify_signed, verify_token
from .twilio import verify_twilio
from .verdicts import LiveSecret, Refused, Verified, refused

__all__ = ["Arrival", "LiveSecret", "Refused", "Verified", "certificate_url", "check_secret", "verify"]

_ABSENT = ("signature-missing", "token-missing")


def verify(
    *,
    scheme: Scheme,
    secrets: Sequence[LiveSecret],
    arrival: Arrival,
    now: datetime,
    certificate: str = "",
    roots: Roots = NOBODY,
    any_age: bool = False,
    secrets_at: datetime | None = None,
) -> Verified | Refused:
    """Tries every secret given; the caller leaves out the expired ones. `any_age` waives staleness, nothing else.

    `roots` are who may vouch for `certificate`. A pinned one must be valid at `secrets_at`, as a secret would be live:
    `now`, if not said otherwise.
    """
    if scheme.kind is Kind.NONE:
        return Verified()
    if scheme.needs_secret and not secrets:
        return Refused(reason="secret-missing", detail="This source has no live secret to verify with.")
    try:
        row = replace(scheme, tolerance_s=0) if any_age else scheme
        if row.signs_fields and arrival.is_ambiguous:
            return refused("body-ambiguous")
        if row.needs_certificate:
            return verify_certified(row, arrival, now, certificate, roots, secrets_at or now)
        found = _verify(row, secrets, arrival, now)
        return _beside(row, secrets, arrival, now, found) if isinstance(found, Refused) else found
    except ValueError as error:
        return Refused(reason="secret-unusable", detail=str(error))


def check_secret(*, scheme: Scheme, secret: str) -> None:
    """Raises ValueError, in one sentence that does not repeat the secret, when it cannot serve the scheme."""
    if scheme.kind is Kind.STANDARD_WEBHOOKS:
        _standard_verifier((secret,))
    elif scheme.needs_secret:
        key_of(scheme.key_form, secret)
    elif scheme.needs_certificate:
        refuse_private_key(secret)


def _verify(
    row: Scheme, secrets: Sequence[LiveSecret], arrival: Arrival, now: datetime
) -> Verified | Refused:
    match row.kind:
        case Kind.STANDARD_WEBHOOKS:
            return _verify_standard(row, secrets, arrival, now)
        case Kind.TOKEN:
            return verify_token(row, secrets, arrival)
        case Kind.ITEM_TOKENS:
            return verify_item_tokens(row, secrets, arrival)
        case Kind.TWILIO:
            return verify_twilio(row, secrets, arrival)
        case Kind.ADYEN:
            return verify_adyen(row, secrets, arrival)
    return verify_signed(row, secrets, arrival, now)


def _beside(
    scheme: Scheme, secrets: Sequence[LiveSecret], arrival: Arrival, now: datetime, found: Refused
) -> Verified | Refused:
    """The rows named in `also`. The reason kept is the first that tells of a signature which was there."""
    for slug in scheme.also:
        beside = replace(SCHEMES[slug], tolerance_s=scheme.tolerance_s)
        other = _verify(beside, secrets, arrival, now)
        if isinstance(other, Verified):
            return Verified(
                secret_hint=other.secret_hint, position=other.position, scheme=slug, body=other.body
            )
        found = other if found.reason in _ABSENT else found
    return found


def _verify_standard(
    row: Scheme, secrets: Sequence[LiveSecret], arrival: Arrival, now: datetime
) -> Verified | Refused:
    found = _standard_verifier(tuple(secret.text for secret in secrets)).verify(
        message_id=arrival.headers.get(row.id_header),
        timestamp=look_up(arrival, row.timestamp),
        signature=look_up(arrival, row.signature),
        body=arrival.body,
        now=now.timestamp(),
        tolerance_s=row.tolerance_s or inf,
    )
    if found.reason or found.matched is None:
        return refused(found.reason, age_s=found.age_s or 0, tolerance_s=row.tolerance_s)
    return Verified(secret_hint=secrets[found.matched].hint, position=found.matched)


# Decoding a key costs as much as the HMAC it is for.
@lru_cache(maxsize=1_024)
def _standard_verifier(secrets: tuple[str, ...]) -> standard.Verifier:
    return standard.Verifier.of(secrets)
