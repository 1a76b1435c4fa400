"""Six figures, each with what it was before, its course and where it leads. They decide, and ask nothing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import fmean
from typing import Final

from django.urls import reverse

from deliveries.deciders.delivery_query import Status
from deliveries.selectors.overview import Overview
from hub import ages
from hub.charts import Sparkline, sparkline

from .links import Links
from .words import change, finished, grouped, percent, points, told_ms

POINTS: Final = 48  # of a line of a word's size; more cannot be told apart


@dataclass(frozen=True, kw_only=True, slots=True)
class Tile:
    """`change` is said in `tone`: good, bad, or none."""

    name: str
    value: str
    unit: str
    note: str
    change: str
    tone: str
    address: str
    spark: Sparkline


def tiles(told: Overview, links: Links, now: datetime) -> Iterator[Tile]:
    figures, before, steps = told.now, told.before, [each for _, each in told.steps]
    ended = finished(figures)
    yield Tile(
        name="Deliveries", value=grouped(ended), unit="", note="vs previous",
        **change(ended - finished(before), good="up"), address=links.here(),
        spark=_spark("Deliveries that came to an end", [finished(each) for each in steps], "info"),
    )  # fmt: skip
    rate, was = figures.success_rate, before.success_rate
    yield Tile(
        name="Success rate", value=percent(rate), unit="%" if rate is not None else "", note="of finished",
        **points(rate, was), address=links.here(statuses=(Status.DEAD, Status.DELIVERED)),
        spark=_spark("Share that arrived", _carried([each.success_rate for each in steps]), "good"),
    )  # fmt: skip
    yield Tile(
        name="Dead letters", value=grouped(figures.dead), unit="", note="vs previous",
        **change(figures.dead - before.dead, good="down"), address=links.here(statuses=(Status.DEAD,)),
        spark=_spark("Deliveries given up", [each.dead for each in steps], "bad"),
    )  # fmt: skip
    waits = told.waiting
    yield Tile(
        name="Retrying or held", value=grouped(waits.retrying + waits.held), unit="now",
        note=f"{grouped(waits.retrying)} retrying", change=f"{grouped(waits.held)} held",
        tone="bad" if waits.held else "", address=links.ever(statuses=(Status.HELD, Status.RETRYING)),
        spark=_spark("Retrying or held, at most", [deep for _, deep in told.depths], "warn"),
    )  # fmt: skip
    yield Tile(
        name="Latency p95", **_milliseconds(figures.latency(0.95)),
        note=f"p50 {told_ms(figures.latency(0.5))}", change=f"p99 {told_ms(figures.latency(0.99))}", tone="",
        address=links.here(statuses=(Status.DELIVERED,)),
        spark=_spark("Latency p95", _carried([each.latency(0.95) for each in steps]), "info"),
    )  # fmt: skip
    oldest = waits.oldest_due_at
    yield Tile(
        name="Queue", value=grouped(waits.due), unit="due now", note="oldest" if oldest else "nothing waits",
        change=ages.span((now - oldest).total_seconds()) if oldest else "", tone="",
        address=reverse("admin:queue"),
        spark=_spark("Due, at most", [due for due, _ in told.depths], "info"),
    )  # fmt: skip


def _milliseconds(value: float | None) -> dict[str, str]:
    if value is None:
        return {"value": "–", "unit": ""}
    number, _, unit = told_ms(value).partition(" ")
    return {"value": number, "unit": unit}


def _carried(values: Sequence[float | None]) -> list[float]:
    """Where nothing happened, what was before it: a gap in a line of a word's size reads as a fall."""
    last = next((value for value in values if value is not None), 0.0)
    carried = []
    for value in values:
        last = last if value is None else value
        carried.append(last)
    return carried


def _spark(title: str, values: Sequence[float], tone: str) -> Sparkline:
    """A step that is under way has hardly begun, so it is left out; of many steps, neighbours are put together."""
    whole = values[:-1]
    size = -(-len(whole) // POINTS) or 1
    means = [fmean(whole[at : at + size]) for at in range(0, len(whole), size)]
    return sparkline(title=f"{title}, over time", values=means, tone=tone, height=26)
