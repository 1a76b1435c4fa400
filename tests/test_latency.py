"""Durations fall into fixed buckets, and percentiles from them are right to within a bucket."""

import random
from math import ceil

import pytest

from deliveries.deciders.latency import BUCKETS, EDGES_MS, LONGEST_MS, bounds, bucket, percentile
from deliveries.models import Rollup


def counted(durations: list[int]) -> list[int]:
    counts = [0] * BUCKETS
    for duration in durations:
        counts[bucket(duration)] += 1
    return counts


@pytest.mark.parametrize(
    ("duration", "number"),
    [
        (0, 0),
        (1, 0),
        (2, 1),
        (3, 2),
        (4, 3),
        (5, 4),
        (10, 5),
        (11, 6),
        (16_000, 21),
        (16_001, 22),
        (90_000, 22),
    ],
)
def test_a_duration_falls_into_the_first_bucket_that_is_long_enough(duration, number) -> None:
    assert bucket(duration) == number


def test_buckets_follow_one_another_without_gap_up_to_the_longest_request() -> None:
    edges = [bounds(number) for number in range(BUCKETS)]
    assert [high for _, high in edges[:-1]] == [low for low, _ in edges[1:]] == list(EDGES_MS)
    assert (edges[0][0], edges[-1][1]) == (0, LONGEST_MS)


def test_the_table_has_a_column_for_each_bucket() -> None:
    names = [field.name for field in Rollup._meta.fields if field.name.startswith("took_")]
    assert names == [f"took_{number:02}" for number in range(BUCKETS)]


@pytest.mark.parametrize("share", [0.0, 0.5, 0.95, 0.99, 1.0])
@pytest.mark.parametrize("count", [1, 2, 7, 1000])
@pytest.mark.parametrize("seed", range(5))
def test_a_percentile_lies_in_the_bucket_of_the_exact_one(share, count, seed) -> None:
    chance = random.Random(seed)
    durations = sorted(min(LONGEST_MS, int(chance.lognormvariate(4, 2))) for _ in range(count))
    exact = durations[max(ceil(share * count), 1) - 1]
    low, high = bounds(bucket(exact))
    estimate = percentile(counted(durations), share)
    assert estimate is not None
    assert low < estimate <= high


def test_of_nothing_there_is_no_percentile() -> None:
    assert percentile([0] * BUCKETS, 0.5) is None
    assert percentile((), 0.5) is None
