"""Standard Webhooks 1.0.0: makes secrets, signs, verifies. It never reads a clock nor repeats a secret."""

import base64
import binascii
import hmac
import re
import secrets as entropy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from .mac import mac

SYMMETRIC, PRIVATE, PUBLIC = "whsec_", "whsk_", "whpk_"
SECRET_BYTES = 32
SHORTEST_KEY, LONGEST_KEY = 24, 64  # bytes of a symmetric secret, by the specification
TOLERANCE_S = 300  # what every official library allows, in both directions
ELEMENT = re.compile(r"([A-Za-z0-9_]+),([A-Za-z0-9+/]+={0,2})", re.ASCII)
SECONDS = re.compile(r"[0-9]{1,12}", re.ASCII)


def new_secret(random_bytes: Callable[[int], bytes] = entropy.token_bytes) -> str:
    return SYMMETRIC + base64.b64encode(random_bytes(SECRET_BYTES)).decode("ascii")


def new_private_key(random_bytes: Callable[[int], bytes] = entropy.token_bytes) -> str:
    """An ed25519 seed, as `whsk_…`."""
    return PRIVATE + base64.b64encode(random_bytes(SECRET_BYTES)).decode("ascii")


def public_key(secret: str) -> str:
    """`whpk_…` of a private key, empty of a symmetric secret. Raises ValueError."""
    if not secret.startswith(PRIVATE):
        return ""
    raw = Ed25519PrivateKey.from_private_bytes(secret_key(secret)).public_key().public_bytes_raw()
    return PUBLIC + _encode(raw)


def secret_key(secret: str) -> bytes:
    """The key inside a secret: its bytes, or a 32-byte ed25519 seed or public key. Raises ValueError."""
    prefix = next((known for known in (PRIVATE, PUBLIC) if secret.startswith(known)), SYMMETRIC)
    key = _decode(secret.removeprefix(prefix))
    if key is None:
        raise ValueError("The secret must be base64 text, after its prefix if it has one.")
    if prefix is SYMMETRIC:
        if not SHORTEST_KEY <= len(key) <= LONGEST_KEY:
            raise ValueError(f"The secret must hold {SHORTEST_KEY} to {LONGEST_KEY} bytes.")
        return key
    # Some tools write a private key as its seed followed by its public half.
    if len(key) != 32 and not (prefix is PRIVATE and len(key) == 64):
        raise ValueError("The ed25519 key must hold 32 bytes.")
    return key[:32]


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs with every secret at once, so that a receiver may rotate. Keys are decoded once."""

    _symmetric: tuple[bytes, ...] = field(repr=False)
    _private: tuple[Ed25519PrivateKey, ...] = field(repr=False, default=())

    @classmethod
    def of(cls, secrets: Sequence[str]) -> "Signer":
        """Raises ValueError, in one sentence that repeats nothing, when one of them is no signing secret."""
        if any(secret.startswith(PUBLIC) for secret in secrets):
            raise ValueError("A public key cannot sign; give the private one (whsk_).")
        private = [secret for secret in secrets if secret.startswith(PRIVATE)]
        return cls(
            tuple(secret_key(secret) for secret in secrets if secret not in private),
            tuple(Ed25519PrivateKey.from_private_bytes(secret_key(secret)) for secret in private),
        )

    def sign(self, message_id: str, timestamp: int, body: bytes) -> str:
        content = f"{message_id}.{timestamp}.".encode() + body
        parts = ["v1," + _encode(mac(key, content, "sha256")) for key in self._symmetric]
        parts += ["v1a," + _encode(key.sign(content)) for key in self._private]
        return " ".join(parts)


def sign(*, secrets: Sequence[str], message_id: str, timestamp: int, body: bytes) -> str:
    return Signer.of(secrets).sign(message_id, timestamp, body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """`matched` is the position of the secret that verified; otherwise `reason` is a slug."""

    matched: int | None = None
    reason: str = ""
    age_s: float | None = None  # how old the timestamp is; negative when it lies ahead

    @property
    def is_valid(self) -> bool:
        return not self.reason


VerifyingKey = bytes | Ed25519PublicKey


@dataclass(frozen=True, slots=True)
class Verifier:
    """Verifies against every live secret. A public key is only ever matched by v1a, the others only by v1."""

    _keys: tuple[VerifyingKey, ...] = field(repr=False)

    @classmethod
    def of(cls, secrets: Sequence[str]) -> "Verifier":
        return cls(tuple(_verifying_key(secret) for secret in secrets))

    def verify(
        self,
        *,
        message_id: str | None,
        timestamp: str | None,
        signature: str | None,
        body: bytes,
        now: float,
        tolerance_s: float = TOLERANCE_S,
    ) -> Verification:
        """Takes the three headers as they came, whatever is in them. Never raises."""
        if not signature or not signature.strip():
            return Verification(reason="signature-missing")
        elements = _elements(signature)
        if not elements:
            return Verification(reason="signature-malformed")
        if not timestamp:
            return Verification(reason="timestamp-missing")
        if not SECONDS.fullmatch(timestamp):
            return Verification(reason="timestamp-malformed")
        # Without its id a message cannot have been signed, whatever the header claims.
        matched = self._matching(elements, _content(message_id, timestamp, body)) if message_id else None
        if matched is None:
            return Verification(reason="signature-mismatch")
        age_s = now - int(timestamp)
        if abs(age_s) > tolerance_s:
            reason = "timestamp-stale" if age_s > 0 else "timestamp-future"
            return Verification(matched=matched, reason=reason, age_s=age_s)
        return Verification(matched=matched, age_s=age_s)

    def _matching(self, elements: Sequence[tuple[str, bytes]], content: bytes) -> int | None:
        for position, key in enumerate(self._keys):
            if isinstance(key, bytes):
                expected = mac(key, content, "sha256")
                found = any(v == "v1" and hmac.compare_digest(given, expected) for v, given in elements)
            else:
                found = any(v == "v1a" and _is_signed(key, given, content) for v, given in elements)
            if found:
                return position
        return None


def verify(
    *,
    secrets: Sequence[str],
    message_id: str | None,
    timestamp: str | None,
    signature: str | None,
    body: bytes,
    now: float,
    tolerance_s: float = TOLERANCE_S,
) -> Verification:
    return Verifier.of(secrets).verify(
        message_id=message_id,
        timestamp=timestamp,
        signature=signature,
        body=body,
        now=now,
        tolerance_s=tolerance_s,
    )


def _elements(signature: str) -> list[tuple[str, bytes]] | None:
    """Version and decoded bytes of each element, or None as soon as one is malformed.

    All or nothing, since servers join a header sent twice with a comma, and that must never verify.
    """
    elements = []
    for text in signature.split():
        found = ELEMENT.fullmatch(text)
        given = _decode(found[2]) if found else None
        if found is None or given is None:
            return None
        elements.append((found[1], given))
    return elements


def _content(message_id: str, timestamp: str, body: bytes) -> bytes:
    # WSGI hands header bytes over as Latin-1 or with surrogates; either way garbage must only mismatch.
    return f"{message_id}.{timestamp}.".encode("utf-8", "surrogatepass") + body


def _verifying_key(secret: str) -> VerifyingKey:
    key = secret_key(secret)
    if secret.startswith(PUBLIC):
        return Ed25519PublicKey.from_public_bytes(key)
    return Ed25519PrivateKey.from_private_bytes(key).public_key() if secret.startswith(PRIVATE) else key


def _is_signed(key: Ed25519PublicKey, given: bytes, content: bytes) -> bool:
    try:
        key.verify(given, content)
    except InvalidSignature:
        return False
    return True


def _encode(raw: bytes) -> str:
    return binascii.b2a_base64(raw, newline=False).decode("ascii")


def _decode(text: str) -> bytes | None:
    """Base64 with or without its padding; None when it is not."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        return None
