"""Makes throw-away keys and certificates, such as a provider signs with."""

import base64
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.x509.oid import NameOID

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


@dataclass(frozen=True, kw_only=True, slots=True)
class Authority:
    certificate: str  # PEM, as what follows
    private: str
    fingerprint: str
    expires_at: datetime

    def sign(self, content: bytes) -> str:
        """With RSA over SHA-256, in base64, as SNS does."""
        key = serialization.load_pem_private_key(self.private.encode(), password=None)
        assert isinstance(key, rsa.RSAPrivateKey)
        return base64.b64encode(key.sign(content, PKCS1v15(), hashes.SHA256())).decode()


@lru_cache
def rsa_key(bits: int = 2_048) -> rsa.RSAPrivateKey:
    """Always the same for its length: making one takes a tenth of a second."""
    return rsa.generate_private_key(65_537, bits)


def authority(
    key: Key | None = None, *, name: str = "sample", begins_in_s: float = -60, ends_in_s: float = 86_400
) -> Authority:
    key, now = key or rsa.generate_private_key(65_537, 2_048), datetime.now(UTC).replace(microsecond=0)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)] if name else [])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(seconds=begins_in_s))
        .not_valid_after(now + timedelta(seconds=ends_in_s))
        .sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return Authority(
        certificate=made.public_bytes(pem).decode(),
        private=private.decode(),
        fingerprint=made.fingerprint(hashes.SHA256()).hex(":").upper(),
        expires_at=made.not_valid_after_utc,
    )
