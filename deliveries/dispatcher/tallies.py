"""Notes which attempts and deaths a transaction wrote, in one row of its own, written with them. It adds nothing up."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.db import connection

from deliveries.deciders.outcome import Outcome


class Died(NamedTuple):
    """A delivery that became a dead letter just now, by its last attempt or, without one, by what forbade it."""

    lane_id: UUID
    event_type: str
    attempt_id: UUID | None
    outcome: Outcome


_INSERT = (
    "INSERT INTO deliveries_tally (settled_at, attempts, failed, deaths, length) VALUES (%s, %s, %s, %s, %s)"
)


def add(*, recorded: Sequence[Sequence[str]], died: Sequence[Died], now: datetime) -> None:
    """`recorded`: the id and the outcome of each attempt that was written just now.

    To be called in the transaction that wrote them, so that both are there or neither.
    """
    if not (recorded or died):
        return
    attempts = json.dumps([id for id, _ in recorded])
    failed = json.dumps([id for id, outcome in recorded if outcome != "ok"])
    deaths = json.dumps([_death(each, int(now.timestamp())) for each in died])
    at = connection.ops.adapt_datetimefield_value(now)
    with connection.cursor() as cursor:  # the ORM would take twice as long
        cursor.execute(_INSERT, [at, attempts, failed, deaths, len(recorded) + len(died)])


def _death(died: Died, second: int) -> dict[str, object]:
    attempt = died.attempt_id and died.attempt_id.hex
    return {
        "lane": died.lane_id.hex,
        "type": died.event_type,
        "second": second,
        "attempt": attempt,
        "outcome": died.outcome,
    }
