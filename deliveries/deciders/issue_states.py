"""Decides what a person may make of an issue, and as what it is shown. It is pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

IGNORE_FOR: Final = timedelta(hours=24)

OPEN, ACKNOWLEDGED, IGNORED = "open", "acknowledged", "ignored"
RESOLVED, REGRESSED = "resolved", "regressed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Move:
    """One word of a person, from which states it leads, and where to."""

    verb: str
    label: str
    done: str
    to: str
    starts: frozenset[str]


# Resolved and regressed are nobody's word: both follow from the dead letters.
MOVES: Final[Mapping[str, Move]] = {
    move.verb: move
    for move in (
        Move(
            verb="acknowledge", label="Acknowledge", done="Acknowledged", to=ACKNOWLEDGED,
            starts=frozenset({OPEN, REGRESSED, IGNORED}),
        ),
        Move(
            verb="ignore", label="Ignore for 24 h", done="Ignored for 24 h", to=IGNORED,
            starts=frozenset({OPEN, REGRESSED, ACKNOWLEDGED}),
        ),
        Move(
            verb="reopen", label="Reopen", done="Reopened", to=OPEN,
            starts=frozenset({ACKNOWLEDGED, IGNORED}),
        ),
    )
}  # fmt: skip


def shown_state(*, state: str, ignored_until: datetime | None, now: datetime) -> str:
    """What was ignored until now is open again, whether or not anybody has written so yet."""
    return OPEN if state == IGNORED and ignored_until is not None and ignored_until <= now else state


def offered(state: str) -> list[Move]:
    """What would change something, by the state that is shown."""
    return [move for move in MOVES.values() if state in move.starts]


def why_not(*, move: Move, state: str, state_by: str) -> str:
    """Of an issue that is not, or no longer, where the move starts."""
    if state == RESOLVED:
        return "It is resolved: no dead letter of it waits."
    by = f", by {state_by}" if state_by else ""
    return f"It is {state} already{by}." if state == move.to else f"It is {state} meanwhile{by}."
