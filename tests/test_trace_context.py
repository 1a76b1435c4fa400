"""W3C trace context by the book: all cases of the standard's own tests, more of ours, and what is passed on."""

import pytest

from tests.trace_contexts import FUTURE, PUBLISHED, SOUND, SPAN, TRACE, Case, combined
from webhooks.deciders.causality import claim_of
from webhooks.deciders.trace_context import carried, entries_of, parent_of


@pytest.mark.parametrize("case", PUBLISHED)
def test_the_published_cases_come_out_as_the_standard_wants_them(case: Case) -> None:
    headers = combined(case.headers)
    assert parent_of(headers) == ((int(TRACE, 16), int(SPAN, 16)) if case.is_sound else None)
    assert ",".join(f"{key}={value}" for key, value in entries_of(headers).items()) == case.entries


@pytest.mark.parametrize("case", [case for case in PUBLISHED if not case.is_sound])
def test_without_a_sound_traceparent_no_tracestate_is_read(case: Case) -> None:
    assert entries_of(combined([*case.headers, ("tracestate", "foo=1")])) == {}


@pytest.mark.parametrize(
    "traceparent",
    [
        f"00-{TRACE}-{SPAN}-ff",  # flags that are not known yet
        f"01-{TRACE}-{SPAN}-01",
        f"fe-{TRACE}-{SPAN}-01",
        f"cc-{TRACE}-{SPAN}-01-",
    ],
)
def test_what_may_come_later_is_read_by_what_is_known(traceparent: str) -> None:
    assert parent_of({"traceparent": traceparent}) == (int(TRACE, 16), int(SPAN, 16))


@pytest.mark.parametrize(
    "traceparent",
    [
        "",
        f"00-{TRACE[:-1]}A-{SPAN}-01",  # upper case
        f"CC-{TRACE}-{SPAN}-01",
        f"00_{TRACE}_{SPAN}_01",
        f"cc-{TRACE}-{SPAN}-0",  # shorter than any
        f"cc-{TRACE}-{SPAN}-01,cc-{TRACE}-{SPAN}-01",  # twice, as a server joins them
        f"cc-{TRACE}-{SPAN}-01-{FUTURE},{SOUND}",
        f"{SOUND}\n",
        f"\x0b{SOUND}",  # blank, but not by HTTP
        f"\u0660\u0660-{TRACE}-{SPAN}-01",  # digits, but not ASCII's
    ],
)
def test_a_malformed_one_names_nothing_and_its_tracestate_is_dropped(traceparent: str) -> None:
    assert parent_of({"traceparent": traceparent}) is None
    assert entries_of({"traceparent": traceparent, "tracestate": "foo=1"}) == {}


@pytest.mark.parametrize(
    ("tracestate", "expected"),
    [
        ("foo=1,", {"foo": "1"}),  # empty members are allowed
        (",foo=1, \t ,,bar=2", {"foo": "1", "bar": "2"}),
        (",".join(["foo=1", *[""] * 40]), {"foo": "1"}),  # and are none of the 32
        ("0foo=1", {"0foo": "1"}),
        ("0tenant@vendor=1", {"0tenant@vendor": "1"}),
        ("foo= 1", {"foo": " 1"}),  # a blank before a value is of it
        (f"foo={'v' * 256}", {"foo": "v" * 256}),
    ],
)
def test_a_sound_tracestate_is_read_entry_by_entry(tracestate: str, expected: dict[str, str]) -> None:
    assert entries_of({"traceparent": SOUND, "tracestate": tracestate}) == expected


@pytest.mark.parametrize(
    "entry",
    ["foo", "_foo=1", "=1", "foo=\u00fc", "f\u00fc=1", "foo=a\x7f", "foo=a\tb", f"foo={'v' * 257}"],
)
def test_one_malformed_entry_drops_the_whole_tracestate(entry: str) -> None:
    assert entries_of({"traceparent": SOUND, "tracestate": f"weir=x,{entry},bar=2"}) == {}


def test_others_entries_are_passed_on_as_they_came_and_ours_is_not_among_them() -> None:
    headers = {"traceparent": SOUND, "tracestate": "congo=t61rcWkgMzE, weir=dlv_1 ,rojo=00f067aa0ba902b7"}
    assert claim_of(headers).tracestate == "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7"
    assert claim_of({"tracestate": "congo=1"}).tracestate == ""


def test_512_characters_are_passed_on_whole() -> None:
    members = [f"k{n:02}={'v' * 58}" for n in range(8)]  # 62 each, and 7 commas
    members[-1] += "v" * (512 - len(",".join(members)))
    tracestate = ",".join(members)
    assert len(tracestate) == 512
    assert carried(entries_of({"traceparent": SOUND, "tracestate": tracestate}), ours="weir") == tracestate


def test_of_more_the_long_ones_are_left_out_first_and_then_those_at_the_end() -> None:
    members = [f"long={'v' * 124}", *(f"k{n}={'v' * 97}" for n in range(6))]  # one of 129, six of 100
    headers = {"traceparent": SOUND, "tracestate": ",".join(members)}
    assert carried(entries_of(headers), ours="weir") == ",".join(members[1:6])


def test_with_ours_before_them_there_are_32_at_most() -> None:
    headers = {"traceparent": SOUND, "tracestate": ",".join(f"k{n}=1" for n in range(32))}
    assert carried(entries_of(headers), ours="weir") == ",".join(f"k{n}=1" for n in range(31))
