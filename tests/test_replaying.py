"""How a replay is fed, judged and paced, as tables and as what holds whatever comes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliveries.deciders.replaying import (
    JUDGED,
    MOST_FAILED,
    Verdict,
    allowance,
    judge,
    lasts_s,
    offered_rates,
    pace,
    verdict,
)

GOOD, BAD, SKIPPED = Verdict.DELIVERED, Verdict.FAILED, Verdict.SKIPPED


@pytest.mark.parametrize(
    ("window", "under_way", "own", "tokens", "is_proved", "expected"),
    [
        (10, 0, 0, 99, True, 5),  # half of the window
        (10, 3, 3, 99, True, 2),
        (10, 5, 0, 99, True, 0),  # another replay has the half
        (10, 0, 0, 2, True, 2),  # its rate
        (10, 0, 0, 0, True, 0),
        (1, 0, 0, 9, True, 1),  # at least one
        (3, 0, 0, 9, True, 1),
        (0, 0, 0, 9, True, 0),  # its circuit is open
        (10, 0, 0, 9, False, 1),  # one first
        (10, 1, 1, 9, False, 0),  # and no other before it is answered
        (10, 4, 0, 9, False, 1),
        (10, 9, 9, 9, True, 0),  # the window shrank meanwhile
    ],
)
def test_what_is_let_in(
    window: int, under_way: int, own: int, tokens: int, is_proved: bool, expected: int
) -> None:
    found = allowance(
        window=window, under_way=under_way, own_under_way=own, tokens=tokens, is_proved=is_proved
    )
    assert found == expected


SMALL = st.integers(0, 60)


@given(SMALL, SMALL, SMALL, st.integers(-5, 99), st.booleans())
def test_a_replay_never_has_more_than_half_a_window_nor_more_than_its_rate(
    window: int, own: int, others: int, tokens: int, is_proved: bool
) -> None:
    under_way = own + others
    let_in = allowance(
        window=window, under_way=under_way, own_under_way=own, tokens=tokens, is_proved=is_proved
    )
    assert 0 <= let_in <= max(0, tokens)
    assert not let_in or under_way + let_in <= max(1, window // 2)
    assert is_proved or not let_in or own + let_in <= 1


@pytest.mark.parametrize(
    ("outcome", "state", "expected"),
    [
        ("ok", "delivered", GOOD),
        ("server_error", "pending", BAD),  # it has tries left, and the replay counts it all the same
        ("server_error", "dead", BAD),
        ("unsendable", "dead", BAD),
        ("timeout", "superseded", SKIPPED),
        ("own_trouble", "pending", None),  # nothing was sent
    ],
)
def test_what_came_of_an_item(outcome: str, state: str, expected: Verdict | None) -> None:
    assert verdict(outcome=outcome, state=state) is expected


def test_ten_failures_of_fifty_are_borne_and_one_more_is_not() -> None:
    borne = judge(recent="." * 40, verdicts=[BAD] * 10, stops_itself=True)
    assert (borne.recent, borne.stop_reason) == ("." * 40 + "x" * 10, "")
    stopped = judge(recent=borne.recent, verdicts=[BAD], stops_itself=True)
    assert stopped.stop_reason == "11 of the last 50 failed: more than a fifth of 50."


def test_it_stops_at_the_eleventh_failure_though_fewer_than_fifty_came() -> None:
    assert judge(recent="", verdicts=[BAD] * 10, stops_itself=True).stop_reason == ""
    stopped = judge(recent="", verdicts=[BAD] * 12, stops_itself=True)
    assert stopped.stop_reason == "11 of the last 11 failed: more than a fifth of 50."


def test_what_was_skipped_says_nothing_of_the_endpoint() -> None:
    assert judge(recent="x", verdicts=[SKIPPED] * 60, stops_itself=True).recent == "x"


@given(st.lists(st.sampled_from([GOOD, BAD, SKIPPED]), max_size=200), st.booleans())
def test_it_stops_exactly_when_a_window_of_fifty_holds_more_than_ten_failures(
    verdicts: list[Verdict], stops_itself: bool
) -> None:
    judged = judge(recent="", verdicts=verdicts, stops_itself=stops_itself)
    seen = [each for each in verdicts if each is not SKIPPED]
    windows = [seen[max(0, end - JUDGED) : end] for end in range(1, len(seen) + 1)]
    went_wrong = any(window.count(BAD) > MOST_FAILED for window in windows)
    assert bool(judged.stop_reason) == (stops_itself and went_wrong)
    assert len(judged.recent) == min(JUDGED, len(seen))


@given(st.lists(st.sampled_from([GOOD, BAD]), max_size=120), st.integers(0, 120))
def test_judged_in_two_parts_it_comes_to_the_same(verdicts: list[Verdict], cut: int) -> None:
    first = judge(recent="", verdicts=verdicts[:cut], stops_itself=False)
    both = judge(recent=first.recent, verdicts=verdicts[cut:], stops_itself=False)
    assert both == judge(recent="", verdicts=verdicts, stops_itself=False)


@pytest.mark.parametrize(
    ("rate", "limit", "exceeds", "expected"),
    [
        (5, None, False, 5),
        (None, None, False, None),
        (5, 20, False, 5),
        (50, 20, False, 20),
        (50, 20, True, 50),
    ]
    + [(None, 20, False, 20)],
)
def test_its_pace_in_a_lane(
    rate: float | None, limit: float | None, exceeds: bool, expected: float | None
) -> None:
    assert pace(rate, limit, exceeds=exceeds) == expected


def test_how_long_it_takes_is_what_the_slowest_lane_takes() -> None:
    assert lasts_s({5.0: 100, 20.0: 300}) == 20
    assert lasts_s({None: 10, 20.0: 300}) is None
    assert lasts_s({}) == 0


def test_a_gentle_rate_the_own_one_and_one_above_it_are_offered() -> None:
    assert offered_rates([20.0, None, 80.0]) == (5, 20, 50)
    assert offered_rates([None]) == (5, 20, 100)
