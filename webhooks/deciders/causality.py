"""Decides which delivery a request says it follows from, by W3C trace context or a header of ours. It believes nothing.

What it reads is a claim: whether there is such a delivery is looked up where deliveries are known, and depth is
computed there.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple
from uuid import UUID

from webhooks.ids import parse_id

MOST_ENTRIES = 32  # of a tracestate; what the standard allows
_OURS = "weir"
# Version 00 has nothing after its flags; what a later version adds is passed over. No id is all zeros.
_TRACEPARENT = re.compile(
    r"(?!ff)(?:00|(?P<later>(?!00)[0-9a-f]{2}))-(?!0{32})(?P<trace>[0-9a-f]{32})-(?!0{16})(?P<span>[0-9a-f]{16})"
    r"-[0-9a-f]{2}(?(later)(?:-.*)?)",
    re.ASCII,
)


class Parent(NamedTuple):
    """The span of a sender's from which a request came: 128 and 64 bits."""

    trace_id: int
    span_id: int


def parent_of(headers: Mapping[str, str]) -> Parent | None:
    """What a sound traceparent names."""
    found = _TRACEPARENT.fullmatch(headers.get("traceparent", "").strip())
    return Parent(int(found["trace"], 16), int(found["span"], 16)) if found else None


def cause_of(headers: Mapping[str, str]) -> UUID | None:
    """`weir-cause: dlv_…`, else the entry `weir=dlv_…` of a tracestate whose traceparent is sound."""
    if "weir-cause" in headers:
        return _delivery(headers["weir-cause"])
    if "tracestate" not in headers or not _TRACEPARENT.fullmatch(headers.get("traceparent", "").strip()):
        return None
    for entry in headers["tracestate"].split(",")[:MOST_ENTRIES]:
        key, _, value = entry.strip().partition("=")
        if key == _OURS:
            return _delivery(value)
    return None


def _delivery(text: str) -> UUID | None:
    try:
        return parse_id("delivery", text.strip())
    except ValueError:
        return None
