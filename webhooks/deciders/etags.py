"""Writes and reads ETags (RFC 9110, section 8.8.3). It knows no resource.

A tag of ours has two halves: which version people set, and a digest of how it was shown. An edit is guarded by the
first, since a lane moves by itself all the time; whether a copy is still good is told by both.
"""

import hashlib
import re
from typing import Final

_TAG = re.compile(r'(?:W/)?"([\x21\x23-\x7e]*)"', re.ASCII)
_LIST = re.compile(r'\s*(?:W/)?"[\x21\x23-\x7e]*"\s*(?:,\s*(?:W/)?"[\x21\x23-\x7e]*"\s*)*', re.ASCII)
ANY: Final = "*"


def etag(*, version: str, content: bytes) -> str:
    return f'"{version}.{hashlib.sha256(content).hexdigest()[:16]}"'


def versions(header: str) -> frozenset[str] | None:
    """The versions that an `If-Match` names; None: any will do. Raises ValueError, one sentence.

    A proxy that compresses marks tags as weak; of ours the first half is as good then.
    """
    if header.strip() == ANY:
        return None
    return frozenset(tag.partition(".")[0] for tag in _tags(header))


def is_good_copy(header: str, tag: str) -> bool:
    """Whether an `If-None-Match` names this tag (weakly compared, as RFC 9110 says). Nonsense names none."""
    if header.strip() == ANY:
        return True
    try:
        return tag.strip('"') in _tags(header)
    except ValueError:
        return False


def _tags(header: str) -> list[str]:
    if not _LIST.fullmatch(header):
        raise ValueError('If-Match names ETags in quotes, such as "3.9f86d081884c7d65", or *.')
    return _TAG.findall(header)
