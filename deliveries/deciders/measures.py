"""The table of what a rule can measure: its unit, when it is bad, over what it can be measured. It measures nothing.

A measure with a threshold is bad at or above it, or, where high is good, below it. One without is a state, which is so
or is not; for how long it has been so is all that a rule says of it.
"""

from dataclasses import dataclass
from enum import StrEnum

from .outcome import Outcome


class Over(StrEnum):
    """What is measured together, or apart."""

    HUB = "hub"  # everything in one figure
    EACH_SUBSCRIPTION = "each_subscription"  # an alert of its own for each
    SUBSCRIPTION = "subscription"
    SUBSCRIBER = "subscriber"  # all of its subscriptions in one figure
    EACH_SOURCE = "each_source"
    SOURCE = "source"


class Bad(StrEnum):
    HIGH = "high"
    LOW = "low"
    SO = "so"  # a state: absence or being is the alarm, and there is no threshold


class Detail(StrEnum):
    """What a measure asks to be told besides."""

    NONE = ""
    FAILURE = "failure"  # which failures: an outcome, a status, a class of them; empty: any
    SHARE = "share"  # which percentile


@dataclass(frozen=True, kw_only=True, slots=True)
class Measure:
    """`unit` is %, ms, s or nothing. `volume` names what there must be enough of; empty: that is not asked."""

    label: str
    bad: Bad
    over: tuple[Over, ...]
    unit: str = ""
    has_window: bool = False
    volume: str = ""
    detail: Detail = Detail.NONE


_LANES = (Over.HUB, Over.EACH_SUBSCRIPTION, Over.SUBSCRIPTION, Over.SUBSCRIBER)

MEASURES: dict[str, Measure] = {
    "success_rate": Measure(
        label="Attempt success rate", bad=Bad.LOW, unit="%", over=_LANES, has_window=True, volume="attempts"
    ),
    "error_rate": Measure(
        label="Error rate", bad=Bad.HIGH, unit="%", over=_LANES, has_window=True, volume="attempts",
        detail=Detail.FAILURE,
    ),
    "latency": Measure(
        label="Latency", bad=Bad.HIGH, unit="ms", over=_LANES, has_window=True, volume="answers",
        detail=Detail.SHARE,
    ),
    "oldest_due": Measure(label="Age of the oldest due delivery", bad=Bad.HIGH, unit="s", over=_LANES),
    "queue_depth": Measure(label="Deliveries due", bad=Bad.HIGH, over=_LANES),
    "dead_letters": Measure(label="New dead letters", bad=Bad.HIGH, over=_LANES, has_window=True),
    "circuit_open": Measure(
        label="Circuit not closed", bad=Bad.SO, over=(Over.EACH_SUBSCRIPTION, Over.SUBSCRIPTION, Over.SUBSCRIBER)
    ),
    "source_silent": Measure(label="Source silent", bad=Bad.SO, over=(Over.EACH_SOURCE, Over.SOURCE)),
    "quarantined": Measure(label="Events in quarantine", bad=Bad.HIGH, over=(Over.HUB,)),
    "dispatcher_missing": Measure(label="No dispatcher at work", bad=Bad.SO, over=(Over.HUB,)),
}  # fmt: skip

# Seconds, with how they are said. All tile into rollups: a longer window costs a look no more rows.
WINDOWS: dict[int, str] = {
    300: "5 minutes",
    900: "15 minutes",
    1_800: "30 minutes",
    3_600: "1 hour",
    21_600: "6 hours",
    86_400: "24 hours",
}
CLASSES = ("3xx", "4xx", "5xx")
USUAL_SHARE = 95.0


def check_failure(text: str) -> None:
    """Raises ValueError with one sentence on what names no failure."""
    is_status = text.isascii() and text.isdigit() and 300 <= int(text[:4]) <= 599
    if text and not (text in CLASSES or is_status or text in _FAILURES):
        raise ValueError("Name a status such as 503, a class such as 5xx, or an outcome such as timeout.")


def is_failure(text: str, *, outcome: str, status: int) -> bool:
    """Whether a failure is of the kind that is named; `status` is 0 where there was no answer."""
    if text in CLASSES:
        return status // 100 == int(text[0])
    return status == int(text) if text.isdigit() else outcome == text


def share_of(text: str) -> float:
    """The percentile that is named, as a share. Raises ValueError with one sentence."""
    try:
        percent = float(text or USUAL_SHARE)
    except ValueError:
        percent = 0.0
    if not 1 <= percent <= 99.9:  # NaN fails both comparisons
        raise ValueError("Choose a percentile between 1 and 99.9, such as 95.")
    return percent / 100


_FAILURES = frozenset(outcome.value for outcome in Outcome if outcome is not Outcome.OK)
