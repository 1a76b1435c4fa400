"""Decides how a delivery looks in a list: its status, a tag for the answer, squares for attempts. It is pure."""

from collections.abc import Sequence
from typing import Final

from .delivery_query import Status
from .outcome import Outcome

MOST_SQUARES: Final = 6
FIRST_PHASE: Final = 0

# What stands where a status code would, had there been an answer.
NO_CODE: Final[dict[str, str]] = {
    Outcome.TIMEOUT: "timeout",
    Outcome.REFUSED: "conn",
    Outcome.RESET: "reset",
    Outcome.DNS: "DNS",
    Outcome.TLS: "TLS",
    Outcome.BAD_RESPONSE: "answer",
    Outcome.BLOCKED: "blocked",
    Outcome.OVERSIZED: "size",
    Outcome.UNSENDABLE: "request",
    Outcome.TRANSFORM_FAILED: "transform",
    Outcome.FILTER_FAILED: "filter",
    Outcome.OWN_TROUBLE: "put back",
}
BLAMES_US: Final = frozenset({Outcome.CLIENT_ERROR, Outcome.REDIRECT, Outcome.THROTTLED, Outcome.GONE})


def shown_status(*, state: str, phase: int, is_held: bool) -> Status:
    if state != Status.PENDING:
        return Status(state)
    if is_held:
        return Status.HELD
    return Status.PENDING if phase == FIRST_PHASE else Status.RETRYING


def response_tag(outcome: str, status: int | None) -> tuple[str, str]:
    """What to write and in which tone: an answer that we may have caused is amber, no answer at all is red."""
    if not outcome:
        return "", ""
    if outcome == Outcome.OK:
        return str(status or "ok"), ""
    text = NO_CODE.get(outcome) if status is None or outcome in NO_CODE else str(status)
    return text or outcome, "warn" if outcome in BLAMES_US else "bad"


def squares(*, attempts: int, state: str, outcome: str) -> Sequence[str]:
    """One tone each: earlier attempts failed, else there would be no later one; the last says what it says."""
    if not attempts:
        return ("next",) if state == Status.PENDING else ()
    tones = ["bad"] * (attempts - 1) + ["good" if outcome == Outcome.OK else "bad"]
    tones += ["next"] * (state == Status.PENDING)
    return tones[-MOST_SQUARES:]


def duration(milliseconds: int | None) -> str:
    """`818 ms`, `1.1 s`, `15 s`."""
    if milliseconds is None:
        return "–"
    if milliseconds < 1000:
        return f"{milliseconds} ms"
    seconds = milliseconds / 1000
    return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"


def waited(seconds: float) -> str:
    """`84 ms`, `12 s`, `3 h`."""
    if seconds < 1:
        return f"{max(int(seconds * 1000), 0)} ms"
    for limit, unit, words in ((120, 1, "s"), (7_200, 60, "min"), (172_800, 3_600, "h")):
        if seconds < limit:
            return f"{seconds / unit:.0f} {words}"
    return f"{seconds / 86_400:.0f} d"
