"""Decides what a measurement does to an alert: opens it, keeps it, has people told, or closes it. It does none of that.

A breach must last for the rule's hold time before an alert opens, so that one bad look is no alarm; an open alert
closes only past the clear threshold, so that a figure which hovers about the threshold opens one alert and not ten.
Without data nothing opens and nothing closes. The least volume guards the opening alone: an endpoint that works again
closes its alert though little is sent to it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from .measures import Bad


class Step(StrEnum):
    NOTHING = "nothing"  # no alert, and what stood of a breach stays as it is
    WAIT = "wait"  # a breach that has not lasted long enough; `since` says when it began
    FORGET = "forget"  # the breach is over before it became an alert
    OPEN = "open"
    KEEP = "keep"
    TELL = "tell"  # it is open, and people are to hear of it (again)
    CLOSE = "close"


@dataclass(frozen=True, kw_only=True, slots=True)
class Threshold:
    """When a rule's figure is bad. `clear` is where it is good again; None: as soon as it is not bad.

    `remind_s` None: an open alert is told once.
    """

    bad: Bad
    value: float | None = None
    clear: float | None = None
    least_volume: int = 0
    hold_s: float = 0.0
    remind_s: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Measurement:
    """`value` None: there is no data; of a state it is 1 where it is so, else 0.

    `since` is when it became so, where the tables know that better than whoever looks now and then.
    """

    value: float | None = None
    volume: int = 0
    since: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Stood:
    """What there was before this look. `told_at` None: nobody was told of the open alert yet."""

    breached_since: datetime | None = None
    is_open: bool = False
    told_at: datetime | None = None
    is_acknowledged: bool = False
    is_muted: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """`tells`: with this step people are told. `since` is when a breach began."""

    step: Step
    tells: bool = False
    since: datetime | None = None


def decide(*, threshold: Threshold, measured: Measurement, stood: Stood, now: datetime) -> Decision:
    if stood.is_open:
        return _of_an_open(threshold, measured, stood, now)
    if measured.value is None or measured.volume < threshold.least_volume:
        return Decision(step=Step.NOTHING)
    if not is_bad(threshold, measured.value):
        return Decision(step=Step.FORGET if stood.breached_since else Step.NOTHING)
    since = min(filter(None, (stood.breached_since, measured.since, now)))
    if now - since < timedelta(seconds=threshold.hold_s):
        return Decision(step=Step.WAIT, since=since)
    return Decision(step=Step.OPEN, tells=not stood.is_muted, since=since)


def _of_an_open(threshold: Threshold, measured: Measurement, stood: Stood, now: datetime) -> Decision:
    """A closing is told to whoever was told of the opening, muted or not: good news ends the matter."""
    if measured.value is not None and is_clear(threshold, measured.value):
        return Decision(step=Step.CLOSE, tells=stood.told_at is not None)
    if stood.is_muted or stood.is_acknowledged:
        return Decision(step=Step.KEEP)
    if stood.told_at is None:  # it opened while it was muted, and stands though the mute is over
        return Decision(step=Step.TELL, tells=True)
    if threshold.remind_s is not None and now - stood.told_at >= timedelta(seconds=threshold.remind_s):
        return Decision(step=Step.TELL, tells=True)
    return Decision(step=Step.KEEP)


def is_bad(threshold: Threshold, value: float) -> bool:
    if threshold.bad is Bad.SO:
        return value > 0
    assert threshold.value is not None  # noqa: S101  # rules are checked when they are saved
    return value < threshold.value if threshold.bad is Bad.LOW else value >= threshold.value


def is_clear(threshold: Threshold, value: float) -> bool:
    """Good enough to close: past the clear threshold, and never while it is bad."""
    if is_bad(threshold, value):
        return False
    if threshold.clear is None or threshold.bad is Bad.SO:
        return True
    return value >= threshold.clear if threshold.bad is Bad.LOW else value < threshold.clear
