"""The two charts: what became of deliveries, and how long endpoints took. It asks nothing."""

from datetime import datetime, timedelta
from typing import Final

from deliveries.deciders.delivery_query import DeliveryQuery
from deliveries.selectors.overview import Overview
from hub.charts import Kind, Lines, Series, Stacks, lines, stacks
from hub.charts.scale import milliseconds
from hub.charts.stacks import Column

from .links import Links

KINDS: Final = (
    Kind(name="First try", tone="good"),
    Kind(name="After retry", tone="info"),
    Kind(name="Failed, tried again", tone="warn"),
    Kind(name="Dead letter", tone="bad"),
)


def outcomes(told: Overview, links: Links, now: datetime, *, table: str) -> Stacks:
    step = timedelta(seconds=told.window.step_s)
    columns = [
        Column(
            label=label,
            counts=(figures.delivered_first, figures.delivered_retry, figures.retried, figures.dead),
            address=links.to(DeliveryQuery(since="all", start=start, end=start + step)),
            is_unfinished=start + step > now,
        )
        for label, (start, figures) in zip(_labels(told), told.steps, strict=True)
    ]
    return stacks(
        title="Deliveries by outcome",
        kinds=KINDS,
        columns=columns,
        height=140,
        table=table,
        below=_below(told),
    )


def latencies(told: Overview, *, table: str) -> Lines:
    shares = (("p50", "info", 0.5), ("p95", "warn", 0.95), ("p99", "bad", 0.99))
    series = [
        Series(name=name, tone=tone, values=[_whole(figures.latency(share)) for _, figures in told.steps])
        for name, tone, share in shares
    ]
    return lines(
        title="Endpoint latency",
        labels=_labels(told),
        series=series,
        is_log=True,
        height=140,
        words=milliseconds,
        table=table,
        below=_below(told),
    )


def _whole(value: float | None) -> float | None:
    return None if value is None else round(value)


def _labels(told: Overview) -> list[str]:
    """The hour where a day says nothing, else the day too."""
    form = "%H:%M" if told.window.step_s < 3_600 else "%d %b %H:%M"
    return [f"{start:{form}}" for start, _ in told.steps]


def _below(told: Overview) -> list[str]:
    form = "%H:%M" if told.window.step_s < 3_600 else "%d %b"
    return [f"{start:{form}}" for start, _ in told.steps]
