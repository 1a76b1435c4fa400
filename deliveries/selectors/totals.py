"""Reads the totals that counters are read from, each table once. They hold a few rows for each subscription or source.

Rows come in the order they began in, and none ever goes: who numbers them finds each at its number for ever.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from deliveries.deciders.latency import BUCKETS, WAIT_EDGES_MS
from deliveries.models import CircuitTotal, EventTotal, FailureTotal, SpreadTotal, Total
from deliveries.models.total import Spread


class Settled(NamedTuple):
    subscription_id: UUID
    attempts: int
    replays: int
    delivered_first: int
    delivered_retry: int
    dead: int
    timed: int
    latency_ms: int


class Failures(NamedTuple):
    """`status` 0: there was no answer. `untried`: those of them that were deaths without any attempt."""

    subscription_id: UUID
    outcome: str
    status: int
    number: int
    untried: int


class Counted(NamedTuple):
    """Of a subscription's circuit, or of a source's events: how often it came to this."""

    owner_id: UUID
    name: str
    number: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Distribution:
    """How many fell into each bucket; the last one holds all that is longer."""

    counts: Sequence[int]
    sum_ms: int


def settled() -> list[Settled]:
    rows = Total.objects.order_by("id").values_list(*Settled._fields)
    return [Settled(*row) for row in rows]


def failures() -> list[Failures]:
    names = ("subscription_id", "outcome", "status", "failures", "untried")
    rows = FailureTotal.objects.order_by("id").values_list(*names)
    return [Failures(*row) for row in rows]


def circuits() -> list[Counted]:
    rows = CircuitTotal.objects.order_by("id").values_list("subscription_id", "after", "number")
    return [Counted(*row) for row in rows]


def events() -> list[Counted]:
    rows = EventTotal.objects.order_by("id").values_list("source_id", "state", "number")
    return [Counted(*row) for row in rows]


def distributions() -> tuple[dict[Spread, Distribution], dict[int, int]]:
    """How long things took, and how many retries there were by their number."""
    counts: Counter[tuple[str, int]] = Counter()
    sums: Counter[str] = Counter()
    for kind, bucket, number, sum_ms in SpreadTotal.objects.values_list("kind", "bucket", "number", "sum_ms"):
        counts[kind, bucket] += number
        sums[kind] += sum_ms
    made = {
        kind: Distribution(counts=[counts[kind, each] for each in range(buckets)], sum_ms=sums[kind])
        for kind, buckets in _BUCKETS.items()
    }
    retries = {bucket: number for (kind, bucket), number in sorted(counts.items()) if kind == Spread.RETRY}
    return made, retries


_WAITS = len(WAIT_EDGES_MS) + 1
_BUCKETS = {Spread.TOOK: BUCKETS, Spread.FIRST: _WAITS, Spread.DELIVERED: _WAITS}
