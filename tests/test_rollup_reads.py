"""What dashboards read: sums per step, per subscription and per cause, one statement each at any number of rows."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from deliveries.models import Rollup, RollupFailure, Subscription
from deliveries.models.rollup import EVERY
from deliveries.selectors import rollups
from deliveries.selectors.rollups import Cause, Figures, Window
from tests import make

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 29, 12, tzinfo=UTC)
HOURS = Window(since=NOON, until=NOON + timedelta(hours=6), step_s=7_200)


def slice_of(subscription: Any, at: datetime, width_s: int = 3_600, **counts: int) -> None:
    Rollup.objects.create(width_s=width_s, starts_at=at, subscription_id=subscription, **counts)


def failure(at: datetime, outcome: str, status: int, failures: int, subscription: Any = EVERY) -> None:
    which = {"width_s": 3_600, "starts_at": at, "subscription_id": subscription}
    RollupFailure.objects.create(**which, outcome=outcome, status=status, failures=failures)


@pytest.fixture
def lane() -> Subscription:
    """Busy in the first hour, in the second and in the sixth; as busy just outside of the window."""
    lane = make.subscription()
    for hour, attempts in ((-1, 100), (0, 1), (1, 2), (5, 4), (6, 100)):
        for each in (lane.pk, EVERY):
            slice_of(
                each, NOON + timedelta(hours=hour), attempts=attempts, delivered_first=1, took_07=attempts
            )
    return lane


def test_a_series_has_every_step_of_its_window_and_nothing_beyond(lane) -> None:
    told = [(start, figures.attempts) for start, figures in rollups.series(HOURS)]
    assert told == [(NOON, 3), (NOON + timedelta(hours=2), 0), (NOON + timedelta(hours=4), 4)]


def test_totals_sum_the_window_for_every_subscription_or_one(lane) -> None:
    expected = Figures(attempts=7, delivered_first=3, took=(0,) * 7 + (7,) + (0,) * 15)
    assert rollups.totals(HOURS) == rollups.totals(HOURS, lane.pk) == expected
    assert rollups.totals(HOURS, make.subscription().pk) == Figures(took=(0,) * 23)


def test_the_window_before_is_as_long_and_ends_where_this_one_begins(lane) -> None:
    assert rollups.totals(HOURS.before()).attempts == 100


def test_slices_of_another_width_are_not_counted_twice(lane) -> None:
    slice_of(EVERY, NOON, width_s=60, attempts=1)
    assert rollups.totals(HOURS).attempts == 7


def test_subscriptions_are_told_apart_and_the_sum_of_all_is_none_of_them(lane) -> None:
    other = make.subscription()
    slice_of(other.pk, NOON, attempts=5, dead=2)
    told = [
        (lane.pk, Figures(attempts=7, delivered_first=3, took=(0,) * 7 + (7,) + (0,) * 15)),
        (other.pk, Figures(attempts=5, dead=2, took=(0,) * 23)),
    ]
    assert [rollups.busiest(HOURS, most) for most in (1, 2, 3)] == [told[:1], told, told]
    assert rollups.of(HOURS, [other.pk]) == {other.pk: Figures(attempts=5, dead=2, took=(0,) * 23)}


def test_a_strip_has_a_figure_for_every_step_also_of_the_idle(lane) -> None:
    idle = make.subscription()
    told = rollups.strips(HOURS, [lane.pk, idle.pk])
    assert [figures.failed for figures in told[lane.pk]] == [1, 0, 3]
    assert told[idle.pk] == [Figures()] * 3


def test_causes_come_most_frequent_first_and_by_step(lane) -> None:
    failure(NOON, "timeout", 0, 2)
    failure(NOON, "server_error", 503, 1)
    failure(NOON + timedelta(hours=4), "server_error", 503, 3)
    failure(NOON + timedelta(hours=6), "dns", 0, 9)
    timeouts = Cause(outcome="timeout", status=0, failures=2)
    assert rollups.causes(HOURS) == [Cause(outcome="server_error", status=503, failures=4), timeouts]
    assert [told for _, told in rollups.causes_by_step(HOURS)] == [
        [timeouts, Cause(outcome="server_error", status=503, failures=1)],
        [],
        [Cause(outcome="server_error", status=503, failures=3)],
    ]


def test_the_subscriptions_that_fail_most_come_first(lane) -> None:
    other, quiet = make.subscription(), make.subscription()
    failure(NOON, "timeout", 0, 9)
    failure(NOON, "timeout", 0, 2, lane.pk)
    failure(NOON, "server_error", 500, 2, lane.pk)
    failure(NOON, "timeout", 0, 3, other.pk)
    failure(NOON, "timeout", 0, 1, quiet.pk)
    assert rollups.failing(HOURS, 2) == [(lane.pk, 4), (other.pk, 3)]


def test_figures_say_what_share_arrived_and_how_long_it_took() -> None:
    told = Figures(attempts=12, delivered_first=6, delivered_retry=3, retried=2, dead=1, took=(0,) * 7 + (9,))
    assert (told.delivered, told.failed, told.success_rate) == (9, 3, 0.9)
    assert 16 < told.latency(0.95) <= 25
    assert (Figures().success_rate, Figures().latency(0.5)) == (None, None)


def test_long_windows_are_summed_from_days_and_what_sticks_out_from_hours() -> None:
    lane = make.subscription()
    window = Window(since=NOON, until=NOON + timedelta(days=3), step_s=3_600)
    for hour in range(-24, 96):
        slice_of(lane.pk, NOON + timedelta(hours=hour), attempts=1)
    for day in range(-1, 4):
        slice_of(lane.pk, NOON.replace(hour=0) + timedelta(days=day), 86_400, attempts=1_000)
    assert rollups.totals(window, lane.pk).attempts == 12 + 2 * 1_000 + 12


@pytest.mark.parametrize(
    ("span", "steps", "width_s", "strip"),
    [
        ("1h", 60, 60, 20),
        ("6h", 72, 60, 24),
        ("24h", 96, 900, 24),
        ("7d", 84, 3_600, 24),
        ("30d", 120, 3_600, 24),
    ],
)
def test_each_span_has_its_steps_and_reads_the_widest_slices_that_fit(span, steps, width_s, strip) -> None:
    now = NOON + timedelta(minutes=34, seconds=56)
    window = rollups.recent(span, now=now)
    assert (len(window.starts), window.width_s) == (steps, width_s)
    assert window.starts[-1] <= now < window.until
    assert len(window.coarse().starts) == strip
    assert window.coarse().width_s <= window.coarse().step_s


def test_every_question_is_one_statement_at_any_number_of_rows(lane, django_assert_num_queries) -> None:
    questions: tuple[Callable[[Window], object], ...] = (
        rollups.totals,
        rollups.series,
        lambda window: rollups.busiest(window, 5),
        rollups.causes,
        rollups.causes_by_step,
        lambda window: rollups.failing(window, 5),
        lambda window: rollups.of(window, [lane.pk]),
        lambda window: rollups.strips(window, [lane.pk]),
    )
    for _ in range(2):
        with django_assert_num_queries(len(questions)):
            for ask in questions:
                ask(HOURS)
        busy = [make.subscription().pk for _ in range(10)]
        for subscription in busy:
            slice_of(subscription, NOON, attempts=1)
