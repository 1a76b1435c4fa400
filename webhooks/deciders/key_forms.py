"""Turns a stored secret into the key it stands for, as its scheme says and never by guessing from its looks."""

import base64
import binascii
from enum import StrEnum
from functools import lru_cache

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

ED25519_BYTES = 32


class KeyForm(StrEnum):
    UTF8 = "utf8"  # the text itself, whatever it looks like
    HEX = "hex"
    BASE64 = "base64"
    ED25519_HEX = "ed25519-hex"  # 32 raw bytes of a public key
    P256_BASE64 = "p256-base64"  # a SubjectPublicKeyInfo in DER


Key = bytes | Ed25519PublicKey | EllipticCurvePublicKey


# Decoding a key costs as much as the HMAC it is for.
@lru_cache(maxsize=1_024)
def key_of(form: KeyForm, secret: str) -> Key:
    """Raises ValueError, in one sentence that does not repeat the secret."""
    if form is KeyForm.UTF8:
        return _not_empty(secret.encode("utf-8", "surrogatepass"))
    if form is KeyForm.HEX:
        return _not_empty(_from_hex(secret))
    if form is KeyForm.BASE64:
        return _not_empty(_from_base64(secret))
    if form is KeyForm.ED25519_HEX:
        return _ed25519(_from_hex(secret))
    return _p256(_from_base64(secret))


def _not_empty(key: bytes) -> bytes:
    if not key:
        raise ValueError("The secret is empty.")
    return key


def _from_hex(secret: str) -> bytes:
    try:
        return binascii.unhexlify(secret)
    except ValueError:
        raise ValueError("The secret must be hexadecimal text.") from None


def _from_base64(secret: str) -> bytes:
    try:
        return base64.b64decode(secret, validate=True)
    except ValueError:
        raise ValueError("The secret must be base64 text.") from None


def _ed25519(raw: bytes) -> Ed25519PublicKey:
    if len(raw) != ED25519_BYTES:
        raise ValueError(f"The public key must hold {ED25519_BYTES} bytes.")
    return Ed25519PublicKey.from_public_bytes(raw)


def _p256(raw: bytes) -> EllipticCurvePublicKey:
    try:
        key = load_der_public_key(raw)
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
        raise ValueError("The secret must be a public key on the curve P-256, in DER and base64.")
    return key
