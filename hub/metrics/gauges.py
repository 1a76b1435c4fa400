"""The gauges: how the hub stands now, by small tables and by the samples of how deep lanes are."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric

from deliveries.models import Circuit, Hold
from deliveries.models.replay import ReplayState
from deliveries.selectors.standing import LaneNow, Named, ReplaysNow, SeatNow, age_s
from deliveries.services.replay_counts import ON_ITS_WAY
from webhooks.ids import public_id
from webhooks.selectors.receipts import Expected

from .bounds import Labels, bounded


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """All that was read, and when."""

    now: datetime
    lanes: Sequence[LaneNow]
    names: Sequence[Named]
    seats: Sequence[SeatNow]
    replays: ReplaysNow
    expected: Sequence[Expected]
    slugs: Mapping[UUID, str]
    unrouted_since: datetime | None
    folded_until: datetime
    database_bytes: int


def families(standing: Standing, *, most: int, most_lanes: int) -> Iterator[Metric]:
    """`most` series of a family may name a source, `most_lanes` a subscription."""
    yield from _depths(standing, most_lanes)
    yield from _circuits(standing.lanes, most_lanes)
    yield from _dispatchers(standing)
    yield from _replays(standing.replays)
    yield from _sources(standing, most)
    yield from _data(standing)
    names = InfoMetricFamily("weir_subscription", "What a subscription is called, to join by its id.")
    for each in standing.names[:most_lanes]:
        labels = {"subscription": _name(each.subscription_id), "name": each.name}
        names.add_metric([], labels | {"subscriber": each.subscriber})
    yield names


def _depths(standing: Standing, most: int) -> Iterator[Metric]:
    lanes, now = standing.lanes, standing.now
    due = _by_lane(lanes, lambda lane: 0 if lane.is_parked else lane.due or 0)
    parked = _by_lane(lanes, lambda lane: lane.pending or 0 if lane.is_parked else 0)
    oldest = _by_lane(lanes, lambda lane: 0 if lane.is_parked else age_s(lane.oldest_due_at, now))
    dead = _by_lane(lanes, lambda lane: lane.dead or 0)
    yield _gauge(
        "weir_queue_due",
        "Deliveries due now in lanes that move, as last sampled.",
        ["subscription"],
        bounded(due, most=most),
    )
    yield _gauge(
        "weir_queue_pending",
        "Deliveries that are owed, due or not, as last sampled.",
        ["subscription"],
        bounded(_by_lane(lanes, lambda lane: lane.pending or 0), most=most),
    )
    yield _gauge(
        "weir_queue_parked",
        "Deliveries owed in lanes that a person or their circuit holds, as last sampled.",
        ["subscription"],
        bounded(parked, most=most),
    )
    yield _gauge(
        "weir_queue_oldest_due_age_seconds",
        "How long the oldest due delivery of a lane that moves has been due.",
        ["subscription"],
        bounded(oldest, most=most, together=max),
        unit="seconds",
    )
    yield _gauge(
        "weir_dead_letters_open",
        "Dead letters that wait for a person, as last sampled.",
        ["subscription"],
        bounded(dead, most=most),
    )
    oldest_dead = min((lane.oldest_dead_at for lane in lanes if lane.oldest_dead_at), default=None)
    yield _one(
        "weir_dead_letters_oldest_age_seconds",
        "How long the oldest open dead letter has waited.",
        age_s(oldest_dead, now),
        unit="seconds",
    )
    sampled = max((lane.sampled_at for lane in lanes if lane.sampled_at), default=None)
    yield _one(
        "weir_queue_sampled_timestamp_seconds",
        "When depths were last sampled; 0: never.",
        sampled.timestamp() if sampled else 0,
        unit="seconds",
    )


def _circuits(lanes: Sequence[LaneNow], most: int) -> Iterator[Metric]:
    states, holds = Counter(lane.circuit for lane in lanes), Counter(lane.hold for lane in lanes)
    still = {Circuit.OPEN.value, Circuit.HALF_OPEN.value}
    yield _gauge(
        "weir_lanes",
        "Lanes by the state of their circuit.",
        ["circuit"],
        [((each,), states[each]) for each in Circuit.values],
    )
    yield _gauge(
        "weir_lanes_on_hold",
        "Lanes that are paused or disabled.",
        ["hold"],
        [((each,), holds[each]) for each in Hold.values if each],
    )
    yield _gauge(
        "weir_circuit_open",
        "1 while a subscription's circuit lets nothing but probes through.",
        ["subscription"],
        bounded(_by_lane(lanes, lambda lane: lane.circuit in still), most=most),
    )


def _dispatchers(standing: Standing) -> Iterator[Metric]:
    seats, held = standing.seats, Counter(lane.seat for lane in standing.lanes)
    yield _one(
        "weir_dispatchers",
        "Dispatchers with a live lease that do not drain.",
        sum(seat.is_live and not seat.is_draining for seat in seats),
    )
    yield _gauge(
        "weir_dispatcher_heartbeat_age_seconds",
        "How long ago a dispatcher last renewed its lease.",
        ["seat"],
        [((str(seat.number),), seat.silent_s) for seat in seats],
        unit="seconds",
    )
    yield _gauge(
        "weir_in_flight",
        "Requests under way when a dispatcher last renewed its lease.",
        ["seat"],
        [((str(seat.number),), seat.in_flight if seat.is_live else 0) for seat in seats],
    )
    yield _gauge(
        "weir_lanes_held",
        "Lanes that a dispatcher serves.",
        ["seat"],
        [((str(seat.number),), held[seat.number]) for seat in seats],
    )


def _replays(replays: ReplaysNow) -> Iterator[Metric]:
    yield _gauge(
        "weir_replays",
        "Replays that are not over, by their state.",
        ["state"],
        [((ReplayState(each).value,), replays.by_state.get(each, 0)) for each in ON_ITS_WAY],
    )
    yield _gauge(
        "weir_replay_items",
        "Deliveries of these replays by where they are.",
        ["state"],
        [((name,), count) for name, count in replays.items.items()],
    )


def _sources(standing: Standing, most: int) -> Iterator[Metric]:
    told = [(standing.slugs.get(each.source_id, ""), each) for each in standing.expected][:most]
    yield _gauge(
        "weir_source_last_event_timestamp_seconds",
        "When the last event of a source came that is expected to speak, or when the source was made.",
        ["source"],
        [((slug,), each.last_at.timestamp()) for slug, each in told],
        unit="seconds",
    )
    yield _gauge(
        "weir_source_expected_interval_seconds",
        "The longest silence expected of a source.",
        ["source"],
        [((slug,), each.every_s) for slug, each in told],
        unit="seconds",
    )


def _data(standing: Standing) -> Iterator[Metric]:
    now = standing.now
    yield _one(
        "weir_events_unrouted_age_seconds",
        "How long the oldest event has waited for its router.",
        age_s(standing.unrouted_since, now),
        unit="seconds",
    )
    yield _one(
        "weir_counters_lag_seconds",
        "How late the counters of attempts and deliveries are.",
        age_s(standing.folded_until, now),
        unit="seconds",
    )
    yield _one(
        "weir_database_size_bytes", "How large the database is.", standing.database_bytes, unit="bytes"
    )


def database_up(is_up: bool) -> Metric:
    return _one("weir_database_up", "Whether the database answers.", is_up)


def _by_lane(lanes: Iterable[LaneNow], value: Callable[[LaneNow], float]) -> Iterator[tuple[Labels, float]]:
    return (((_name(lane.subscription_id),), value(lane)) for lane in lanes)


def _gauge(
    name: str, meaning: str, labels: Sequence[str], samples: Iterable[tuple[Labels, float]], *, unit: str = ""
) -> Metric:
    family = GaugeMetricFamily(name, meaning, labels=labels, unit=unit)
    for each, value in samples:
        family.add_metric(each, value)
    return family


def _one(name: str, meaning: str, value: float, *, unit: str = "") -> Metric:
    return GaugeMetricFamily(name, meaning, value=value, unit=unit)


def _name(subscription_id: UUID) -> str:
    return public_id("subscription", subscription_id)
