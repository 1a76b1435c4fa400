"""Decides which bucket a duration belongs in, and estimates percentiles from bucket counts. It measures nothing."""

from bisect import bisect_left
from collections.abc import Sequence

# The longest duration of each bucket, in milliseconds, five to a decade; the last bucket holds all that is
# longer. Stored counts mean these edges for ever: change them only together with the rows.
EDGES_MS = (
    1, 2, 3, 4, 6, 10, 16, 25, 40, 63, 100, 160, 250, 400, 630,
    1_000, 1_600, 2_500, 4_000, 6_300, 10_000, 16_000,
)  # fmt: skip
BUCKETS = len(EDGES_MS) + 1
# From a receipt on: a retry may come two days later. Stored counts mean these edges for ever, too.
WAIT_EDGES_MS = (
    5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000, 1_800_000, 7_200_000,
    21_600_000, 86_400_000, 172_800_000,
)  # fmt: skip
LONGEST_MS = 30_000  # no request may last longer


def bucket(duration_ms: int) -> int:
    return bisect_left(EDGES_MS, duration_ms)


def bounds(number: int) -> tuple[int, int]:
    """Durations of this bucket are more than the first and at most the second."""
    low = EDGES_MS[number - 1] if number else 0
    return low, EDGES_MS[number] if number < len(EDGES_MS) else LONGEST_MS


def percentile(counts: Sequence[int], share: float) -> float | None:
    """The duration that this share of all stays within, right to within its bucket; None when there are none.

    Within a bucket the durations are taken to lie evenly apart.
    """
    total = sum(counts)
    if not total:
        return None
    rank = min(max(share * total, 1.0), float(total))
    below = 0
    for number, count in enumerate(counts):
        if below + count >= rank:
            low, high = bounds(number)
            return low + (high - low) * (rank - below) / count
        below += count
    raise AssertionError("No rank lies beyond the total.")
