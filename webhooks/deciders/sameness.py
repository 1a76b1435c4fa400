"""Decides what makes two requests the same: their bytes, or their content less what every try changes."""

import hashlib
import json
from typing import Any

from .scheme_columns import Scheme


def digest_of(row: Scheme, body: bytes) -> bytes:
    """SHA-256 of the body; of a row that says what is volatile, or whose items travel in batches, of its content."""
    if row.volatile or row.batch:
        try:
            document = json.loads(body)
            for path in row.volatile:
                _drop(document, path.split("."))
            # ASCII only, since half a surrogate pair has no UTF-8.
            body = json.dumps(document, sort_keys=True, separators=(",", ":")).encode("ascii")
        except (ValueError, RecursionError):
            pass  # what cannot be read is the same only if its bytes are
    return hashlib.sha256(body).digest()


def _drop(value: Any, path: list[str]) -> None:
    *steps, last = path
    for step in steps:
        if isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            value = value.get(step) if isinstance(value, dict) else None
    if isinstance(value, dict):
        value.pop(last, None)
