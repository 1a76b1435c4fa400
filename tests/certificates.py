"""Makes throw-away keys and certificates, such as a provider signs with."""

import base64
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from webhooks.deciders.chains import Roots, roots_of

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
    key: Key | None = None,
    *,
    name: str = "sample",
    begins_in_s: float = -60,
    ends_in_s: float = 86_400,
    by: Authority | None = None,
    is_issuer: bool = False,
) -> Authority:
    """Issued by itself, or `by` another; one that is an issuer is so for servers alone, as those of the web are."""
    key, now = key or rsa.generate_private_key(65_537, 2_048), datetime.now(UTC).replace(microsecond=0)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)] if name else [])
    issuer = x509.load_pem_x509_certificate(by.certificate.encode()) if by else None
    unsigned = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(seconds=begins_in_s))
        .not_valid_after(now + timedelta(seconds=ends_in_s))
    )
    if is_issuer:
        unsigned = _of_an_issuer(unsigned, key, issuer)
    signs = serialization.load_pem_private_key(by.private.encode(), password=None) if by else key
    assert isinstance(signs, Key)
    made = unsigned.sign(signs, None if isinstance(signs, ed25519.Ed25519PrivateKey) else hashes.SHA256())
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return Authority(
        certificate=made.public_bytes(pem).decode(),
        private=private.decode(),
        fingerprint=made.fingerprint(hashes.SHA256()).hex(":").upper(),
        expires_at=made.not_valid_after_utc,
    )


def trusting(*pems: str) -> Roots:
    return roots_of(x509.load_pem_x509_certificate(pem.encode()) for pem in pems)


def _of_an_issuer(
    unsigned: x509.CertificateBuilder, key: Key, issuer: x509.Certificate | None
) -> x509.CertificateBuilder:
    may = dict.fromkeys(
        ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
        + ("encipher_only", "decipher_only"),
        False,
    )
    extended = (
        unsigned.add_extension(x509.BasicConstraints(True, None), critical=True)
        .add_extension(x509.KeyUsage(key_cert_sign=True, crl_sign=True, **may), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if issuer is None:
        return extended
    known = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key())  # type: ignore[arg-type]
    purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    return extended.add_extension(known, critical=False).add_extension(purpose, critical=False)
