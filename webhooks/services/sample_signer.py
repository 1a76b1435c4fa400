"""Keeps a key of this hub's own and a certificate for it, to sign samples with. It pins nothing, and shows no key.

They are for providers that sign by a certificate, and stand in the hub's folder in one file that nobody else may read.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from stat import S_IMODE
from tempfile import NamedTemporaryFile

from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509 import (
    BasicConstraints,
    Certificate,
    CertificateBuilder,
    Name,
    NameAttribute,
    load_pem_x509_certificate,
    random_serial_number,
)
from cryptography.x509.oid import NameOID
from django.conf import settings

_FILE = "sample_signer.pem"
_LIVES = timedelta(days=90)  # a pin that was forgotten ends by itself
_EARLIER = timedelta(hours=1)  # for a hub whose clock is behind ours
_LEAST_LEFT = timedelta(days=1)  # then a new one is made, which must be pinned anew
_BITS = 2_048
_OTHERS = 0o077


class CannotSign(Exception):  # noqa: N818  # it names what happened
    """The file cannot serve; the message is a sentence that says how to mend it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Signer:
    private_key: str = field(repr=False)  # PEM, as what follows
    certificate: str


def sample_signer(now: datetime) -> Signer:
    """The same from call to call, until its certificate is about to end. Raises CannotSign."""
    path = Path(settings.HUB_VAR) / _FILE
    try:
        if not path.exists():
            _make_once(path, now)
        known = _read(path)
        if not _serves(known, now):
            _make_anew(path, now)
            known = _read(path)
    except OSError as error:
        raise CannotSign(f"The file {path} cannot be read or made: {error.strerror}.") from None
    return known


def _read(path: Path) -> Signer:
    with path.open(encoding="ascii", errors="replace") as file:
        if S_IMODE(os.fstat(file.fileno()).st_mode) & _OTHERS:
            raise CannotSign(f"Others may read the key in {path}: remove the file, and a new one is made.")
        text = file.read()
    key, mark, certificate = text.partition("-----BEGIN CERTIFICATE-----")
    known = Signer(private_key=key, certificate=mark + certificate)
    if not _belong_together(known):
        raise CannotSign(
            f"The file {path} holds no key and its certificate: remove it, and a new one is made."
        )
    return known


def _belong_together(known: Signer) -> bool:
    try:
        key = load_pem_private_key(known.private_key.encode(), password=None)
        return key.public_key() == _parsed(known).public_key()
    except (ValueError, TypeError):
        return False


def _serves(known: Signer, now: datetime) -> bool:
    certificate = _parsed(known)
    return certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc - _LEAST_LEFT


def _parsed(known: Signer) -> Certificate:
    return load_pem_x509_certificate(known.certificate.encode())


def _make_once(path: Path, now: datetime) -> None:
    """Of two processes at once the first one's stays, and both read it: a link to a taken name fails."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _written(path, now) as fresh, suppress(FileExistsError):
        os.link(fresh, path)


def _make_anew(path: Path, now: datetime) -> None:
    with _written(path, now) as fresh:
        os.link(fresh, beside := f"{fresh}.new")
        os.replace(beside, path)


@contextmanager
def _written(path: Path, now: datetime) -> Iterator[str]:
    with NamedTemporaryFile(  # made with mode 0600
        "w", encoding="ascii", dir=path.parent, prefix=f".{path.name}-"
    ) as fresh:
        fresh.write(_pair(now))
        fresh.flush()
        os.fsync(fresh.fileno())
        yield fresh.name


def _pair(now: datetime) -> str:
    key = generate_private_key(65_537, _BITS)
    name = Name([NameAttribute(NameOID.COMMON_NAME, "Weir samples, signed for trying")])
    certificate = (
        CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(random_serial_number())
        .not_valid_before(now - _EARLIER)
        .not_valid_after(now + _LIVES)
        .add_extension(BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return (private + certificate.public_bytes(Encoding.PEM)).decode("ascii")
