"""The one table of signature schemes, as data: who signs how, where ids and types lie. It checks nothing.

A place is written `header:<name>`, or `json:<path>` with dots between the names of nested objects.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Kind(StrEnum):
    """Which primitive checks a row; `verify.py` has one function for each."""

    NONE = "none"  # anyone may send
    STANDARD_WEBHOOKS = "standard-webhooks"  # HMAC-SHA256 or ed25519 over id, timestamp and body


@dataclass(frozen=True, kw_only=True, slots=True)
class Scheme:
    slug: str
    label: str
    kind: Kind
    signature_header: str = ""
    id_header: str = ""
    timestamp_header: str = ""
    tolerance_s: int = 0
    id_sources: tuple[str, ...] = ()  # the first that holds something; when none does, the body's fingerprint
    type_sources: tuple[str, ...] = ()
    time_sources: tuple[str, ...] = ()
    may_be_ours: bool = False  # another Weir may send what was published to it, entity and version included
    weakness: str = ""  # shown to operators

    @property
    def needs_secret(self) -> bool:
        return self.kind is not Kind.NONE


class UnknownScheme(Exception):  # noqa: N818  # it names what happened
    """A source names a scheme that this version of Weir does not have."""


# What senders who follow no provider's rules call these things, most telling name first.
_USUAL_TYPES = ("json:event_type", "json:type", "json:webhook_type")
_USUAL_TIMES = ("json:occurred_at", "json:timestamp")

_ROWS = (
    Scheme(
        slug="none",
        label="None (anyone may send)",
        kind=Kind.NONE,
        # The header first: who sets it says "this is one message", while a body's `id` may name its subject.
        id_sources=("header:webhook-id", "json:event_id", "json:id"),
        type_sources=_USUAL_TYPES,
        time_sources=_USUAL_TIMES,
        may_be_ours=True,
        weakness="Nothing proves who sent a request.",
    ),
    Scheme(
        slug="standard-webhooks",
        label="Standard Webhooks",
        kind=Kind.STANDARD_WEBHOOKS,
        signature_header="webhook-signature",
        id_header="webhook-id",
        timestamp_header="webhook-timestamp",
        tolerance_s=300,
        id_sources=("header:webhook-id",),  # signed and required, so no other is ever looked for
        type_sources=("json:type", "json:event_type", "json:webhook_type"),
        time_sources=_USUAL_TIMES,
        may_be_ours=True,
    ),
)

SCHEMES: Mapping[str, Scheme] = MappingProxyType({row.slug: row for row in _ROWS})


def scheme(slug: str) -> Scheme:
    """Raises UnknownScheme with one sentence."""
    try:
        return SCHEMES[slug]
    except KeyError:
        raise UnknownScheme(f"There is no signature scheme called {slug!r}.") from None


def choices() -> list[tuple[str, str]]:
    return [(row.slug, row.label) for row in _ROWS]
