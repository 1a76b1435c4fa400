"""Reads a certificate that an operator would pin on a source, and says what is wrong with it. It judges no request.

No message repeats what was given: somebody may have pasted a private key.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import Certificate, load_pem_x509_certificates

from .scheme_columns import Scheme

LONGEST = 16_384  # characters; one certificate has 1,000 to 3,000
_KEY_BITS = (2_048, 8_192)  # a shorter key can be forged, a longer one costs every request too much
_PRIVATE = re.compile(r"PRIVATE\s+KEY", re.IGNORECASE)
_SHOWN = 200  # characters of a subject


@dataclass(frozen=True, kw_only=True, slots=True)
class Pinned:
    """A pinned certificate as people know it again."""

    subject: str
    fingerprint: str  # SHA-256
    expires_at: datetime

    @property
    def hint(self) -> str:
        """Stands with what it proved."""
        return self.fingerprint[:11]


def check_pinnable(row: Scheme) -> None:
    """Raises ValueError, in one sentence."""
    if not row.needs_certificate:
        raise ValueError(f"The scheme {row.slug} signs by no certificate, so none can be pinned.")


def refuse_private_key(text: str) -> None:
    """Raises ValueError, in one sentence."""
    if _PRIVATE.search(text):
        raise ValueError(
            "This holds a private key, which is to stay with the sender: give the certificate alone."
        )


def checked_certificate(row: Scheme, text: str, now: datetime) -> str:
    """The one certificate in the text, in PEM, and nothing of what stands around it.

    Raises ValueError, in one sentence.
    """
    check_pinnable(row)
    refuse_private_key(text)
    if len(text) > LONGEST:
        raise ValueError(f"A certificate may have {LONGEST} characters at most.")
    certificate = _one_in(text)
    try:
        key, begins, ends = _key_and_times(certificate)
        certificate.subject.rfc4514_string()
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("The certificate cannot be read.") from None
    least, most = _KEY_BITS
    if not isinstance(key, RSAPublicKey) or not least <= key.key_size <= most:
        raise ValueError(
            f"{row.label} signs by RSA: the certificate must hold a key of {least} to {most} bits."
        )
    if now > ends:
        raise ValueError(f"The certificate expired on {ends:%Y-%m-%d %H:%M} UTC.")
    if now < begins:
        raise ValueError(f"The certificate is not valid before {begins:%Y-%m-%d %H:%M} UTC.")
    return certificate.public_bytes(Encoding.PEM).decode("ascii")


@lru_cache(maxsize=64)
def pinned(pem: str) -> Pinned | None:
    """What to show of a certificate that was taken; None where there is none, or none that can be read."""
    try:
        certificate = _one_in(pem)
        return Pinned(
            subject=(certificate.subject.rfc4514_string() or "no subject")[:_SHOWN],
            fingerprint=certificate.fingerprint(SHA256()).hex(":").upper(),
            expires_at=certificate.not_valid_after_utc,
        )
    except ValueError:
        return None


def _one_in(text: str) -> Certificate:
    try:
        found = load_pem_x509_certificates(text.encode())
    except ValueError:
        raise ValueError(
            "This is no X.509 certificate in PEM, which begins with BEGIN CERTIFICATE."
        ) from None
    if len(found) != 1:
        raise ValueError("These are several certificates: pin the signer's own, without its chain.")
    return found[0]


def _key_and_times(certificate: Certificate) -> tuple[object, datetime, datetime]:
    return certificate.public_key(), certificate.not_valid_before_utc, certificate.not_valid_after_utc
