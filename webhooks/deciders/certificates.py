"""Checks what AWS SNS and PayPal sign with a certificate, which the caller hands over. It fetches nothing."""

import binascii
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.x509 import Certificate, load_pem_x509_certificates

from .arrival import Arrival
from .chains import Roots, is_vouched_for
from .pinning import pinned
from .places import look_up
from .scheme_columns import Kind, Scheme
from .signatures import Presented, presented_in, stamp_of, unfresh
from .verdicts import Refused, Verified, refused

# The whole address must match: a prefix alone would let sns.….amazonaws.com.evil.example through.
_URLS = {
    Kind.SNS: re.compile(
        r"https://sns\.[a-z]{2}(-[a-z]+)+-[0-9]\.amazonaws\.com(\.cn)?/[A-Za-z0-9_-]{1,100}\.pem", re.ASCII
    ),
    Kind.PAYPAL: re.compile(
        r"https://(api|api-m)(\.sandbox)?\.paypal\.com/v1/notifications/certs/[A-Za-z0-9_-]{1,100}", re.ASCII
    ),
}
_URL_PLACES = {Kind.SNS: "json:SigningCertURL", Kind.PAYPAL: "header:paypal-cert-url"}
_SNS_HASHES: Mapping[str, SHA1 | SHA256] = {"1": SHA1(), "2": SHA256()}  # noqa: S303  # version 1 is SHA-1
_SNS_FIELDS = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": (
        "Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type",
    ),
}  # fmt: skip
_SNS_FIELDS["UnsubscribeConfirmation"] = _SNS_FIELDS["SubscriptionConfirmation"]
_OPTIONAL = "Subject"
_PAYPAL_ALGORITHM = "SHA256withRSA"
_OF_PINNED = {
    "signature-mismatch": "The signature is not by the key of the certificate that is pinned here.",
    "certificate-invalid": "The certificate that is pinned here is not valid now: pin another one, or unpin it.",
}


def certificate_url(row: Scheme, arrival: Arrival) -> str | Refused:
    """Where to fetch the certificate, once it is sure that the address is the provider's own."""
    url = look_up(arrival, _URL_PLACES[row.kind])
    return url if _URLS[row.kind].fullmatch(url) else refused("certificate-url")


def verify_certified(
    row: Scheme, arrival: Arrival, now: datetime, certificate: str, roots: Roots, secrets_at: datetime
) -> Verified | Refused:
    """`certificate` is PEM, from the address that `certificate_url` named. A pinned one leaves both out of account."""
    if row.pinned_certificate:
        return _by_pinned(row, arrival, now, secrets_at)
    url = certificate_url(row, arrival)
    presented = presented_in(row, arrival)
    if isinstance(presented, str):
        return refused(presented)
    if isinstance(url, Refused):
        return url
    if not certificate:
        return refused("certificate-missing")
    if fault := unusable(certificate, roots, now):
        return fault
    return _by_certificate(row, arrival, now, presented, _key(certificate, now))


def unusable(certificate: str, roots: Roots, at: datetime) -> Refused | None:
    """Why nothing can be verified with it: by itself, or by who issued it."""
    try:
        if _key(certificate, at) is None:
            return refused("certificate-invalid")
        is_trusted = is_vouched_for(_parsed(certificate), roots, at)
    except (ValueError, UnsupportedAlgorithm):  # a name or a key that cannot be read
        return refused("certificate-invalid")
    return None if is_trusted else refused("certificate-untrusted")


def _by_pinned(row: Scheme, arrival: Arrival, now: datetime, secrets_at: datetime) -> Verified | Refused:
    """Nothing but this one certificate is believed, and no address in the request is looked at."""
    presented = presented_in(row, arrival)
    if isinstance(presented, str):
        return refused(presented)
    found = _by_certificate(row, arrival, now, presented, _key(row.pinned_certificate, secrets_at))
    if isinstance(found, Refused):
        return replace(found, detail=_OF_PINNED.get(found.reason, found.detail))
    known = pinned(row.pinned_certificate)
    return replace(found, pin_hint=known.hint if known else "")


def _by_certificate(
    row: Scheme, arrival: Arrival, now: datetime, presented: Presented, key: RSAPublicKey | None
) -> Verified | Refused:
    if key is None:
        return refused("certificate-invalid")
    check = _verify_sns if row.kind is Kind.SNS else _verify_paypal
    return check(row, arrival, now, presented, key)


def _verify_sns(
    row: Scheme, arrival: Arrival, now: datetime, presented: Presented, key: RSAPublicKey
) -> Verified | Refused:
    document = arrival.document
    names = _SNS_FIELDS.get(look_up(arrival, "json:Type"))
    version = look_up(arrival, "json:SignatureVersion")
    hashed = _SNS_HASHES.get(version)
    if hashed is None or version < row.least_version:
        return refused("signature-version")
    if names is None or not all(isinstance(document.get(name), str) for name in names if name != _OPTIONAL):
        return refused("body-unreadable")
    # Anybody with an account can have his own topic sign his own words.
    if look_up(arrival, "json:TopicArn") != row.account:
        return refused("account-mismatch")
    if not _is_signed(key, presented, _sns_content(document, names), hashed):
        return refused("signature-mismatch")
    return Verified()


def _sns_content(document: Mapping[str, Any], names: tuple[str, ...]) -> bytes:
    lines = [f"{name}\n{document[name]}\n" for name in names if isinstance(document.get(name), str)]
    return "".join(lines).encode("utf-8", "surrogatepass")


def _verify_paypal(
    row: Scheme, arrival: Arrival, now: datetime, presented: Presented, key: RSAPublicKey
) -> Verified | Refused:
    if look_up(arrival, "header:paypal-auth-algo") != _PAYPAL_ALGORITHM:
        return refused("signature-version")
    stamp = stamp_of(row, arrival, presented)
    if isinstance(stamp, str):
        return refused(stamp)
    transmission = look_up(arrival, "header:paypal-transmission-id")
    content = f"{transmission}|{stamp.text}|{row.account}|{binascii.crc32(arrival.body)}"
    if not _is_signed(key, presented, content.encode("utf-8", "surrogatepass"), SHA256()):
        return refused("signature-mismatch")
    return unfresh(row, arrival, stamp, now) or Verified()


def _is_signed(key: RSAPublicKey, presented: Presented, content: bytes, hashed: SHA1 | SHA256) -> bool:
    try:
        key.verify(presented.signatures[0], content, PKCS1v15(), hashed)
    except InvalidSignature:
        return False
    return True


def _key(pem: str, now: datetime) -> RSAPublicKey | None:
    signer = next(iter(_parsed(pem)), None)
    if signer is None or not signer.not_valid_before_utc <= now <= signer.not_valid_after_utc:
        return None
    key = signer.public_key()
    return key if isinstance(key, RSAPublicKey) else None


@lru_cache(maxsize=64)
def _parsed(pem: str) -> tuple[Certificate, ...]:
    """The signer's own, then what came with it."""
    try:
        return tuple(load_pem_x509_certificates(pem.encode()))
    except ValueError:
        return ()
