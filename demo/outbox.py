"""Keeps the events a service owes Weir in the service's own database, until Weir has them.

An event is written in the transaction of the fact it tells, so neither is ever without the other. When Weir's
answer is lost the event is told again under the same id, which Weir knows: told at least once, stored once.
"""

import json
import sqlite3
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from demo.books import prepare, transaction
from demo.doors import Event, Tell, Trace
from demo.line import Refused
from demo.voice import say

LOOK_S = 0.2
SULK_S = 10  # after a refusal: first somebody has to change something


class Outbox:
    def __init__(self, *, path: Path, owner: str, stop: threading.Event) -> None:
        self._path = path
        self._owner = owner
        self._stop = stop
        prepare(path, "outbox (number INTEGER PRIMARY KEY, event TEXT NOT NULL, trace TEXT NOT NULL)")

    def add(self, database: sqlite3.Connection, event_type: str, data: dict[str, Any], trace: Trace) -> None:
        """Within the caller's transaction."""
        event = {
            "event_id": str(uuid4()),
            "event_type": event_type,
            "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "data": data,
        }
        row = [json.dumps(event), json.dumps(trace)]
        database.execute("INSERT INTO outbox (event, trace) VALUES (?, ?)", row)

    def run(self, tell: Tell) -> None:
        while not self._stop.wait(LOOK_S):
            self.empty(tell)

    def empty(self, tell: Tell) -> None:
        """Tells what it holds, oldest first, and returns when it holds nothing or the demo ends."""
        while not self._stop.is_set() and (letter := self._oldest()):
            number, event, trace = letter
            try:
                tell(event, trace)
            except Refused as refusal:
                say(f"Weir refused an event of {self._owner}, which keeps it and tries again: {refusal}")
                self._stop.wait(SULK_S)
            else:
                self._drop(number)

    def _oldest(self) -> tuple[int, Event, Trace] | None:
        with transaction(self._path) as database:
            found = database.execute("SELECT number, event, trace FROM outbox ORDER BY number LIMIT 1")
            row = found.fetchone()
        return (row[0], json.loads(row[1]), json.loads(row[2])) if row else None

    def _drop(self, number: int) -> None:
        with transaction(self._path) as database:
            database.execute("DELETE FROM outbox WHERE number = ?", [number])
