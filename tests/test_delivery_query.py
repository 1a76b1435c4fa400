"""A deliveries address becomes one value, and back; what is not understood is said and never raises."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliveries.deciders.delivery_address import parse, to_params, to_url
from deliveries.deciders.delivery_query import DeliveryQuery, Status
from deliveries.deciders.delivery_words import chips, sentence
from deliveries.deciders.list_query import SINCE
from deliveries.deciders.outcome import Outcome
from webhooks.ids import public_id

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
ONE = UUID("01932f00-0000-7000-8000-000000000001")
SUB = public_id("subscription", ONE)
DLV = public_id("delivery", ONE)
RPL = public_id("replay", ONE)


def unknown(name: str, value: str) -> str:
    return f"The filter {name} does not know “{value}”; it was ignored."


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, {}),
        ({"status": ["dead,held"]}, {"statuses": (Status.DEAD, Status.HELD)}),
        ({"status": ["held", "dead", "held"]}, {"statuses": (Status.DEAD, Status.HELD)}),
        ({"sub": [SUB]}, {"subscriptions": (ONE,)}),
        ({"source": ["shop"]}, {"sources": ("shop",)}),
        ({"type": ["order.*", "a,b"]}, {"types": ("a,b", "order.*")}),
        ({"type": ["*"]}, {}),
        ({"code": ["5xx,net,404"]}, {"codes": ("404", "5xx", "net")}),
        ({"error": ["timeout"]}, {"outcomes": (Outcome.TIMEOUT,)}),
        ({"fp": ["v1:0f"]}, {"fingerprints": ("v1:0f",), "since": "all"}),
        ({"fp": ["v1:1,v1:0f", "v1:1"]}, {"fingerprints": ("v1:0f", "v1:1"), "since": "all"}),
        ({"replay": [RPL]}, {"replay": ONE, "since": "all"}),
        ({"replay": [RPL], "since": ["24h"]}, {"replay": ONE, "since": "24h"}),
        ({"q": [" ord-1 "]}, {"search": "ord-1", "since": "all"}),
        ({"q": ["ord-1"], "since": ["24h"]}, {"search": "ord-1", "since": "24h"}),
        ({"since": ["24h"]}, {"since": "24h"}),
        ({"from": ["2026-11-23T09:00"]}, {"start": NOW - timedelta(hours=1), "since": "all"}),
        ({"to": ["2026-11-23T11:00:00+01:00"]}, {"end": NOW, "since": "all"}),
        ({"from": ["2026-11-23"]}, {"start": NOW - timedelta(hours=10), "since": "all"}),
        ({"attempts": [">=3"]}, {"attempts": 3}),
        ({"order": ["oldest"]}, {"oldest_first": True}),
        ({"before": [DLV]}, {"before": ONE}),
        ({"after": [ONE.hex]}, {"after": ONE}),
        ({"status": [""], "q": [" "], "sub": [","]}, {}),
    ],
)
def test_an_address_is_read(params: dict[str, list[str]], expected: dict[str, Any]) -> None:
    parsed = parse(params)
    assert (parsed.query, parsed.notices) == (DeliveryQuery(**expected), ())


@pytest.mark.parametrize(
    ("params", "expected", "notice"),
    [
        ({"status": ["dead,lost"]}, {"statuses": (Status.DEAD,)}, unknown("status", "lost")),
        ({"sub": ["erp"]}, {}, unknown("sub", "erp")),
        ({"source": ["Shop"]}, {}, unknown("source", "Shop")),
        ({"type": ["or*er"]}, {}, unknown("type", "or*er")),
        ({"code": ["6xx"]}, {}, unknown("code", "6xx")),
        ({"code": ["٥٠٠"]}, {}, unknown("code", "٥٠٠")),
        ({"error": ["oops"]}, {}, unknown("error", "oops")),
        ({"fp": ["x,v1:0f"]}, {"fingerprints": ("v1:0f",), "since": "all"}, unknown("fp", "x")),
        ({"replay": [DLV]}, {}, unknown("replay", DLV)),
        ({"q": ["a\0b"]}, {}, unknown("q", "a\ufffdb")),
        ({"since": ["2d"]}, {}, unknown("since", "2d")),
        ({"from": ["soon"]}, {}, unknown("from", "soon")),
        ({"from": ["0001-01-01T00:00:00+23:59"]}, {}, unknown("from", "0001-01-01T00:00:00+23:59")),
        ({"attempts": ["3"]}, {}, unknown("attempts", "3")),
        ({"attempts": [">=0"]}, {}, unknown("attempts", ">=0")),
        ({"order": ["status"]}, {}, unknown("order", "status")),
        ({"before": ["x" * 50]}, {}, unknown("before", "x" * 40 + "…")),
        ({"colour": ["red"]}, {}, "There is no filter “colour”; it was ignored."),
        (
            {"q": ["a", "b"]},
            {"search": "a", "since": "all"},
            "The filter q was given more than once; the first was used.",
        ),
        (
            {"before": [DLV], "after": [DLV]},
            {"before": ONE},
            "The cursor after was ignored, since before was given too.",
        ),
        (
            {"since": ["1h"], "to": ["2026-11-23T10:00"]},
            {"end": NOW, "since": "all"},
            "The filter since was ignored, since from or to was given too.",
        ),
        (
            {"from": ["2026-11-23T10:00"], "to": ["2026-11-23T10:00"]},
            {"start": NOW, "since": "all"},
            "The filter to was ignored, since it is not later than from.",
        ),
        (
            {"code": [",".join(str(code) for code in range(400, 451))]},
            {"codes": tuple(str(code) for code in range(400, 450))},
            "Of the filter code the first 50 values were used.",
        ),
    ],
)
def test_what_is_not_understood_is_said(
    params: dict[str, list[str]], expected: dict[str, Any], notice: str
) -> None:
    parsed = parse(params)
    assert (parsed.query, parsed.notices) == (DeliveryQuery(**expected), (notice,))


def test_an_address_is_short_and_readable() -> None:
    query = parse({"status": ["held,dead"], "type": ["order.*"], "attempts": [">=3"], "since": ["24h"]}).query
    assert to_url(query) == "?status=dead,held&type=order.*&since=24h&attempts=>=3"
    assert to_url(DeliveryQuery()) == "?"


def test_a_frozen_query_has_fixed_ends_and_no_page() -> None:
    query = DeliveryQuery(since="24h", before=ONE).frozen(NOW)
    assert query == DeliveryQuery(since="all", start=NOW - timedelta(days=1), end=NOW)
    assert query.frozen(NOW + timedelta(days=9)) == query


def test_a_query_is_said_in_words() -> None:
    query = DeliveryQuery(
        statuses=(Status.DEAD,),
        subscriptions=(ONE,),
        codes=("5xx", "net"),
        outcomes=(Outcome.TLS,),
        attempts=3,
    )
    assert (
        sentence(query, names={ONE: "ERP core"})
        == "Dead letter, ERP core, Response 5xx, No answer, TLS failed, At least 3 attempts, Last 30 days"
    )
    assert sentence(DeliveryQuery(), names={}) == "All deliveries, Last 30 days"


def test_each_chip_takes_off_one_filter() -> None:
    query = DeliveryQuery(types=("a", "b"), since="24h", before=ONE)
    assert [(chip.words, chip.without) for chip in chips(query, names={})] == [
        ("Last 24 hours", DeliveryQuery(types=("a", "b"))),
        ("a", DeliveryQuery(types=("b",), since="24h")),
        ("b", DeliveryQuery(types=("a",), since="24h")),
    ]


NAMES = st.sampled_from(
    ["status", "sub", "source", "type", "code", "error", "fp", "replay", "q"]
    + ["since", "from", "to", "attempts", "order", "before", "after"]
)
READABLE = [
    "dead", SUB, "shop", "order.*", "4xx", "net", "timeout", "v1:0f", "v1:0f,v1:1", RPL, "24h", "all", "2026-11-23",
    "9998-12-31T23:59:59.999999", ">=3", "oldest", DLV,
]  # fmt: skip
VALUES = st.one_of(st.text(max_size=60), st.sampled_from(READABLE))
ANYTHING = st.dictionaries(st.one_of(NAMES, st.text(max_size=20)), st.lists(VALUES, max_size=4), max_size=8)


@given(ANYTHING)
def test_whatever_is_asked_comes_back_the_same_from_its_address_and_its_criteria(
    params: dict[str, list[str]],
) -> None:
    query = parse(params).query
    from_address = parse(parse_qs(to_url(query).removeprefix("?")))
    assert (from_address.query, from_address.notices) == (query, ())
    frozen = query.frozen(NOW)
    from_criteria = parse(json.loads(json.dumps(to_params(frozen))))
    if frozen.start is None or frozen.end is None or frozen.start < frozen.end:
        assert (from_criteria.query, from_criteria.notices) == (frozen, ())
    assert sentence(query, names={}) and all(chip.words for chip in chips(query, names={}))


@given(ANYTHING)
def test_each_chip_leads_to_an_address_of_its_own(params: dict[str, list[str]]) -> None:
    query = parse(params).query
    for chip in chips(query, names={}):
        assert parse(parse_qs(to_url(chip.without).removeprefix("?"))).query == chip.without != query


@pytest.mark.parametrize("since", [name for name in SINCE if name != "all"])
def test_a_span_begins_before_now(since: str) -> None:
    span = SINCE[since]
    assert span is not None and DeliveryQuery(since=since).begins(NOW) == NOW - span


def test_issues_and_a_replay_are_said_and_taken_off_one_by_one() -> None:
    query = DeliveryQuery(fingerprints=("v1:a", "v1:b"), replay=ONE, since="all")
    assert [(chip.words, chip.without) for chip in chips(query, names={})] == [
        ("Issue v1:a", DeliveryQuery(fingerprints=("v1:b",), replay=ONE, since="all")),
        ("Issue v1:b", DeliveryQuery(fingerprints=("v1:a",), replay=ONE, since="all")),
        (f"Replay {RPL}", DeliveryQuery(fingerprints=("v1:a", "v1:b"), since="all")),
    ]
    assert chips(DeliveryQuery(replay=ONE, since="all"), names={})[0].without == DeliveryQuery()
