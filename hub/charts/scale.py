"""Axes: where a value lies, and which round values are written beside it. It draws nothing."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Words = Callable[[float], str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Tick:
    """A line across the chart, and what is written at its end."""

    y: str
    words: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """What is written below the chart."""

    x: str
    words: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Scale:
    """From a value to pixels below the top. A logarithmic one shows no zero: what is less lies at its foot."""

    least: float
    most: float
    height: float
    is_log: bool

    def y(self, value: float) -> float:
        low, high, at = self._warped(self.least), self._warped(self.most), self._warped(value)
        share = (at - low) / (high - low)
        return self.height * (1 - min(1.0, max(0.0, share)))

    def _warped(self, value: float) -> float:
        return math.log10(max(value, self.least)) if self.is_log else value


def linear(most: float, height: float, steps: int = 2) -> tuple[Scale, list[float]]:
    """From nought to a round number, and the round numbers in between."""
    step = _round_up(most / steps) if most > 0 else 1.0
    values = [step * number for number in range(steps + 1)]
    return Scale(least=0, most=values[-1], height=height, is_log=False), values


def logarithmic(least: float, most: float, height: float) -> tuple[Scale, list[float]]:
    """Over whole decades or thirds of them: …, 100, 300, 1000, …"""
    low, high = _third_below(max(least, 1e-9)), _third_above(max(most, 1e-9))
    if high <= low:
        high = _third_above(low * 2)
    values = [low]
    while values[-1] < high * 0.999:
        values.append(_next_third(values[-1]))
    return Scale(least=low, most=values[-1], height=height, is_log=True), values


def ticks(scale: Scale, values: Sequence[float], words: Words) -> list[Tick]:
    return [Tick(y=short(scale.y(value)), words=words(value)) for value in values]


def marks(labels: Sequence[str], at_most: int = 6) -> list[Mark]:
    """As many labels as fit, evenly spread from the first one; each lies at the start of its slice."""
    every = max(1, math.ceil(len(labels) / at_most))
    return [
        Mark(x=short(100 * number / len(labels)), words=label)
        for number, label in enumerate(labels)
        if number % every == 0
    ]


def short(number: float) -> str:
    """Two decimals at most, and no zeros at the end: SVG is text, and there are many numbers."""
    return f"{number:.2f}".rstrip("0").rstrip(".")


def plain(value: float) -> str:
    """`1500` → `1.5k`: three digits say enough at an axis."""
    for size, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{short(value / size)}{suffix}"
    return short(value)


def milliseconds(value: float) -> str:
    return f"{short(value / 1000)} s" if value >= 1000 else f"{short(value)} ms"


def _round_up(value: float) -> float:
    """To 1, 2, 3, 5 or 10 times a power of ten; whole, since counts are."""
    size = 10.0 ** math.floor(math.log10(value))
    return max(1.0, next(step * size for step in (1, 2, 3, 5, 10) if step * size >= value * 0.999999))


def _third_below(value: float) -> float:
    size = 10.0 ** math.floor(math.log10(value) + 1e-9)
    return 3 * size if value >= 3 * size else size


def _third_above(value: float) -> float:
    below = _third_below(value)
    return below if value <= below * 1.000001 else _next_third(below)


def _next_third(value: float) -> float:
    size = 10.0 ** math.floor(math.log10(value) + 1e-9)
    return 10 * size if value >= 2.9 * size else 3 * size
