"""Stacked bars, one for each slice of time, each with an address to go to. It says where they lie."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from .lines import SPAN
from .scale import Mark, Tick, Words, linear, marks, plain, short, ticks

GAP = 0.18  # of a slice's width, left free between two bars


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """What one layer counts; `tone` is good, info, warn, bad, held or quiet."""

    name: str
    tone: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """One slice of time: its counts in the order of the kinds, from the foot upwards."""

    label: str
    counts: Sequence[int]
    address: str = ""
    is_unfinished: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    y: str
    height: str
    tone: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    x: str
    width: str
    hit_x: str
    hit_width: str
    title: str
    address: str
    is_pale: bool
    parts: list[Part]


@dataclass(frozen=True, kw_only=True, slots=True)
class Layer:
    """All parts of one tone as one SVG path, so that a hundred bars are a few elements; the pale ones apart."""

    tone: str
    path: str
    is_pale: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """The same for those who read numbers."""

    label: str
    address: str
    counts: list[int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Stacks:
    """`table` is the address of the same as a table; without one, the table lies folded below the chart."""

    title: str
    kinds: list[Kind]
    height: int
    span: int
    ticks: list[Tick]
    marks: list[Mark]
    bars: list[Bar]
    layers: list[Layer]
    table: str = ""
    rows: list[Row] = field(default_factory=list)


def stacks(
    *,
    title: str,
    kinds: Sequence[Kind],
    columns: Sequence[Column],
    height: int = 120,
    words: Words = plain,
    table: str = "",
    below: Sequence[str] = (),
) -> Stacks:
    """`below`: what is written under the columns, where their labels are too long for it."""
    scale, values = linear(max((sum(column.counts) for column in columns), default=0), height)
    slot = 100 / max(1, len(columns))
    bars = [
        Bar(
            x=short(slot * (number + GAP / 2)),
            width=short(slot * (1 - GAP)),
            hit_x=short(slot * number),
            hit_width=short(slot),
            title=_title(column, kinds),
            address=column.address,
            is_pale=column.is_unfinished,
            parts=_parts(column, kinds, height / scale.most, height),
        )
        for number, column in enumerate(columns)
    ]
    return Stacks(
        title=title,
        kinds=list(kinds),
        height=height,
        span=SPAN,
        ticks=ticks(scale, values, words),
        marks=marks(below or [column.label for column in columns]),
        bars=bars,
        layers=_layers(bars),
        table=table,
        rows=[Row(label=each.label, address=each.address, counts=list(each.counts)) for each in columns],
    )


def _parts(column: Column, kinds: Sequence[Kind], pixels_each: float, foot: float) -> list[Part]:
    """A count too small to be seen is still drawn, one pixel high: a single dead letter matters."""
    parts = []
    for kind, count in zip(kinds, column.counts, strict=True):
        if count:
            high = max(1.0, count * pixels_each)
            foot -= high
            parts.append(Part(y=short(foot), height=short(high), tone=kind.tone))
    return parts


def _layers(bars: Sequence[Bar]) -> list[Layer]:
    slot = SPAN / max(1, len(bars))
    wide = short(slot * (1 - GAP))
    paths: dict[tuple[str, bool], list[str]] = {}
    for number, bar in enumerate(bars):
        x = short(slot * (number + GAP / 2))
        for part in bar.parts:
            pieces = paths.setdefault((part.tone, bar.is_pale), [])
            pieces.append(f"M{x} {part.y}h{wide}v{part.height}h-{wide}z")
    return [Layer(tone=tone, path="".join(pieces), is_pale=pale) for (tone, pale), pieces in paths.items()]


def _title(column: Column, kinds: Sequence[Kind]) -> str:
    told = [f"{kind.name} {count}" for kind, count in zip(kinds, column.counts, strict=True) if count]
    unfinished = ", not over yet" if column.is_unfinished else ""
    return f"{column.label}{unfinished}: {', '.join(told) or 'none'}"
