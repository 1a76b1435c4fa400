"""W3C trace context by the book: the edge cases of the standard's own tests, and what is passed on of a tracestate.

The cases are those of github.com/w3c/trace-context/blob/main/test/test.py.
"""

import pytest

from webhooks.deciders.causality import passed_on
from webhooks.deciders.trace_context import carried, entries_of, parent_of

TRACE, SPAN = "12345678901234567890123456789012", "1234567890123456"
SOUND = f"00-{TRACE}-{SPAN}-01"
WIDE = "abcdefghijklmnopqrstuvwxyz0123456789_-*/"
PRINTABLE = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) not in ",=")


@pytest.mark.parametrize(
    "traceparent",
    [
        SOUND,
        f"00-{TRACE}-{SPAN}-00",
        f"00-{TRACE}-{SPAN}-ff",  # flags that are not known yet
        f"cc-{TRACE}-{SPAN}-01",
        f"cc-{TRACE}-{SPAN}-01-what-the-future-will-be-like",
        f"cc-{TRACE}-{SPAN}-01-",
        f" {SOUND}",
        f"\t{SOUND}",
        f"{SOUND} ",
        f"{SOUND}\t",
        f"\t {SOUND} \t",
    ],
)
def test_a_sound_traceparent_names_trace_and_span(traceparent: str) -> None:
    assert parent_of({"traceparent": traceparent}) == (int(TRACE, 16), int(SPAN, 16))


@pytest.mark.parametrize(
    "traceparent",
    [
        "",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01.",
        f"00-{TRACE}-{SPAN}-01-what-the-future-will-be-like",
        f"cc-{TRACE}-{SPAN}-01.what-the-future-will-not-be-like",
        f".0-{TRACE}-{SPAN}-01",
        f"0.-{TRACE}-{SPAN}-01",
        f"000-{TRACE}-{SPAN}-01",
        f"0000-{TRACE}-{SPAN}-01",
        f"0-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-.{TRACE[1:]}-{SPAN}-01",
        f"00-{TRACE[:-1]}.-{SPAN}-01",
        f"00-{TRACE}3-{SPAN}-01",
        f"00-{TRACE[:-1]}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-.{SPAN[1:]}-01",
        f"00-{TRACE}-{SPAN[:-1]}.-01",
        f"00-{TRACE}-{SPAN}7-01",
        f"00-{TRACE}-{SPAN[:-1]}-01",
        f"00-{TRACE}-{SPAN}-.0",
        f"00-{TRACE}-{SPAN}-0.",
        f"00-{TRACE}-{SPAN}-001",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE[:-1]}A-{SPAN}-01",  # upper case
        f"00_{TRACE}_{SPAN}_01",
        f"{SOUND},{SOUND[:-1]}0",  # two headers, as a server joins them
        f"{SOUND}\n",
        f"٠٠-{TRACE}-{SPAN}-01",  # digits, but not ASCII's
    ],
)
def test_a_malformed_one_names_nothing_and_its_tracestate_is_dropped(traceparent: str) -> None:
    assert parent_of({"traceparent": traceparent}) is None
    assert entries_of({"traceparent": traceparent, "tracestate": "foo=1"}) == {}


def test_a_tracestate_without_a_traceparent_is_dropped() -> None:
    assert entries_of({"tracestate": "foo=1"}) == {}
    assert parent_of({}) is None


@pytest.mark.parametrize(
    ("tracestate", "expected"),
    [
        ("foo=1", {"foo": "1"}),
        ("foo=1,bar=2", {"foo": "1", "bar": "2"}),
        ("foo=1 \t , \t bar=2, \t baz=3", {"foo": "1", "bar": "2", "baz": "3"}),
        ("foo=1,", {"foo": "1"}),  # empty members are allowed
        (",foo=1,,,bar=2", {"foo": "1", "bar": "2"}),
        ("", {}),
        ("foo=1,foo=2", {"foo": "1"}),  # the first of two with one key
        (f"{'z' * 256}=1", {"z" * 256: "1"}),
        (f"{'t' * 241}@{'v' * 14}=1", {f"{'t' * 241}@{'v' * 14}": "1"}),
        ("0tenant@vendor=1", {"0tenant@vendor": "1"}),
        (f"{WIDE}=1", {WIDE: "1"}),
        (f"{WIDE}@a-z0-9_-*/=1", {f"{WIDE}@a-z0-9_-*/": "1"}),
        (f"foo={PRINTABLE}", {"foo": PRINTABLE}),
        (f"foo={'v' * 256}", {"foo": "v" * 256}),
        (",".join(f"bar{n}={n}" for n in range(32)), {f"bar{n}": str(n) for n in range(32)}),
    ],
)
def test_a_sound_tracestate_is_read_entry_by_entry(tracestate: str, expected: dict[str, str]) -> None:
    assert entries_of({"traceparent": SOUND, "tracestate": tracestate}) == expected


@pytest.mark.parametrize(
    "entry",
    [
        "foo",
        "foo =1",
        "FOO=1",
        "foo.bar=1",
        "foo@=1",
        "@foo=1",
        "foo@@bar=1",
        "foo@bar@baz=1",
        "0foo=1",
        "foo=bar=baz",
        "foo=",
        "=1",
        "foo=\u00fc",
        "foo=a\x7f",
        f"{'z' * 257}=1",
        f"{'t' * 242}@v=1",
        f"t@{'v' * 15}=1",
        f"foo={'v' * 257}",
        ",".join(f"bar{n}={n}" for n in range(33)),
    ],
)
def test_one_malformed_entry_drops_the_whole_tracestate(entry: str) -> None:
    assert entries_of({"traceparent": SOUND, "tracestate": f"weir=x,{entry},bar=2"}) == {}


def test_others_entries_are_passed_on_as_they_came_and_ours_is_not_among_them() -> None:
    headers = {"traceparent": SOUND, "tracestate": "congo=t61rcWkgMzE, weir=dlv_1 ,rojo=00f067aa0ba902b7"}
    assert passed_on(headers) == "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7"
    assert passed_on({"tracestate": "congo=1"}) == ""


def test_512_characters_are_passed_on_whole() -> None:
    members = [f"k{n:02}={'v' * 58}" for n in range(8)]  # 62 each, and 7 commas
    members[-1] += "v" * (512 - len(",".join(members)))
    tracestate = ",".join(members)
    assert len(tracestate) == 512
    assert carried({"traceparent": SOUND, "tracestate": tracestate}, ours="weir") == tracestate


def test_of_more_the_long_ones_are_left_out_first_and_then_those_at_the_end() -> None:
    members = [f"long={'v' * 124}", *(f"k{n}={'v' * 97}" for n in range(6))]  # one of 129, six of 100
    headers = {"traceparent": SOUND, "tracestate": ",".join(members)}
    assert carried(headers, ours="weir") == ",".join(members[1:6])


def test_with_ours_before_them_there_are_32_at_most() -> None:
    headers = {"traceparent": SOUND, "tracestate": ",".join(f"k{n}=1" for n in range(32))}
    assert carried(headers, ours="weir") == ",".join(f"k{n}=1" for n in range(31))
