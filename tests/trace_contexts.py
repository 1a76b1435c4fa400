"""The requests of the W3C's own conformance suite for trace context, and what must come of each. Data alone.

They are those of github.com/w3c/trace-context, test/test.py, as of 30 June 2026 (acab820), at its strictest and with
its case of level 2: 80, since three of its 83 are asked for twice. Where Weir differs on purpose, a comment says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

TRACE, SPAN = "12345678901234567890123456789012", "1234567890123456"
SOUND: Final = f"00-{TRACE}-{SPAN}-00"
FUTURE: Final = "what-the-future-will-be-like"
WIDE: Final = "abcdefghijklmnopqrstuvwxyz0123456789_-*/"
PRINTABLE: Final = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) not in ",=")

Headers = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Case:
    """`is_sound`: the traceparent is believed. `entries`: what is kept of the tracestate, as one header."""

    headers: Headers
    is_sound: bool
    entries: str = ""


def _parent(value: str, *, name: str = "traceparent") -> Case:
    return Case([(name, value)], is_sound=True)


def _no_parent(*values: str, name: str = "traceparent") -> Case:
    return Case([(name, value) for value in values], is_sound=False)


def _state(*values: str, keeps: str = "", name: str = "tracestate") -> Case:
    """Behind a sound traceparent, each value a header of its own."""
    return Case([("traceparent", SOUND), *((name, value) for value in values)], True, keeps)


def _tens(start: int, end: int) -> str:
    return ",".join(f"bar{number:02}={number:02}" for number in range(start, end + 1))


# The suite wants a sound trace id inherited. Weir's trace is its own and the sender's is joined by a link, since a
# trace that a stranger names is not ours to continue; "inherited" is read as "believed" here.
_TRACEPARENT: Final = [
    Case([], is_sound=False),  # both missing; asked for once, and thrice
    _parent(f"00-{TRACE}-{SPAN}-01"),  # without a tracestate; asked for once, and thrice
    _no_parent(f"00-{TRACE[:-1]}1-{SPAN}-01", f"00-{TRACE}-{SPAN}-01"),  # twice
    _no_parent(f"00-{TRACE}-{SPAN}-01", name="trace-parent"),
    _no_parent(f"00-{TRACE}-{SPAN}-01", name="trace.parent"),
    _parent(f"00-{TRACE}-{SPAN}-01", name="TraceParent"),
    _parent(f"00-{TRACE}-{SPAN}-01", name="TrAcEpArEnT"),
    _parent(f"00-{TRACE}-{SPAN}-01", name="TRACEPARENT"),
    _no_parent(f"00-{TRACE}-{SPAN}-01."),
    _no_parent(f"00-{TRACE}-{SPAN}-01-{FUTURE}"),
    _parent(f"cc-{TRACE}-{SPAN}-01"),
    _parent(f"cc-{TRACE}-{SPAN}-01-{FUTURE}"),
    _no_parent(f"cc-{TRACE}-{SPAN}-01.{FUTURE}"),
    _no_parent(f"ff-{TRACE}-{SPAN}-01"),
    _no_parent(f".0-{TRACE}-{SPAN}-01"),
    _no_parent(f"0.-{TRACE}-{SPAN}-01"),
    _no_parent(f"000-{TRACE}-{SPAN}-01"),
    _no_parent(f"0000-{TRACE}-{SPAN}-01"),
    _no_parent(f"0-{TRACE}-{SPAN}-01"),
    _no_parent(f"00-{'0' * 32}-{SPAN}-01"),  # asked for once, and thrice
    _no_parent(f"00-.{TRACE[1:]}-{SPAN}-01"),
    _no_parent(f"00-{TRACE[:-1]}.-{SPAN}-01"),
    _no_parent(f"00-{TRACE}3-{SPAN}-01"),
    _no_parent(f"00-{TRACE[:-1]}-{SPAN}-01"),
    _no_parent(f"00-{TRACE}-{'0' * 16}-01"),
    _no_parent(f"00-{TRACE}-.{SPAN[1:]}-01"),
    _no_parent(f"00-{TRACE}-{SPAN[:-1]}.-01"),
    _no_parent(f"00-{TRACE}-{SPAN}7-01"),
    _no_parent(f"00-{TRACE}-{SPAN[:-1]}-01"),
    _no_parent(f"00-{TRACE}-{SPAN}-.0"),
    _no_parent(f"00-{TRACE}-{SPAN}-0."),
    _no_parent(f"00-{TRACE}-{SPAN}-001"),
    _no_parent(f"00-{TRACE}-{SPAN}-1"),
    _parent(f" 00-{TRACE}-{SPAN}-01"),
    _parent(f"\t00-{TRACE}-{SPAN}-01"),
    _parent(f"00-{TRACE}-{SPAN}-01 "),
    _parent(f"00-{TRACE}-{SPAN}-01\t"),
    _parent(f"\t 00-{TRACE}-{SPAN}-01 \t"),
    # Level 2 wants the flag of a random id inherited. As the trace is our own, so are its flags: `01`.
    _parent(f"00-{TRACE}-{SPAN}-02"),
]

_TRACESTATE: Final = [
    Case([("tracestate", "foo=1")], is_sound=False),
    Case([("tracestate", "foo=1,bar=2")], is_sound=False),
    _state("foo=1,bar=2", keeps="foo=1,bar=2"),
    _state("foo=1", name="trace-state"),
    _state("foo=1", name="trace.state"),
    _state("foo=1", name="TraceState", keeps="foo=1"),
    _state("foo=1", name="TrAcEsTaTe", keeps="foo=1"),
    _state("foo=1", name="TRACESTATE", keeps="foo=1"),
    _state(""),
    _state("foo=1", "", keeps="foo=1"),
    _state("", "foo=1", keeps="foo=1"),
    _state("foo=1,bar=2", "rojo=1,congo=2", "baz=3", keeps="foo=1,bar=2,rojo=1,congo=2,baz=3"),
    # Of a key that is there twice, either may be kept, or both: the first is the later one, by the standard's order.
    _state("foo=1,foo=1", keeps="foo=1"),
    _state("foo=1,foo=2", keeps="foo=1"),
    _state("foo=1", "foo=1", keeps="foo=1"),
    _state("foo=1", "foo=2", keeps="foo=1"),
    _state(f"{WIDE}={PRINTABLE}", keeps=f"{WIDE}={PRINTABLE}"),
    _state(f"{WIDE}@a-z0-9_-*/={PRINTABLE}", keeps=f"{WIDE}@a-z0-9_-*/={PRINTABLE}"),
    _state("foo=1 \t , \t bar=2, \t baz=3", keeps="foo=1,bar=2,baz=3"),
    _state("foo=1\t \t,\t \tbar=2,\t \tbaz=3", keeps="foo=1,bar=2,baz=3"),
    _state(" foo=1", keeps="foo=1"),
    _state("\tfoo=1", keeps="foo=1"),
    _state("foo=1 ", keeps="foo=1"),
    _state("foo=1\t", keeps="foo=1"),
    _state("\t foo=1 \t", keeps="foo=1"),
    _state("foo =1"),
    _state("FOO=1"),
    _state("foo.bar=1"),
    _state("foo@=1,bar=2", keeps="foo@=1,bar=2"),
    _state("@foo=1,bar=2"),
    _state("foo@@bar=1,bar=2", keeps="foo@@bar=1,bar=2"),
    _state("foo@bar@baz=1,bar=2", keeps="foo@bar@baz=1,bar=2"),
    _state(_tens(1, 10), _tens(11, 20), _tens(21, 30), _tens(31, 32), keeps=_tens(1, 32)),
    _state(_tens(1, 10), _tens(11, 20), _tens(21, 30), _tens(31, 33)),
    _state("foo=1", f"{'z' * 256}=1", keeps=f"foo=1,{'z' * 256}=1"),
    _state("foo=1", f"{'z' * 257}=1"),
    _state("foo=1", f"{'t' * 241}@{'v' * 14}=1", keeps=f"foo=1,{'t' * 241}@{'v' * 14}=1"),
    _state("foo=1", f"{'t' * 242}@v=1", keeps=f"foo=1,{'t' * 242}@v=1"),
    _state("foo=1", f"t@{'v' * 15}=1", keeps=f"foo=1,t@{'v' * 15}=1"),
    _state("foo=bar=baz"),
    _state("foo=,bar=3"),
]

PUBLISHED: Final = [*_TRACEPARENT, *_TRACESTATE]


def combined(headers: Headers) -> dict[str, str]:
    """As a server hands them over: names in lower case, and several of one name joined by commas (RFC 9110, 5.3)."""
    together: dict[str, list[str]] = {}
    for name, value in headers:
        together.setdefault(name.lower(), []).append(value.strip(" \t"))
    return {name: ",".join(values) for name, values in together.items()}
