"""What a list of subscriptions is asked for: read from its URL, and written back; what cannot be meant is told."""

import pytest

from deliveries.deciders.subscription_query import SubscriptionQuery, fits, read, standing


@pytest.mark.parametrize(
    ("params", "query"),
    [
        ({}, SubscriptionQuery()),
        ({"state": "circuit"}, SubscriptionQuery(state="circuit")),
        ({"sort": "-p95", "page": "3"}, SubscriptionQuery(sort="-p95", page=3)),
        ({"q": " erp ", "subscriber": "sbr_1"}, SubscriptionQuery(q="erp", subscriber="sbr_1")),
    ],
)
def test_what_is_known_is_read_and_written_back(params: dict[str, str], query: SubscriptionQuery) -> None:
    found = read(params)
    assert (found.query, found.notices) == (query, [])
    assert read(dict(pair.split("=") for pair in query.address()[1:].split("&") if pair)).query == query


@pytest.mark.parametrize(
    ("name", "value", "notice"),
    [
        ("colour", "red", "There is no filter “colour”; it was ignored."),
        ("lane__hold", "paused", "There is no filter “lane__hold”; it was ignored."),
        ("state", "broken", "The filter state cannot be “broken”; it was ignored."),
        ("sort", "url", "The filter sort cannot be “url”; it was ignored."),
        ("sort", "-", "The filter sort cannot be “-”; it was ignored."),
        ("page", "0", "The filter page cannot be “0”; it was ignored."),
        ("page", "٣", "The filter page cannot be “٣”; it was ignored."),
        ("page", "1e9", "The filter page cannot be “1e9”; it was ignored."),
        ("q", "x" * 201, f"The filter q cannot be “{'x' * 40}”; it was ignored."),
    ],
)
def test_what_cannot_be_meant_is_left_out_and_told(name: str, value: str, notice: str) -> None:
    found = read({name: value, "state": "paused"} if name != "state" else {name: value})
    assert found.notices == [notice]
    assert found.query == SubscriptionQuery(state="" if name == "state" else "paused")


@pytest.mark.parametrize(
    ("sort", "column", "after"),
    [("", "name", "name"), ("name", "name", "-name"), ("", "dead", "-dead"), ("-dead", "dead", "dead")],
)
def test_a_column_is_sorted_by_the_way_one_wants_first_and_then_the_other(
    sort: str, column: str, after: str
) -> None:
    assert SubscriptionQuery(sort=sort, page=4).sorted_by(column) == SubscriptionQuery(sort=after)


@pytest.mark.parametrize(
    ("hold", "circuit", "state", "filters"),
    [
        ("", "closed", "active", {"", "active"}),
        ("", "open", "open", {"", "circuit"}),
        ("", "recovering", "recovering", {"", "circuit"}),
        ("paused", "closed", "paused", {"", "paused"}),
        ("paused", "half_open", "paused", {"", "paused", "circuit"}),
        ("disabled", "open", "disabled", {"", "disabled", "circuit"}),
    ],
)
def test_a_persons_word_stands_before_the_circuits(
    hold: str, circuit: str, state: str, filters: set[str]
) -> None:
    assert standing(hold=hold, circuit=circuit) == state
    found = {
        each
        for each in ("", "active", "paused", "disabled", "circuit")
        if fits(each, hold=hold, circuit=circuit)
    }
    assert found == filters
