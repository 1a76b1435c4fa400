"""B, the billing service: writes one invoice for each order it hears of, and tells Weir. It ships nothing."""

import json
import sqlite3
import threading
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from email.message import Message
from pathlib import Path

from demo.books import prepare, transaction
from demo.outbox import Outbox
from demo.station import Station

TO_PAY_WITHIN = timedelta(days=14)
TRACE = ("traceparent", "tracestate")  # passed on, so that Weir knows which delivery made B speak


class Billing:
    def __init__(self, *, folder: Path, ports: Iterable[int], secret: str, stop: threading.Event) -> None:
        self._path = folder / "billing.sqlite3"
        prepare(self._path, "invoices (number INTEGER PRIMARY KEY, delivery TEXT, total_cents INTEGER)")
        self.outbox = Outbox(path=self._path, owner="B", stop=stop)
        self.station = Station(ports=ports, secret=secret, path=self._path, effect=self._invoice)

    def count_invoices(self, delivery: str) -> int:
        with transaction(self._path) as database:
            found = database.execute("SELECT count(*) FROM invoices WHERE delivery = ?", [delivery])
            return int(found.fetchone()[0])

    def _invoice(self, database: sqlite3.Connection, headers: Message, body: bytes) -> None:
        """Runs in the transaction that keeps the delivery's id: invoice, event and id, or none of them."""
        order = json.loads(body)["data"]
        row = [headers["webhook-id"], order["total_cents"]]
        added = database.execute("INSERT INTO invoices (delivery, total_cents) VALUES (?, ?)", row)
        due_on = (datetime.now(UTC) + TO_PAY_WITHIN).date().isoformat()
        invoice = {"invoice": f"INV-{added.lastrowid:07}", "due_on": due_on, **order}
        trace = {name: headers[name] for name in TRACE if name in headers}
        self.outbox.add(database, "invoice.issued", invoice, trace)
