"""Decides which delivery a request says it follows from, by W3C trace context or a header of ours. It believes nothing.

What it reads is a claim: whether there is such a delivery is looked up where deliveries are known, and depth is
computed there.
"""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from webhooks.ids import parse_id

from .trace_context import carried, entries_of

HEADER: Final = "weir-cause"
KEY: Final = "weir"  # of our entry in a tracestate


def cause_of(headers: Mapping[str, str], in_body: str = "") -> UUID | None:
    """`weir-cause: dlv_…`, else what the body says where its source looks, else `weir=dlv_…` of a sound tracestate.

    Who says it in so many words is heard before a tracestate, which libraries pass on by themselves.
    """
    if HEADER in headers:
        return _delivery(headers[HEADER])
    if in_body:
        return _delivery(in_body)
    return _delivery(entries_of(headers).get(KEY, "")) if "tracestate" in headers else None


def passed_on(headers: Mapping[str, str]) -> str:
    """The entries of other vendors in a sound tracestate, which go out again with what this request causes."""
    return carried(headers, ours=KEY) if "tracestate" in headers else ""


def _delivery(text: str) -> UUID | None:
    try:
        return parse_id("delivery", text.strip())
    except ValueError:
        return None
