"""The counters and histograms, from the totals. Each only ever grows."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric, SummaryMetricFamily

from deliveries.deciders.latency import EDGES_MS, WAIT_EDGES_MS
from deliveries.models.total import Spread
from deliveries.selectors.totals import Counted, Distribution, Failures, Settled
from webhooks.ids import public_id
from webhooks.models import NO_SOURCE
from webhooks.selectors.receipts import Receipts

from .bounds import Labels, bounded

NO_ANSWER = "none"
UNKNOWN = "unknown"  # the one source that stands for all slugs strangers make up


@dataclass(frozen=True, kw_only=True, slots=True)
class Counts:
    """All that was read."""

    settled: Sequence[Settled]
    failures: Sequence[Failures]
    circuits: Sequence[Counted]
    events: Sequence[Counted]
    receipts: Sequence[Receipts]
    spreads: Mapping[Spread, Distribution]
    retries: Mapping[int, int]
    slugs: Mapping[UUID, str]


def families(counts: Counts, *, most: int, most_lanes: int) -> Iterator[Metric]:
    """`most` series of a family may name a source, `most_lanes` a subscription."""
    yield from _of_the_door(counts, most)
    yield from _of_lanes(counts, most_lanes)
    yield _counter(
        "weir_replay_attempts",
        "Attempts made because a person sent deliveries again.",
        [],
        [((), sum(each.replays for each in counts.settled))],
    )
    yield _counter(
        "weir_retries",
        "Retries on their schedule, by their number of one delivery; 12 stands for all later ones.",
        ["number"],
        [((str(number),), count) for number, count in counts.retries.items()],
    )
    yield _histogram(
        "weir_attempt_duration",
        "How long attempts took that were answered or ran out of time.",
        EDGES_MS,
        counts.spreads[Spread.TOOK],
    )
    yield _histogram(
        "weir_first_attempt_wait",
        "Time from an event's receipt to the first attempt of its deliveries.",
        WAIT_EDGES_MS,
        counts.spreads[Spread.FIRST],
    )
    yield _histogram(
        "weir_delivery_wait",
        "Time from an event's receipt to the 2xx of its deliveries, those replayed left out.",
        WAIT_EDGES_MS,
        counts.spreads[Spread.DELIVERED],
    )


def _of_the_door(counts: Counts, most: int) -> Iterator[Metric]:
    def slug(source_id: UUID) -> str | None:
        return UNKNOWN if source_id == NO_SOURCE else counts.slugs.get(source_id)

    receipts: dict[Labels, float] = {}
    refusals: dict[Labels, float] = {}
    for each in counts.receipts:
        if (source := slug(each.source_id)) is None:
            continue  # it is gone, and its series with it
        receipts[source, each.verdict] = receipts.get((source, each.verdict), 0) + each.number
        if each.reason:
            refusals[source, each.reason] = each.number
    events = [((source, each.name), each.number) for each in counts.events if (source := slug(each.owner_id))]
    yield _counter(
        "weir_receipts",
        "Requests at the door, by what became of them: accepted, duplicate, conflict, refused or handshake.",
        ["source", "verdict"],
        bounded(receipts.items(), most=most),
    )
    yield _counter(
        "weir_refusals",
        "Requests that were not accepted, by the reason.",
        ["source", "reason"],
        bounded(refusals.items(), most=most),
    )
    yield _counter(
        "weir_events",
        "Events by what routing first made of them: routed, unmatched or quarantined.",
        ["source", "state"],
        bounded(events, most=most),
    )


def _of_lanes(counts: Counts, most: int) -> Iterator[Metric]:
    good: list[tuple[Labels, float]] = []
    ends: list[tuple[Labels, float]] = []
    for each in counts.settled:
        name = _name(each.subscription_id)
        good.append(((name, "ok", "2xx"), each.delivered_first + each.delivered_retry))
        ends += [
            ((name, "delivered_first"), each.delivered_first),
            ((name, "delivered_retry"), each.delivered_retry),
            ((name, "dead"), each.dead),
        ]
    bad = [
        (
            (_name(each.subscription_id), each.outcome, str(each.status or NO_ANSWER)),
            each.number - each.untried,
        )
        for each in counts.failures
        if each.number > each.untried
    ]
    untried = [
        ((_name(each.subscription_id), each.outcome), each.untried)
        for each in counts.failures
        if each.untried
    ]
    yield _counter(
        "weir_attempts",
        "Attempts by what came of them: their outcome, and the code of the answer, or none.",
        ["subscription", "outcome", "code"],
        [*bounded(good, most=most // 2), *bounded(bad, most=most // 2)],
    )
    yield _counter(
        "weir_untried",
        "Deliveries that died without an attempt, by the reason.",
        ["subscription", "outcome"],
        bounded(untried, most=most),
    )
    yield _counter(
        "weir_deliveries",
        "Deliveries that ended: delivered by their first attempt, by a later one, or dead.",
        ["subscription", "outcome"],
        bounded(ends, most=most // 3 * 3),
    )
    yield _durations(counts.settled, most)
    yield _counter(
        "weir_circuit_transitions",
        "How often circuits came to a state.",
        ["subscription", "to"],
        bounded((((_name(each.owner_id), each.name), each.number) for each in counts.circuits), most=most),
    )


def _durations(settled: Iterable[Settled], most: int) -> Metric:
    family = SummaryMetricFamily(
        "weir_subscription_attempt_duration_seconds",
        "How long a subscription's attempts took: their number and the sum.",
        labels=["subscription"],
        unit="seconds",
    )
    told = [((_name(each.subscription_id),), each) for each in settled]
    timed = bounded(((labels, each.timed) for labels, each in told), most=most)
    took = bounded(((labels, each.latency_ms) for labels, each in told), most=most)
    for (labels, number), (_, ms) in zip(timed, took, strict=True):
        family.add_metric(labels, int(number), ms / 1000)
    return family


def _counter(
    name: str, meaning: str, labels: Sequence[str], samples: Iterable[tuple[Labels, float]]
) -> Metric:
    family = CounterMetricFamily(name, meaning, labels=labels)
    for each, value in samples:
        family.add_metric(each, value)
    return family


def _histogram(name: str, meaning: str, edges_ms: Sequence[int], spread: Distribution) -> Metric:
    buckets, running = [], 0
    for edge, count in zip([*(ms / 1000 for ms in edges_ms), None], spread.counts, strict=True):
        running += count
        buckets.append(("+Inf" if edge is None else str(edge), running))
    return HistogramMetricFamily(
        f"{name}_seconds", meaning, buckets=buckets, sum_value=spread.sum_ms / 1000, unit="seconds"
    )


def _name(subscription_id: UUID) -> str:
    return public_id("subscription", subscription_id)
