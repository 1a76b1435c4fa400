"""Decides which delivery a request says it follows from, by W3C trace context or a header of ours. It believes nothing.

What it reads is a claim: whether there is such a delivery is looked up where deliveries are known, and depth is
computed there.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple
from uuid import UUID

from webhooks.ids import parse_id

from .trace_context import carried, entries_of

HEADER: Final = "weir-cause"
KEY: Final = "weir"  # of our entry in a tracestate


class Claim(NamedTuple):
    """What a request says it follows from, and the entries of other vendors that go out with what it causes."""

    cause_id: UUID | None
    tracestate: str


def claim_of(headers: Mapping[str, str], in_body: str = "") -> Claim:
    """`weir-cause: dlv_…`, else what the body says where its source looks, else `weir=dlv_…` of a sound tracestate.

    Who says it in so many words is heard before a tracestate, which libraries pass on by themselves.
    """
    entries = entries_of(headers)
    said = headers.get(HEADER)
    if said is None:
        said = in_body or entries.get(KEY, "")
    return Claim(_delivery(said) if said else None, carried(entries, ours=KEY) if entries else "")


def _delivery(text: str) -> UUID | None:
    try:
        return parse_id("delivery", text.strip())
    except ValueError:
        return None
