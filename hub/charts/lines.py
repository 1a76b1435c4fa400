"""Lines over time, on a linear or a logarithmic scale. A missing value is a gap, never a nought."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .scale import Mark, Scale, Tick, Words, linear, logarithmic, marks, plain, short, ticks

SPAN = 1_000  # units across; the drawing is stretched to its column


@dataclass(frozen=True, kw_only=True, slots=True)
class Series:
    """`tone` is good, info, warn, bad, held or quiet."""

    name: str
    tone: str
    values: Sequence[float | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """One place in time: its label, its address, what all series say there."""

    x: str
    width: str
    title: str
    label: str
    address: str
    told: list[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    name: str
    tone: str
    path: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Lines:
    """`table` as for stacks."""

    title: str
    height: int
    span: int
    ticks: list[Tick]
    marks: list[Mark]
    lines: list[Line]
    points: list[Point]
    table: str = ""


def lines(
    *,
    title: str,
    labels: Sequence[str],
    series: Sequence[Series],
    addresses: Sequence[str] = (),
    is_log: bool = False,
    height: int = 120,
    words: Words = plain,
    table: str = "",
    below: Sequence[str] = (),
) -> Lines:
    """`below` as for stacks."""
    known = [value for each in series for value in each.values if value is not None]
    scale, round_values = _axis(known, height, is_log)
    return Lines(
        title=title,
        height=height,
        span=SPAN,
        ticks=ticks(scale, round_values, words),
        marks=marks(below or labels),
        lines=[Line(name=each.name, tone=each.tone, path=path(each.values, scale)) for each in series],
        points=list(_points(labels, series, addresses, words)),
        table=table,
    )


def path(values: Sequence[float | None], scale: Scale) -> str:
    """An SVG path through the middle of each slice; one known value between two gaps is a short dash."""
    slot = SPAN / max(1, len(values))
    pieces: list[str] = []
    is_down = False
    for number, value in enumerate(values):
        if value is None:
            is_down = False
            continue
        at = f"{short(slot * (number + 0.5))} {short(scale.y(value))}"
        pieces.append(f"L{at}" if is_down else f"M{at}h.1")
        is_down = True
    return "".join(pieces)


def _axis(known: Sequence[float], height: int, is_log: bool) -> tuple[Scale, list[float]]:
    if is_log:
        return logarithmic(min(known, default=1), max(known, default=1), height)
    return linear(max(known, default=0), height)


def _points(
    labels: Sequence[str], series: Sequence[Series], addresses: Sequence[str], words: Words
) -> Iterator[Point]:
    slot = 100 / max(1, len(labels))
    for number, label in enumerate(labels):
        values = [each.values[number] for each in series]
        told = ["–" if value is None else words(value) for value in values]
        named = ", ".join(f"{each.name} {text}" for each, text in zip(series, told, strict=True))
        yield Point(
            x=short(slot * number),
            width=short(slot),
            title=f"{label}: {named}",
            label=label,
            address=addresses[number] if addresses else "",
            told=told,
        )
