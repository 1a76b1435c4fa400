"""When a delivery is tried again, and when no more."""

import dataclasses
import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliveries.deciders.retry import (
    STANDARD_WEBHOOKS,
    Schedule,
    check,
    delay_after,
    describe,
    next_due,
    retry_after_s,
    span_s,
    worst_case_s,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DEFAULT = Schedule()


def due_in(
    schedule: Schedule,
    *,
    attempt: int = 1,
    retry_after: float | None = None,
    draw: float = 0,
    age_s: float = 0,
) -> float | None:
    due = next_due(
        schedule=schedule,
        attempt=attempt,
        now=NOW,
        first_due=NOW - timedelta(seconds=age_s),
        retry_after_s=retry_after,
        draw=draw,
    )
    return None if due is None else (due - NOW).total_seconds()


def test_the_default_grows_fourfold_up_to_twelve_hours() -> None:
    delays = [delay_after(DEFAULT, attempt, 0) for attempt in range(1, 13)]
    assert delays == [1, 4, 16, 64, 256, 1024, 4096, 16384, 43200, 43200, 43200, None]


def test_standard_webhooks_makes_ten_attempts_at_its_ten_steps() -> None:
    delays = [delay_after(STANDARD_WEBHOOKS, attempt, 0) for attempt in range(1, 11)]
    assert delays == [5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400, None]


def test_a_leading_zero_is_the_first_attempt_and_adds_none() -> None:
    assert Schedule(delays_s=(0, 5, 300)).attempts == Schedule(delays_s=(5, 300)).attempts == 3


def test_a_list_wins_over_the_growing_delay() -> None:
    schedule = Schedule(first_s=1, max_attempts=12, delays_s=(7, 8))
    assert [delay_after(schedule, attempt, 0) for attempt in (1, 2, 3)] == [7, 8, None]


def test_jitter_adds_its_share_of_the_delay() -> None:
    assert delay_after(DEFAULT, 3, 0.5) == pytest.approx(16.8)


@given(st.integers(1, 20), st.floats(0, 1, exclude_max=True), st.floats(0, 1))
def test_jitter_is_never_early_and_never_more_than_its_share(
    attempt: int, draw: float, jitter: float
) -> None:
    schedule = Schedule(max_attempts=21, jitter=jitter)
    base, delay = delay_after(schedule, attempt, 0), delay_after(schedule, attempt, draw)
    assert base is not None and delay is not None
    assert base <= delay <= base * (1 + jitter)


@pytest.mark.parametrize("factor", [1, 1.5, 4, 1000])
def test_nothing_overflows_at_attempt_ten_thousand(factor: float) -> None:
    schedule = Schedule(factor=factor, max_attempts=10_001, cap_s=60)
    assert delay_after(schedule, 10_000, 0) == (1 if factor == 1 else 60)


def test_the_worst_case_is_the_sum_of_the_longest_delays() -> None:
    assert span_s(DEFAULT) == 151_445
    assert worst_case_s(DEFAULT) == pytest.approx(151_445 * 1.1)
    assert span_s(STANDARD_WEBHOOKS) == 272_105


@given(st.lists(st.floats(0, 1, exclude_max=True), min_size=11, max_size=11))
def test_no_delivery_is_retried_for_longer_than_the_worst_case(draws: list[float]) -> None:
    total = sum(delay_after(DEFAULT, attempt, draw) or 0 for attempt, draw in enumerate(draws, start=1))
    assert span_s(DEFAULT) <= total <= worst_case_s(DEFAULT)


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        (DEFAULT, "12 attempts over 42 h 4 min, at most 46 h 16 min with jitter"),
        (STANDARD_WEBHOOKS, "10 attempts over 75 h 35 min, at most 83 h 8 min with jitter"),
        (Schedule(max_attempts=1), "1 attempt, no retry"),
        (Schedule(first_s=0.5, max_attempts=3, jitter=0), "3 attempts over 2.5 s"),
        (
            Schedule(max_attempts=3, jitter=0, max_age_s=60),
            "3 attempts over 5 s, none later than 1 min after the first was due",
        ),
    ],
)
def test_a_schedule_is_described_in_words(schedule: Schedule, words: str) -> None:
    assert describe(schedule) == words


def test_the_next_try_is_due_after_the_backoff() -> None:
    assert due_in(DEFAULT, attempt=2) == 4
    assert due_in(DEFAULT, attempt=12) is None


@pytest.mark.parametrize(
    ("asked", "draw", "due"),
    [(None, 0, 4), (1, 0, 4), (60, 0, 60), (60, 0.5, 63), (86_400, 0.9, 86_400), (10**9, 0, 86_400)],
)
def test_retry_after_delays_but_never_hastens(asked: float | None, draw: float, due: float) -> None:
    assert due_in(DEFAULT, attempt=2, retry_after=asked, draw=draw) == pytest.approx(due)


@pytest.mark.parametrize(("age_s", "due"), [(95, 4), (96, 4), (96.5, None)])
def test_nothing_is_tried_beyond_the_longest_age(age_s: float, due: float | None) -> None:
    assert due_in(Schedule(max_age_s=100), attempt=2, age_s=age_s) == due


@pytest.mark.parametrize(
    "change",
    [
        {"first_s": 0},
        {"first_s": -1},
        {"first_s": math.nan},
        {"first_s": math.inf},
        {"factor": 0.5},
        {"factor": math.inf},
        {"factor": math.nan},
        {"cap_s": 0.5},
        {"cap_s": math.nan},
        {"cap_s": 400 * 86_400},
        {"max_attempts": 0},
        {"max_attempts": 10_001},
        {"max_attempts": 1_000},  # twelve hours apart, more than a year
        {"jitter": -0.1},
        {"jitter": 1.5},
        {"jitter": math.nan},
        {"max_age_s": 0},
        {"max_age_s": math.inf},
        {"delays_s": ()},
        {"delays_s": (1.0,) * 101},
        {"delays_s": (5, -1)},
        {"delays_s": (5, math.nan)},
        {"delays_s": (5, "7")},
        {"delays_s": (5, None)},
        {"delays_s": (5, True)},
        {"delays_s": (86_400 * 300, 86_400 * 300)},
    ],
)
def test_an_absurd_schedule_is_refused_in_one_sentence(change: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"^[A-Z][^.]*\.$"):
        check(dataclasses.replace(DEFAULT, **change))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "schedule", [DEFAULT, STANDARD_WEBHOOKS, Schedule(delays_s=(0,)), Schedule(max_attempts=1)]
)
def test_a_sensible_schedule_passes(schedule: Schedule) -> None:
    check(schedule)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        (" 7 ", 7),
        ("0", 0),
        ("86401", 86_400),
        ("9" * 5000, 86_400),
        ("Thu, 01 Jan 2026 00:02:00 GMT", 120),
        ("Thursday, 01-Jan-26 00:02:00 GMT", 120),
        ("Thu Jan  1 00:02:00 2026", 120),
        ("Fri, 31 Dec 1999 23:59:59 GMT", 0),
        ("Friday, 31-Dec-99 23:59:59 GMT", 0),
        ("Fri Dec 31 23:59:59 1999", 0),
        ("Fri, 31 Dec 9999 23:59:60 GMT", 86_400),
    ],
)
def test_both_forms_of_retry_after_are_read(header: str, seconds: float) -> None:
    assert retry_after_s(header, NOW) == seconds


@pytest.mark.parametrize(
    "header",
    [
        "",
        "-5",
        "1.5",
        "+3",
        "²",
        "١٢",
        "soon",
        "12, 12",
        "Thu, 01 Jan 2026 00:02:00 +0000",
        "Thu, 41 Jan 2026 00:02:00 GMT",
        "Thu, 01 Foo 2026 00:02:00 GMT",
        "Thu, 01 Jan 0000 00:02:00 GMT",
        "2026-01-01T00:02:00Z",
    ],
)
def test_a_retry_after_that_is_not_one_is_ignored(header: str) -> None:
    assert retry_after_s(header, NOW) is None


@given(st.text() | st.text("0123456789"))
def test_no_retry_after_header_can_raise_or_ask_for_more_than_a_day(header: str) -> None:
    asked = retry_after_s(header, NOW)
    assert asked is None or 0 <= asked <= 86_400
