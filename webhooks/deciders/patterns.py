"""Holds texts against the patterns of a schema, in time that grows with the text alone, whatever the pattern.

Python's own matcher tries one way after another, lets nobody else in meanwhile and cannot be stopped. RE2 goes over the
text once, and what that cannot do, such as looking ahead, no pattern may ask for (github.com/google/re2/wiki/Syntax).
"""

from functools import lru_cache
from typing import Any, Final

import re2

LONGEST_PATTERN: Final = 500  # characters
_MEMORY: Final = 1 << 18  # bytes of one pattern, what it notes while it matches included
_MOST_KEPT: Final = 512


def matches(pattern: str, text: str) -> bool:
    """Whether it matches anywhere in the text. Raises ValueError for what `check_pattern` would refuse."""
    return _read(pattern).search(text) is not None


def check_pattern(pattern: str) -> None:
    """Raises ValueError, one sentence."""
    _read(pattern)


@lru_cache(maxsize=_MOST_KEPT)
def _read(pattern: str) -> Any:
    if len(pattern) > LONGEST_PATTERN:
        raise ValueError(f"A pattern has at most {LONGEST_PATTERN} characters.")
    options = re2.Options()
    options.log_errors, options.max_mem = False, _MEMORY
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        raise ValueError(
            f"The pattern {pattern[:80]!r} is no regular expression that RE2 reads: {_said(error)}."
        ) from None


def _said(error: Exception) -> str:
    said = error.args[0] if error.args else ""
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
