"""What a measurement does to an alert: every case of the decider, as a table."""

from datetime import UTC, datetime, timedelta

import pytest

from deliveries.deciders.alerting import Decision, Measurement, Step, Stood, Threshold, decide
from deliveries.deciders.measures import Bad, check_failure, is_failure, share_of

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
LOW = Threshold(bad=Bad.LOW, value=95.0, clear=97.0, least_volume=20, hold_s=60, remind_s=600)
HIGH = Threshold(bad=Bad.HIGH, value=300.0, clear=120.0)
STATE = Threshold(bad=Bad.SO, hold_s=60)
SO, NOT_SO, NO_DATA = Measurement(value=1), Measurement(value=0), Measurement()


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def rate(value: float, volume: int = 20) -> Measurement:
    return Measurement(value=value, volume=volume)


def opened(*, told: float | None = 0, is_acknowledged: bool = False, is_muted: bool = False) -> Stood:
    return Stood(
        is_open=True,
        told_at=None if told is None else ago(told),
        is_acknowledged=is_acknowledged,
        is_muted=is_muted,
    )


def breached(seconds: float, *, is_muted: bool = False) -> Stood:
    return Stood(breached_since=ago(seconds), is_muted=is_muted)


NOTHING, KEEP = Decision(step=Step.NOTHING), Decision(step=Step.KEEP)
TELL = Decision(step=Step.TELL, tells=True)
CLOSE, CLOSE_QUIETLY = Decision(step=Step.CLOSE, tells=True), Decision(step=Step.CLOSE)

CASES = {
    # -- not open: a low figure is bad under the threshold
    "good stays nothing": (LOW, rate(95.0), Stood(), NOTHING),
    "bad begins to wait": (LOW, rate(94.9), Stood(), Decision(step=Step.WAIT, since=NOW)),
    "bad waits on": (LOW, rate(0), breached(59.9), Decision(step=Step.WAIT, since=ago(59.9))),
    "bad for the hold time opens": (LOW, rate(0), breached(60), Decision(step=Step.OPEN, tells=True, since=ago(60))),
    "good in between forgets the breach": (LOW, rate(95.0), breached(59), Decision(step=Step.FORGET)),
    "too few to judge by begin nothing": (LOW, rate(0, volume=19), Stood(), NOTHING),
    "too few to judge by end no breach": (LOW, rate(100, volume=19), breached(59), NOTHING),
    "no data opens nothing": (LOW, NO_DATA, breached(3_600), NOTHING),
    "muted, it opens and tells nobody": (
        LOW, rate(0), breached(60, is_muted=True), Decision(step=Step.OPEN, since=ago(60)),
    ),
    # -- a high figure is bad at the threshold, and without a hold time at once
    "just under is good": (HIGH, rate(299.9, 0), Stood(), NOTHING),
    "at it is bad": (HIGH, rate(300, 0), Stood(), Decision(step=Step.OPEN, tells=True, since=NOW)),
    # -- a state
    "not so is nothing": (STATE, NOT_SO, Stood(), NOTHING),
    "so for longer than anybody looked opens at once": (
        STATE, Measurement(value=1, since=ago(75)), Stood(), Decision(step=Step.OPEN, tells=True, since=ago(75)),
    ),
    "so since the earlier of both": (
        STATE, Measurement(value=1, since=ago(10)), breached(59), Decision(step=Step.WAIT, since=ago(59)),
    ),
    "so no longer forgets the breach": (STATE, NOT_SO, breached(59), Decision(step=Step.FORGET)),
    "so no longer closes": (STATE, NOT_SO, opened(), CLOSE),
    # -- open: hysteresis
    "between both thresholds it stays": (LOW, rate(96.9), opened(), KEEP),
    "at the clear threshold it closes": (LOW, rate(97.0), opened(), CLOSE),
    "a high one stays at its clear threshold": (HIGH, rate(120, 0), opened(), KEEP),
    "a high one closes under its clear threshold": (HIGH, rate(119.9, 0), opened(), CLOSE),
    "without a clear threshold it closes as soon as it is not bad": (
        Threshold(bad=Bad.HIGH, value=300), rate(299.9, 0), opened(), CLOSE,
    ),
    "few are enough to close": (LOW, rate(100, volume=1), opened(), CLOSE),
    "no data closes nothing": (LOW, NO_DATA, opened(), KEEP),
    # -- open: telling
    "told lately it is not told again": (LOW, rate(0), opened(told=599.9), KEEP),
    "told long ago it is told again": (LOW, rate(0), opened(told=600), TELL),
    "it is told again without data too": (LOW, NO_DATA, opened(told=600), TELL),
    "without a reminder it is told once": (HIGH, rate(999, 0), opened(told=1e6), KEEP),
    "acknowledged it is not told again": (LOW, rate(0), opened(told=600, is_acknowledged=True), KEEP),
    "muted it is not told again": (LOW, rate(0), opened(told=600, is_muted=True), KEEP),
    "opened while muted it is told once the mute is over": (HIGH, rate(999, 0), opened(told=None), TELL),
    "nor then, if somebody is at it": (HIGH, rate(999, 0), opened(told=None, is_acknowledged=True), KEEP),
    "the end is told though it is muted": (HIGH, rate(0, 0), opened(told=5, is_muted=True), CLOSE),
    "the end of what nobody was told of is not told": (HIGH, rate(0, 0), opened(told=None), CLOSE_QUIETLY),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_look_decides(case: str) -> None:
    threshold, measured, stood, decision = CASES[case]
    assert decide(threshold=threshold, measured=measured, stood=stood, now=NOW) == decision


def test_a_figure_that_hovers_about_its_threshold_opens_one_alert() -> None:
    threshold = Threshold(bad=Bad.LOW, value=95, clear=97)
    stood, steps = Stood(), []
    for minute, value in enumerate((94, 96, 94, 96.9, 94, 97, 96, 94)):
        now = NOW + timedelta(minutes=minute)
        came = decide(threshold=threshold, measured=rate(value), stood=stood, now=now)
        steps.append(came.step)
        if came.step in (Step.OPEN, Step.CLOSE):
            stood = Stood(is_open=came.step is Step.OPEN, told_at=now)
    assert steps == [
        Step.OPEN, Step.KEEP, Step.KEEP, Step.KEEP, Step.KEEP, Step.CLOSE, Step.NOTHING, Step.OPEN,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "outcome", "status", "is_one"),
    [
        ("5xx", "server_error", 503, True),
        ("5xx", "client_error", 404, False),
        ("503", "server_error", 503, True),
        ("503", "server_error", 500, False),
        ("timeout", "timeout", 0, True),
        ("timeout", "server_error", 503, False),
    ],
)
def test_failures_are_named_by_status_class_or_outcome(
    text: str, outcome: str, status: int, is_one: bool
) -> None:
    check_failure(text)
    assert is_failure(text, outcome=outcome, status=status) is is_one


@pytest.mark.parametrize("text", ["2xx", "ok", "200", "600", "50", "5x", "slow", "99999999999", "٥٠٣"])
def test_what_names_no_failure_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="^Name a status such as 503, a class such as 5xx, or an outcome"):
        check_failure(text)


@pytest.mark.parametrize("text", ["0", "0.5", "100", "nan", "p95", "-5"])
def test_what_is_no_percentile_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^Choose a percentile between 1 and 99\.9, such as 95\.$"):
        share_of(text)


def test_a_percentile_is_95_unless_it_is_said() -> None:
    assert [round(share_of(text), 6) for text in ("", "99.9", "50")] == [0.95, 0.999, 0.5]
