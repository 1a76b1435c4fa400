"""Reads what the slices add up to, for dashboards: one statement each, however many slices. It reads no raw row."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from typing import Any
from uuid import UUID

from django.db.models import F, IntegerField, Max, Q, QuerySet, Sum, Value
from django.db.models.functions import Coalesce

from deliveries.deciders.latency import BUCKETS, percentile
from deliveries.models import DepthSlice, Rollup, RollupFailure
from deliveries.models.rollup import EVERY, WIDTHS

from .moments import Second

BUCKET_NAMES = tuple(f"took_{number:02}" for number in range(BUCKETS))
COUNTS = ("attempts", "replays", "delivered_first", "delivered_retry", "retried", "dead", "faults")
STRIP_STEPS = 24
WIDEST_DEPTH_S = 3_600


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """From `since` up to and without `until`, in steps of `step_s`. Both ends lie on a whole minute or wider.

    Minutes are kept 2 days, quarter hours 8 days, hours and days 13 months: short steps ask for a young window.
    """

    since: datetime
    until: datetime
    step_s: int

    @property
    def width_s(self) -> int:
        """The widest slices that fit the steps and both ends."""
        ends = (self.step_s, int(self.since.timestamp()), int(self.until.timestamp()))
        return next(width for width in reversed(WIDTHS) if not any(end % width for end in ends))

    @property
    def starts(self) -> list[datetime]:
        steps = -(-(self.until - self.since) // timedelta(seconds=self.step_s))
        return [self.since + timedelta(seconds=self.step_s * step) for step in range(steps)]

    def before(self) -> "Window":
        """The equal window that ends where this one begins."""
        return Window(since=self.since - (self.until - self.since), until=self.since, step_s=self.step_s)

    def coarse(self) -> "Window":
        """The same in at most 24 steps, for strips."""
        least = -(-int((self.until - self.since).total_seconds()) // STRIP_STEPS)
        width = next((width for width in (3_600, 900) if width <= least), 60)
        return Window(since=self.since, until=self.until, step_s=-(-least // width) * width)


# Step of the charts, in seconds, for each span that pages offer.
STEPS = {"1h": 60, "6h": 300, "24h": 900, "7d": 7_200, "30d": 21_600}
SPANS = {"1h": 3_600, "6h": 21_600, "24h": 86_400, "7d": 604_800, "30d": 2_592_000}


def recent(span: str, *, now: datetime) -> Window:
    """The window of this name that ends with the step that is under way."""
    step = STEPS[span]
    until = datetime.fromtimestamp((int(now.timestamp()) // step + 1) * step, UTC)
    return Window(since=until - timedelta(seconds=SPANS[span]), until=until, step_s=step)


@dataclass(frozen=True, kw_only=True, slots=True)
class Figures:
    """What happened in some slices. `took` counts answers by latency bucket; empty where it was not asked for."""

    attempts: int = 0
    replays: int = 0
    delivered_first: int = 0
    delivered_retry: int = 0
    retried: int = 0
    dead: int = 0
    faults: int = 0
    latency_ms: int = 0
    took: tuple[int, ...] = ()

    @property
    def delivered(self) -> int:
        return self.delivered_first + self.delivered_retry

    @property
    def failed(self) -> int:
        return self.attempts - self.delivered

    @property
    def success_rate(self) -> float | None:
        """Of all deliveries that came to an end, the share that arrived."""
        ended = self.delivered + self.dead
        return self.delivered / ended if ended else None

    def __add__(self, other: "Figures") -> "Figures":
        return Figures(
            **{name: getattr(self, name) + getattr(other, name) for name in (*COUNTS, "latency_ms")},
            took=tuple(one + two for one, two in zip_longest(self.took, other.took, fillvalue=0)),
        )

    def latency(self, share: float) -> float | None:
        """Milliseconds that this share of the answers took at most; an estimate right to its bucket."""
        return percentile(self.took, share)


@dataclass(frozen=True, kw_only=True, slots=True)
class Cause:
    """`status` is 0 where there was no answer."""

    outcome: str
    status: int
    failures: int


def totals(window: Window, subscription: UUID = EVERY) -> Figures:
    return sum_of(Rollup.objects.filter(tiles(window), subscription=subscription))


def series(window: Window, subscription: UUID = EVERY) -> list[tuple[datetime, Figures]]:
    """Every step of the window, also those in which nothing happened."""
    rows = _by_step(_slices(window, subscription), window).annotate(**sums(with_latency=True))
    found = {row["step"]: figures_of(row) for row in rows}
    return [(start, found.get(step, Figures())) for step, start in enumerate(window.starts)]


def busiest(window: Window, most: int) -> list[tuple[UUID, Figures]]:
    """The subscriptions with the most attempts first, with latencies."""
    busy = Rollup.objects.filter(tiles(window)).exclude(subscription=EVERY)
    rows = busy.order_by().values("subscription_id").annotate(**sums(with_latency=True))
    ranked = rows.order_by("-attempts", "subscription_id")[:most]
    return [(row["subscription_id"], figures_of(row)) for row in ranked]


def failing(window: Window, most: int) -> list[tuple[UUID, int]]:
    """The subscriptions with the most failures, and how many: a start for "which do worst", cheap at any span."""
    failures = RollupFailure.objects.filter(tiles(window)).exclude(subscription=EVERY)
    rows = failures.order_by().values("subscription_id").annotate(total=Sum("failures"))
    return list(rows.order_by("-total", "subscription_id").values_list("subscription_id", "total")[:most])


def of(window: Window, subscriptions: Collection[UUID]) -> dict[UUID, Figures]:
    """Some subscriptions, with latencies; those that were idle are left out."""
    some = Rollup.objects.filter(tiles(window), subscription__in=subscriptions)
    rows = some.order_by().values("subscription_id")
    return {row["subscription_id"]: figures_of(row) for row in rows.annotate(**sums(with_latency=True))}


def strips(window: Window, subscriptions: Collection[UUID]) -> dict[UUID, list[Figures]]:
    """How each of these fared in each of the window's steps, without latencies."""
    rows = _by_step(_slices(window).filter(subscription__in=subscriptions), window, "subscription_id")
    made = {subscription: [Figures()] * len(window.starts) for subscription in subscriptions}
    for row in rows.annotate(**sums(with_latency=False)):
        made[row["subscription_id"]][row["step"]] = figures_of(row)
    return made


def at_once(
    windows: Iterable[Window], subscriptions: Collection[UUID] | None, *, with_latency: bool
) -> dict[tuple[Window, UUID], Figures]:
    """Several windows in one statement, for some subscriptions or all that were busy; `EVERY` stands among them."""
    numbered, names = list(windows), _names(with_latency=with_latency)
    rows = _united(Rollup.objects.all(), numbered, subscriptions, ("subscription_id",), names)
    return {(numbered[row["window"]], row["subscription_id"]): figures_of(row) for row in rows}


def causes_at_once(
    windows: Iterable[Window], subscriptions: Collection[UUID] | None
) -> dict[tuple[Window, UUID], list[Cause]]:
    """The same of failures, by outcome and status."""
    numbered, keys = list(windows), ("subscription_id", "outcome", "status")
    found: dict[tuple[Window, UUID], list[Cause]] = {}
    for row in _united(RollupFailure.objects.all(), numbered, subscriptions, keys, ("failures",)):
        cause = Cause(outcome=row["outcome"], status=row["status"], failures=row["failures"])
        found.setdefault((numbered[row["window"]], row["subscription_id"]), []).append(cause)
    return found


def causes(window: Window, subscription: UUID = EVERY) -> list[Cause]:
    """Why attempts failed, and deliveries that could not be tried; the most frequent first."""
    return causes_of(RollupFailure.objects.filter(tiles(window), subscription=subscription))


def causes_by_step(window: Window, subscription: UUID = EVERY) -> list[tuple[datetime, list[Cause]]]:
    rows = _by_step(_failures(window, subscription), window, "outcome", "status")
    found: dict[int, list[Cause]] = {}
    for row in rows.annotate(total=Sum("failures")).order_by("step", "-total", "outcome", "status"):
        cause = Cause(outcome=row["outcome"], status=row["status"], failures=row["total"])
        found.setdefault(row["step"], []).append(cause)
    return [(start, found.get(step, [])) for step, start in enumerate(window.starts)]


def kinds_by_step(
    window: Window, subscriptions: Collection[UUID]
) -> dict[tuple[UUID, str, int], list[tuple[int, int]]]:
    """How often each failed in each way (outcome and status), as (step, failures); steps without any are left out."""
    some = RollupFailure.objects.filter(
        subscription__in=subscriptions, width_s=window.width_s,
        starts_at__gte=window.since, starts_at__lt=window.until,
    )  # fmt: skip
    rows = _by_step(some.order_by(), window, "subscription_id", "outcome", "status")
    found: dict[tuple[UUID, str, int], list[tuple[int, int]]] = {}
    for row in rows.annotate(total=Sum("failures")):
        key = (row["subscription_id"], row["outcome"], row["status"])
        found.setdefault(key, []).append((row["step"], row["total"]))
    return found


def depths(window: Window) -> list[tuple[int, int]]:
    """What was due, and what was retrying or held, at most, in each step; nought where nobody sampled."""
    slices = DepthSlice.objects.filter(
        width_s=min(window.width_s, WIDEST_DEPTH_S), starts_at__gte=window.since, starts_at__lt=window.until
    )
    rows = _by_step(slices.order_by(), window).annotate(
        most_due=Max("due"), most_waiting=Max(F("retrying") + F("held"))
    )
    found = {row["step"]: (row["most_due"], row["most_waiting"]) for row in rows}
    return [found.get(step, (0, 0)) for step in range(len(window.starts))]


def tiles(window: Window) -> Q:
    """Slices that cover the whole window once, with the widest where they fit: a month is 30 days, not 720 hours."""
    chosen, gaps = Q(), [(int(window.since.timestamp()), int(window.until.timestamp()))]
    for width in (each for each in reversed(WIDTHS) if each >= window.width_s):
        rest: list[tuple[int, int]] = []
        for low, high in gaps:
            first, last = -(-low // width) * width, high // width * width
            if first < last:
                starts = {"starts_at__gte": _moment(first), "starts_at__lt": _moment(last)}
                chosen |= Q(width_s=width, **starts)
                rest += [(low, first), (last, high)]
            else:
                rest.append((low, high))
        gaps = [(low, high) for low, high in rest if low < high]
    return chosen


def _united(
    slices: QuerySet[Any],
    windows: Sequence[Window],
    subscriptions: Collection[UUID] | None,
    keys: Sequence[str],
    names: Sequence[str],
) -> Iterable[dict[str, Any]]:
    """One row for each key in each window that has any; `window` is its place in the list."""
    some = slices if subscriptions is None else slices.filter(subscription__in=subscriptions)
    parts = [
        some.filter(tiles(window)).order_by().values(*keys).annotate(
            window=Value(place, output_field=IntegerField()), **{name: Sum(name) for name in names}
        )
        for place, window in enumerate(windows)
    ]  # fmt: skip
    return parts[0].union(*parts[1:], all=True) if parts else []


def sum_of(slices: QuerySet[Any]) -> Figures:
    return figures_of(
        slices.aggregate(**{name: Coalesce(Sum(name), 0) for name in _names(with_latency=True)})
    )


def causes_of(failures: QuerySet[Any]) -> list[Cause]:
    rows = failures.order_by().values("outcome", "status").annotate(total=Sum("failures"))
    ordered = rows.order_by("-total", "outcome", "status").values_list("outcome", "status", "total")
    return [Cause(outcome=outcome, status=status, failures=total) for outcome, status, total in ordered]


def _moment(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)


def _slices(window: Window, subscription: UUID | None = None) -> QuerySet[Rollup]:
    slices = Rollup.objects.filter(
        width_s=window.width_s, starts_at__gte=window.since, starts_at__lt=window.until
    )
    return slices.order_by() if subscription is None else slices.order_by().filter(subscription=subscription)


def _failures(window: Window, subscription: UUID) -> QuerySet[RollupFailure]:
    return RollupFailure.objects.filter(
        subscription=subscription,
        width_s=window.width_s,
        starts_at__gte=window.since,
        starts_at__lt=window.until,
    ).order_by()


def _by_step(slices: QuerySet[Any], window: Window, *keys: str) -> QuerySet[Any, dict[str, Any]]:
    since = int(window.since.timestamp())
    return slices.values(*keys, step=(Second(F("starts_at")) - since) / window.step_s)


def _names(*, with_latency: bool) -> Sequence[str]:
    return (*COUNTS, "latency_ms", *BUCKET_NAMES) if with_latency else COUNTS


def sums(*, with_latency: bool) -> dict[str, Any]:
    return {name: Sum(name) for name in _names(with_latency=with_latency)}


def figures_of(row: Mapping[str, Any]) -> Figures:
    has_latency = BUCKET_NAMES[0] in row
    return Figures(
        **{name: row[name] for name in COUNTS},
        latency_ms=row["latency_ms"] if has_latency else 0,
        took=tuple(row[name] for name in BUCKET_NAMES) if has_latency else (),
    )
