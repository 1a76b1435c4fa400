"""Charts the size of a word: a sparkline, a strip of bars, a gauge. They say a shape; the number stands beside them."""

from collections.abc import Sequence
from dataclasses import dataclass

from .lines import SPAN, path
from .scale import Scale, short


@dataclass(frozen=True, kw_only=True, slots=True)
class Sparkline:
    title: str
    tone: str
    height: int
    span: int
    line: str
    area: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    x: str
    width: str
    y: str
    height: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Strip:
    """`path` is all of its steps in one."""

    title: str
    tone: str
    width: int
    height: int
    steps: list[Step]
    path: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Gauge:
    title: str
    tone: str
    width: str


def sparkline(*, title: str, values: Sequence[float], tone: str = "info", height: int = 22) -> Sparkline:
    """From nought to the highest value; flat at the foot where there is nothing."""
    scale = Scale(least=0, most=max([*values, 0]) or 1, height=height, is_log=False)
    line = path(values, scale)
    slot = SPAN / max(1, len(values))
    area = f"{line}V{height}H{short(slot / 2)}Z" if values else ""
    return Sparkline(title=title, tone=tone, height=height, span=SPAN, line=line, area=area)


def strip(
    *, title: str, values: Sequence[int], tone: str = "bad", most: int = 0, width: int = 110, height: int = 20
) -> Strip:
    """`most` puts several strips on one scale; without it each has its own."""
    top = max([most, *values, 1])
    slot = width / max(1, len(values))
    steps = []
    for number, value in enumerate(values):
        if value:
            high = max(2.0, height * value / top)
            steps.append(
                Step(
                    x=short(slot * number),
                    width=short(max(1.0, slot - 1)),
                    y=short(height - high),
                    height=short(high),
                )  # fmt: skip
            )
    path = "".join(f"M{step.x} {step.y}h{step.width}v{step.height}h-{step.width}z" for step in steps)
    return Strip(title=title, tone=tone, width=width, height=height, steps=steps, path=path)


def gauge(*, title: str, value: float, most: float, tone: str = "bad") -> Gauge:
    """A share of a track; what is not nothing is seen."""
    share = 100 * min(1.0, value / most) if most > 0 else 0.0
    return Gauge(title=title, tone=tone, width=short(max(1.0, share) if value else 0.0))
