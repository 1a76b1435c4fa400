"""Reads an `Idempotency-Key`, and tells one request from another. It remembers nothing.

The header is that of the IETF's draft-ietf-httpapi-idempotency-key-header: a quoted string of structured fields, which
most clients send bare.
"""

import hashlib
import re
from typing import Final

MAX_KEY: Final = 255  # characters
_PRINTABLE = re.compile(r"[\x20-\x7e]+", re.ASCII)
_ESCAPED = re.compile(r"\\([\"\\])")
_BROKEN = re.compile(r"(?<!\\)(?:\\\\)*\\(?![\"\\])|(?<!\\)(?:\\\\)*\"")


def read_key(header: str) -> str:
    """The key without its quotes. Raises ValueError, one sentence."""
    text = header.strip(" \t")
    if text.startswith('"'):
        text = _unquoted(text)
    if not 1 <= len(text) <= MAX_KEY:
        raise ValueError(f"An Idempotency-Key has 1 to {MAX_KEY} characters.")
    if not _PRINTABLE.fullmatch(text):
        raise ValueError("An Idempotency-Key has printable ASCII characters alone.")
    return text


def _unquoted(text: str) -> str:
    inner = text[1:-1]
    if len(text) < 2 or not text.endswith('"') or _BROKEN.search(inner):
        raise ValueError('A quoted Idempotency-Key begins and ends with ", and has \\ before any " within.')
    return _ESCAPED.sub(r"\1", inner)


def fingerprint(*, method: str, address: str, body: bytes) -> bytes:
    """A digest that two requests share when they ask for the same."""
    digest = hashlib.sha256()
    for part in (method.encode(), address.encode(errors="surrogateescape"), body):
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.digest()


def digest_of(key: str) -> bytes:
    """What is kept instead of the key: clients put into it whatever they like."""
    return hashlib.sha256(key.encode()).digest()
