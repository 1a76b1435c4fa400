"""Checks a signature that the table describes: reads it, builds the signed bytes, compares. It never raises on input.

ValueError means that a stored secret is unusable; nothing that was sent causes it.
"""

import binascii
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from .arrival import Arrival
from .body_forms import body_in, url_in
from .key_forms import Key, key_of
from .mac import mac
from .places import look_up
from .scheme_columns import Scheme, Unit
from .verdicts import LiveSecret, Refused, Verified, refused

_FIELD = "field:"
_SECONDS = re.compile(r"[0-9]{1,12}", re.ASCII)
_MILLISECONDS = re.compile(r"[0-9]{1,15}", re.ASCII)
_ECDSA = ECDSA(SHA256())


@dataclass(frozen=True, slots=True)
class Presented:
    signatures: tuple[bytes, ...]
    fields: Sequence[tuple[str, str]] = ()  # of a signature that is a list


@dataclass(frozen=True, slots=True)
class Stamp:
    text: str = ""  # as it was sent, for that is what was signed
    seconds: float | None = None


def verify_signed(
    row: Scheme, secrets: Sequence[LiveSecret], arrival: Arrival, now: datetime
) -> Verified | Refused:
    presented = presented_in(row, arrival)
    if isinstance(presented, str):
        return refused(presented)
    stamp = stamp_of(row, arrival, presented)
    if isinstance(stamp, str):
        return refused(stamp)
    content = _content(row, arrival, stamp)
    if isinstance(content, str):
        return refused(content)
    position = _matching(row, secrets, presented.signatures, content)
    if position is None:
        return refused("signature-mismatch")
    verified = Verified(
        secret_hint=secrets[position].hint,
        position=position,
        body=content if row.body_form != "raw" else None,
    )
    return unfresh(row, arrival, stamp, now) or verified


def verify_token(row: Scheme, secrets: Sequence[LiveSecret], arrival: Arrival) -> Verified | Refused:
    text = look_up(arrival, row.signature)
    if not text:
        return refused("token-missing")
    if text[: len(row.prefix)].casefold() != row.prefix.casefold():  # the name of an HTTP scheme has no case
        return refused("token-mismatch")
    given = decoded(text[len(row.prefix) :].strip(), row.encoding)
    for position, secret in enumerate(secrets):
        if given is not None and hmac.compare_digest(given, _key_bytes(row, secret)):
            return Verified(secret_hint=secret.hint, position=position)
    return refused("token-mismatch")


def verify_item_tokens(row: Scheme, secrets: Sequence[LiveSecret], arrival: Arrival) -> Verified | Refused:
    """Every item must carry the token, or one stolen notification would vouch for its neighbours."""
    document, (path,) = arrival.document, row.batch
    items = document.get(path) if isinstance(document, dict) else None
    name = row.signature.rpartition(".")[2]
    listed = items if isinstance(items, list) else []
    given = [item.get(name) if isinstance(item, dict) else None for item in listed]
    if not given or not all(isinstance(text, str) and text for text in given):
        return refused("token-missing")
    presented = [str(text).encode("utf-8", "surrogatepass") for text in given]
    for position, secret in enumerate(secrets):
        key = _key_bytes(row, secret)
        if all(hmac.compare_digest(token, key) for token in presented):
            return Verified(secret_hint=secret.hint, position=position)
    return refused("token-mismatch")


def presented_in(row: Scheme, arrival: Arrival) -> Presented | str:
    """The signatures as bytes, or the reason why there are none. One that is malformed spoils them all."""
    text = look_up(arrival, row.signature)
    if not text:
        return "signature-missing"
    if not row.separator:
        signature = _unprefixed(row, text)
        return "signature-malformed" if signature is None else Presented((signature,))
    fields = _fields(text, row.separator)
    if fields is None:
        return "signature-malformed"
    signatures = [_unprefixed(row, value) for name, value in fields if name == row.pick]
    if any(signature is None for signature in signatures):
        return "signature-malformed"
    picked = tuple(signature for signature in signatures if signature is not None)
    return Presented(picked, fields) if picked else "signature-version"


def stamp_of(row: Scheme, arrival: Arrival, presented: Presented) -> Stamp | str:
    if not row.timestamp:
        return Stamp()
    if row.timestamp.startswith(_FIELD):
        texts = [value for name, value in presented.fields if name == row.timestamp.removeprefix(_FIELD)]
        # Twice means two headers that a server joined, of which only one may have been signed.
        if len(texts) > 1:
            return "timestamp-malformed"
        text = texts[0] if texts else ""
    else:
        text = look_up(arrival, row.timestamp)
    if not text:
        return "timestamp-missing"
    seconds = seconds_of(text, row.timestamp_unit)
    return "timestamp-malformed" if seconds is None else Stamp(text, seconds)


def unfresh(row: Scheme, arrival: Arrival, stamp: Stamp, now: datetime) -> Refused | None:
    if row.tolerance_s and stamp.seconds is not None:
        age_s = now.timestamp() - stamp.seconds
        if abs(age_s) > row.tolerance_s:
            reason = "timestamp-stale" if age_s > 0 else "timestamp-future"
            return refused(reason, age_s=age_s, tolerance_s=row.tolerance_s)
    if row.timestamp_must_equal:
        other = look_up(arrival, row.timestamp_must_equal)
        if other != stamp.text:
            return refused("timestamp-disagrees" if other else "timestamp-missing")
    return None


def signed_url(row: Scheme, arrival: Arrival) -> str:
    """The address as the sender knows it; empty when nobody told us."""
    if not row.public_url:
        return ""
    return url_in(row.url_form, f"{row.public_url}?{arrival.query}" if arrival.query else row.public_url)


def decoded(text: str, encoding: str) -> bytes | None:
    """None when it is not that, to the last character."""
    try:
        if encoding == "hex":
            return binascii.unhexlify(text)
        if encoding == "base64":
            return binascii.a2b_base64(text.encode("ascii"), strict_mode=True)
        return text.encode("latin-1")  # the server made it text that way, so these are the bytes sent
    except ValueError:
        return None


def _unprefixed(row: Scheme, text: str) -> bytes | None:
    return decoded(text[len(row.prefix) :], row.encoding) if text.startswith(row.prefix) else None


def _fields(text: str, separator: str) -> list[tuple[str, str]] | None:
    fields = []
    for element in text.split(separator):
        name, equals, value = element.strip().partition("=")
        if not equals:
            return None
        fields.append((name, value))
    return fields


def seconds_of(text: str, unit: Unit) -> float | None:
    if unit is Unit.SECONDS:
        return int(text) if _SECONDS.fullmatch(text) else None
    if unit is Unit.MILLISECONDS:
        return int(text) / 1_000 if _MILLISECONDS.fullmatch(text) else None
    try:
        moment = datetime.fromisoformat(text)
        return moment.timestamp() if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _content(row: Scheme, arrival: Arrival, stamp: Stamp) -> bytes | str:
    """The signed bytes, or the reason why they cannot be known."""
    body = body_in(row.body_form, arrival.body)
    if body is None:
        return "body-unreadable"
    url = signed_url(row, arrival) if "{url}" in row.signed else ""
    if "{url}" in row.signed and not url:
        return "url-unknown"
    known = {"ts": stamp.text, "url": url, "method": arrival.method}
    pieces = []
    for is_place, text in _pieces(row.signed):
        if is_place and text == "body":
            pieces.append(body)
        else:
            piece = (known[text] if text in known else look_up(arrival, text)) if is_place else text
            # Header bytes come as Latin-1 or with surrogates; either way garbage must only mismatch.
            pieces.append(piece.encode("utf-8", "surrogatepass"))
    return b"".join(pieces)


@lru_cache(maxsize=256)
def _pieces(template: str) -> tuple[tuple[bool, str], ...]:
    """What is copied, and the places (True) in between."""
    parts = re.split(r"\{([^{}]*)\}", template)
    return tuple((number % 2 == 1, part) for number, part in enumerate(parts) if part)


def _matching(
    row: Scheme, secrets: Sequence[LiveSecret], signatures: Sequence[bytes], content: bytes
) -> int | None:
    for position, secret in enumerate(secrets):
        key = key_of(row.key_form, secret.text)
        if any(_is_signed(row, key, signature, content) for signature in signatures):
            return position
    return None


def _is_signed(row: Scheme, key: Key, signature: bytes, content: bytes) -> bool:
    if isinstance(key, bytes):
        return hmac.compare_digest(signature, mac(key, content, row.algorithm))
    try:
        if isinstance(key, Ed25519PublicKey):
            key.verify(signature, content)
        elif isinstance(key, EllipticCurvePublicKey):
            key.verify(signature, content, _ECDSA)
    except InvalidSignature:
        return False
    return True


def _key_bytes(row: Scheme, secret: LiveSecret) -> bytes:
    key = key_of(row.key_form, secret.text)
    if not isinstance(key, bytes):
        raise ValueError("A token is no public key.")
    return key
