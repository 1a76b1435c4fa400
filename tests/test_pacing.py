"""How many requests a lane may have in flight, and how many it may begin."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliveries.deciders.pacing import (
    Tokens,
    burst,
    empty,
    full,
    refilled,
    share,
    spent,
    wait_s,
    whole,
)

NOW = 1_700_000_000.0
HOUR_S = 3600.0


@pytest.mark.parametrize(
    ("cap", "lanes", "expected"), [(100, 0, 100), (100, 1, 100), (100, 3, 33), (100, 100, 1), (100, 9999, 1)]
)
def test_every_lane_has_its_part_and_never_nothing(cap, lanes, expected) -> None:
    assert share(cap=cap, active_lanes=lanes) == expected


@pytest.mark.parametrize(("rate", "expected"), [(0.01, 1), (1, 1), (1.5, 1.5), (20, 20), (500, 500)])
def test_a_quiet_lane_may_send_what_it_may_in_a_second_at_once(rate, expected) -> None:
    assert burst(rate) == expected
    assert full(rate, now=NOW) == Tokens(level=expected, at=NOW)


@pytest.mark.parametrize(
    ("later", "tokens"), [(0, 0), (0.09, 0), (0.1, 1), (0.19, 1), (0.5, 5), (1, 10), (90, 10)]
)
def test_tokens_come_at_the_rate_up_to_the_burst(later, tokens) -> None:
    assert whole(refilled(empty(now=NOW), 10, now=NOW + later)) == tokens


@pytest.mark.parametrize(
    ("level", "rate", "expected"),
    [(1, 2, 0), (3, 2, 0), (0, 2, 0.5), (0.5, 2, 0.25), (-1, 2, 1), (0, 0.01, 100)],
)
def test_how_long_until_the_next_token(level, rate, expected) -> None:
    assert wait_s(Tokens(level=level, at=NOW), rate) == expected


def test_a_token_that_was_not_used_is_given_back() -> None:
    tokens = spent(Tokens(level=3, at=NOW), 2)
    assert whole(tokens) == 1
    assert whole(spent(tokens, -1)) == 2


def test_a_clock_set_back_adds_nothing_and_counts_on_from_there() -> None:
    back = refilled(empty(now=NOW), 10, now=NOW - HOUR_S)
    assert whole(back) == 0
    assert whole(refilled(back, 10, now=NOW - HOUR_S + 0.5)) == 5


def test_a_clock_set_forth_adds_no_more_than_a_burst() -> None:
    assert whole(refilled(empty(now=NOW), 10, now=NOW + HOUR_S)) == 10


@given(
    st.floats(0.01, 1000),
    st.lists(st.tuples(st.floats(0, 3), st.integers(0, 1000)), max_size=60),
)
def test_never_more_begin_than_the_rate_and_one_burst_allow(rate, steps) -> None:
    tokens, now, begun = full(rate, now=NOW), NOW, 0
    for wait, wanted in steps:
        now += wait
        tokens = refilled(tokens, rate, now=now)
        count = min(wanted, whole(tokens))
        tokens = spent(tokens, count)
        begun += count
        assert begun <= rate * (now - NOW) + burst(rate) + 0.01


@given(st.floats(0.01, 1000), st.floats(-1, 1000))
def test_after_its_wait_there_is_a_token(rate, level) -> None:
    tokens = Tokens(level=level, at=NOW)
    assert whole(refilled(tokens, rate, now=NOW + wait_s(tokens, rate))) >= 1


@given(st.floats(0.5, 1000))
def test_a_lane_that_always_has_work_comes_to_its_rate(rate) -> None:
    tokens, now, begun = empty(now=NOW), NOW, 0
    while now < NOW + 20:
        now += wait_s(tokens, rate)
        tokens = refilled(tokens, rate, now=now)
        begun += whole(tokens)
        tokens = spent(tokens, whole(tokens))
    assert begun >= rate * 20 - 2
