"""Reads W3C trace context from a request's headers, and decides what of it is passed on. It knows no cause.

By the Recommendation of 23 November 2021 (www.w3.org/TR/trace-context-1): whoever finds no sound traceparent uses no
tracestate either, and a tracestate in which one entry is malformed is dropped as a whole. Keys are read by the wider
grammar of level 2, which the published tests ask for.
"""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

MOST_ENTRIES: Final = 32  # of a tracestate, ours among them; the standard allows no more
MOST_CARRIED: Final = (
    512  # characters of others' entries; what the standard says should at least be passed on
)
_LONG: Final = 128  # characters of an entry that is left out before others are
_BLANK: Final = " \t"

# Version 00 has nothing after its flags; what a later version adds is passed over, but for ff, which is none, and for a
# comma, which is where a server joined two headers. No id is all zeros.
_TRACEPARENT = re.compile(
    r"(?!ff)(?:00|(?P<later>(?!00)[0-9a-f]{2}))-(?!0{32})(?P<trace>[0-9a-f]{32})-(?!0{16})(?P<span>[0-9a-f]{16})"
    r"-[0-9a-f]{2}(?(later)(?:-[^,]*)?)",
    re.ASCII,
)
# A key, and a value of printable ASCII without comma and equals sign, not ending in a blank.
_MEMBER = re.compile(
    r"([a-z0-9][a-z0-9_\-*/@]{0,255})=([\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e])",
    re.ASCII,
)


class Parent(NamedTuple):
    """The span of a sender's from which a request came: 128 and 64 bits."""

    trace_id: int
    span_id: int


def parent_of(headers: Mapping[str, str]) -> Parent | None:
    """What a sound traceparent names."""
    found = _traceparent(headers)
    return Parent(int(found["trace"], 16), int(found["span"], 16)) if found else None


def naming(parent: Parent) -> str:
    """A traceparent of it. Whether it was sampled nobody kept, so it does not say so."""
    return f"00-{parent.trace_id:032x}-{parent.span_id:016x}-00"


def _traceparent(headers: Mapping[str, str]) -> re.Match[str] | None:
    return _TRACEPARENT.fullmatch(headers.get("traceparent", "").strip(_BLANK))


def entries_of(headers: Mapping[str, str]) -> dict[str, str]:
    """The tracestate's entries in their order, the first of each key; none where the headers are not sound."""
    if "tracestate" not in headers or not _traceparent(headers):
        return {}
    entries: dict[str, str] = {}
    members = [member.strip(_BLANK) for member in headers["tracestate"].split(",")]
    members = [member for member in members if member]  # empty ones are allowed, and say nothing
    if len(members) > MOST_ENTRIES:
        return {}
    for member in members:
        found = _MEMBER.fullmatch(member)
        if found is None:
            return {}
        key, value = found.groups()
        entries.setdefault(key, value)
    return entries


def carried(entries: Mapping[str, str], *, ours: str) -> str:
    """Others' entries as they came, to be passed on after ours; shortened by whole entries where they are too many.

    The long ones go first, then those at the end, as section 3.3.1.5 says.
    """
    members = [f"{key}={value}" for key, value in entries.items() if key != ours]
    members = members[: MOST_ENTRIES - 1]
    text = ",".join(members)
    if len(text) > MOST_CARRIED:
        members = [member for member in members if len(member) <= _LONG]
        while len(text := ",".join(members)) > MOST_CARRIED:
            members.pop()
    return text
