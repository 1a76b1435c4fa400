"""What a bench found: values of several rounds, and whether they meet a goal. It never measures."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """One line of the table. Exactly one of `at_least` and `at_most` is the goal, if there is one."""

    bench: str
    what: str
    values: tuple[float, ...]
    unit: str
    at_least: float | None = None
    at_most: float | None = None

    @property
    def median(self) -> float:
        return median(self.values)

    @property
    def is_met(self) -> bool | None:
        if self.at_least is not None:
            return self.median >= self.at_least
        return self.median <= self.at_most if self.at_most is not None else None


def ratios(of: Sequence[float], to: Sequence[float]) -> tuple[float, ...]:
    """Round by round: both halves of a ratio were taken minutes apart at most, on an equally busy machine."""
    return tuple(ours / theirs for ours, theirs in zip(of, to, strict=True))


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile: a value that was really measured."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
