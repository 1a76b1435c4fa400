"""What an event says caused it: read from W3C trace context or our own header, by the standard's rules, and no more."""

from uuid import UUID

import pytest

from webhooks.deciders.causality import claim_of

ID = UUID("0192f0a0-0000-7000-8000-000000000001")
OURS = f"dlv_{ID.hex}"
PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize(
    "headers",
    [
        {"weir-cause": OURS},
        {"weir-cause": f" {ID} "},
        {"traceparent": PARENT, "tracestate": f"weir={OURS}"},
        {"traceparent": PARENT, "tracestate": f"congo=t61rcWkgMzE , weir={OURS},rojo=1"},
        {"traceparent": f"{PARENT[:-2]}00", "tracestate": f"weir={OURS}"},  # not sampled, and still a trace
        {"traceparent": f"cc{PARENT[2:]}-what-the-future-will-be", "tracestate": f"weir={OURS}"},
        {"traceparent": PARENT, "tracestate": ",".join([f"k{n}=v" for n in range(31)] + [f"weir={OURS}"])},
    ],
)
def test_a_cause_is_read_where_it_may_stand(headers: dict[str, str]) -> None:
    assert claim_of(headers).cause_id == ID


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"tracestate": f"weir={OURS}"},  # without a traceparent it says nothing
        {"traceparent": PARENT},
        {"traceparent": PARENT, "tracestate": "weir=dlv_nonsense"},
        {"traceparent": PARENT, "tracestate": f"beir={OURS}"},
        {"traceparent": PARENT, "tracestate": ",".join([f"k{n}=v" for n in range(32)] + [f"weir={OURS}"])},
        {"traceparent": "ff" + PARENT[2:], "tracestate": f"weir={OURS}"},
        {"traceparent": f"{PARENT}-more", "tracestate": f"weir={OURS}"},  # version 00 has no more
        {"traceparent": f"00-{'0' * 32}-00f067aa0ba902b7-01", "tracestate": f"weir={OURS}"},
        {"traceparent": f"00-4bf92f3577b34da6a3ce929d0e0e4736-{'0' * 16}-01", "tracestate": f"weir={OURS}"},
        {"traceparent": PARENT.upper(), "tracestate": f"weir={OURS}"},
        {"traceparent": PARENT + "\n", "tracestate": ""},
        {"weir-cause": ""},
        {"weir-cause": "'; DROP TABLE", "traceparent": PARENT, "tracestate": f"weir={OURS}"},
    ],
)
def test_anything_else_is_no_cause(headers: dict[str, str]) -> None:
    assert claim_of(headers).cause_id is None


def test_what_a_sender_says_itself_is_heard_before_what_libraries_pass_on() -> None:
    other = "dlv_0192f0a0000070008000000000000002"
    traced = {"traceparent": PARENT, "tracestate": f"weir={other}"}
    assert claim_of(traced, in_body=OURS).cause_id == ID
    assert claim_of({"weir-cause": OURS, **traced}, in_body=other).cause_id == ID
    assert claim_of(traced, in_body="nonsense").cause_id is None
