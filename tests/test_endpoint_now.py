"""Whether an endpoint answers now: one rule for every page, from its lane and its last half hour."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from deliveries.deciders.endpoint import Mood, judge_endpoint
from deliveries.models import Circuit, Hold, Lane, Rollup
from deliveries.selectors.endpoints import endpoints_now
from tests import make

NOW = datetime(2026, 11, 25, 12, 30, 20, tzinfo=UTC)


WORKS, FAILS = ", so a replay is likely to work.", ", so a replay is likely to fail again."
LATELY = "in the last 30 minutes succeeded"


@pytest.mark.parametrize(
    ("succeeded", "tried", "mood", "words", "sentence"),
    [
        (0, 0, "no_traffic", "No traffic", "Nothing was sent there in the last 30 minutes."),
        (1, 1, "no_traffic", "Little traffic", f"1 of 1 attempt {LATELY}: too few to tell."),
        (4, 4, "no_traffic", "Little traffic", f"4 of 4 attempts {LATELY}: too few to tell."),
        (5, 5, "answering", "Answering", f"It answers now: 5 of 5 attempts {LATELY}{WORKS}"),
        (62, 63, "answering", "Answering", f"It answers now: 62 of 63 attempts {LATELY}{WORKS}"),
        (9, 10, "answering", "Answering", f"It answers now: 9 of 10 attempts {LATELY}{WORKS}"),
        (8, 10, "unsteady", "Unsteady", f"It is unsteady: 8 of 10 attempts {LATELY}."),
        (3, 10, "unsteady", "Unsteady", f"It is unsteady: 3 of 10 attempts {LATELY}."),
        (2, 10, "failing", "Failing", f"It still fails: 2 of 10 attempts {LATELY}{FAILS}"),
        (0, 5, "failing", "Failing", f"It still fails: 0 of 5 attempts {LATELY}{FAILS}"),
    ],
)
def test_by_its_traffic(succeeded: int, tried: int, mood: str, words: str, sentence: str) -> None:
    found = judge_endpoint(succeeded=succeeded, tried=tried)
    assert (found.mood, found.words, found.sentence) == (mood, words, sentence)
    assert found.share == (f"{succeeded} of {tried}" if tried else "")
    assert found.answers is (mood == "answering")


@pytest.mark.parametrize(
    ("lane", "mood", "since"),
    [
        ({"hold": "paused", "held_at": NOW}, Mood.PAUSED, NOW),
        ({"hold": "disabled", "held_at": NOW}, Mood.DISABLED, NOW),
        ({"circuit": "open", "circuit_since": NOW}, Mood.OPEN, NOW),
        ({"circuit": "half_open", "circuit_since": NOW}, Mood.OPEN, NOW),
        ({"circuit": "recovering", "circuit_since": NOW}, Mood.ANSWERING, None),
        ({"hold": "paused", "held_at": NOW, "circuit": "open"}, Mood.PAUSED, NOW),
    ],
)
def test_a_lane_that_does_not_move_says_more_than_its_traffic(
    lane: dict[str, object], mood: Mood, since: datetime | None
) -> None:
    found = judge_endpoint(succeeded=63, tried=63, **lane)  # type: ignore[arg-type]
    assert (found.mood, found.since) == (mood, since)


@pytest.mark.django_db
def test_the_last_thirty_minutes_are_counted_in_one_question_for_all() -> None:
    lanes = [Lane.objects.get(pk=make.subscription(name=name).pk) for name in ("a", "b", "c")]
    busy, quiet, held = lanes
    Lane.objects.filter(pk=held.pk).update(hold=Hold.PAUSED, circuit=Circuit.OPEN)
    held.refresh_from_db()
    minute = NOW.replace(second=0)
    for ago, failed in ((0, 1), (29, 0), (30, 9), (-1, 9)):
        Rollup.objects.create(
            starts_at=minute - timedelta(minutes=ago), width_s=60, subscription_id=busy.pk, attempts=10 + failed,
            delivered_first=7, delivered_retry=3, retried=failed,
        )  # fmt: skip
    Rollup.objects.create(starts_at=minute, width_s=900, subscription_id=quiet.pk, attempts=5)
    with CaptureQueriesContext(connection) as captured:
        found = endpoints_now(lanes, NOW)
    assert len(captured) == 1
    assert (found[busy.pk].share, found[busy.pk].mood) == ("20 of 21", Mood.ANSWERING)
    assert (found[quiet.pk].share, found[quiet.pk].mood) == ("", Mood.QUIET)
    assert found[held.pk].mood is Mood.PAUSED
