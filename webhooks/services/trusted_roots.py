"""Knows the authorities that this system trusts: those that its TLS trusts. It connects to nobody."""

import os
import re
import ssl
import warnings
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509 import Certificate, load_der_x509_certificate, load_pem_x509_certificates

from webhooks.deciders.chains import Roots, roots_of

_HASHED = re.compile(r"[0-9a-f]{8}\.[0-9]+")  # how OpenSSL names what it looks up in a folder of certificates


@lru_cache(maxsize=1)
def roots() -> Roots:
    """Read once: what is trusted later counts from the next start."""
    with warnings.catch_warnings():
        # Some roots are older than the rules for serial numbers.
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        return roots_of(dict.fromkeys(filter(_has_a_name, (*_of_files(), *_of_folders()))))


def _of_files() -> Iterator[Certificate]:
    for each in ssl.create_default_context().get_ca_certs(binary_form=True):
        try:
            yield load_der_x509_certificate(each)
        except ValueError:
            continue  # OpenSSL reads more than we do


def _of_folders() -> Iterator[Certificate]:
    """OpenSSL opens these when it meets who they vouch for, so that a context does not list them."""
    paths = ssl.get_default_verify_paths()
    folders = os.environ.get(paths.openssl_capath_env) or paths.openssl_capath
    for folder in filter(None, folders.split(os.pathsep)):
        for file in sorted(Path(folder).glob("*")):
            if _HASHED.fullmatch(file.name):
                yield from _in(file)


def _has_a_name(certificate: Certificate) -> bool:
    try:
        return bool(certificate.subject)
    except ValueError:
        return False


def _in(file: Path) -> list[Certificate]:
    try:
        return load_pem_x509_certificates(file.read_bytes())
    except (OSError, ValueError):
        return []
