"""C, the shipping service: hears of an invoice and ships the goods, when it is there and knows the street."""

import json
import sqlite3
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import Message
from pathlib import Path
from queue import SimpleQueue

from demo import goods, moods
from demo.books import prepare
from demo.station import NoPort, Station, Unwilling

LOOK_S = 0.25
WHY = {422: "this street is not on our map", 503: "too busy just now"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Declined:
    """C answered something else than 200."""

    delivery: str
    order: str
    status: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Outage:
    """C's socket was closed, or is open again."""

    is_over: bool


class Shipping:
    def __init__(self, *, folder: Path, ports: Iterable[int], secret: str, stop: threading.Event) -> None:
        path = folder / "shipping.sqlite3"
        prepare(path, "shipments (number INTEGER PRIMARY KEY, delivery TEXT, order_id TEXT)")
        self._stop = stop
        self._back_at: float | None = None
        self.news: SimpleQueue[Declined | Outage] = SimpleQueue()
        self.station = Station(
            ports=ports, secret=secret, path=path, effect=self._ship, pause_s=self._pause_s
        )

    def run(self) -> None:
        """Follows its moods until the demo ends."""
        started = time.monotonic()
        while not self._stop.wait(LOOK_S):
            is_down = moods.is_down(time.monotonic() - started)
            if is_down and self.station.is_open:
                self.station.shut()
                self.news.put(Outage(is_over=False))
            elif not is_down and not self.station.is_open:
                self._come_back()

    def _come_back(self) -> None:
        try:
            self.station.open()
        except NoPort:
            return  # somebody took the port meanwhile: C stays down until it is free again
        self._back_at = time.monotonic()
        self.news.put(Outage(is_over=True))

    def _pause_s(self) -> float:
        return moods.pause_s(None if self._back_at is None else time.monotonic() - self._back_at)

    def _ship(self, database: sqlite3.Connection, headers: Message, body: bytes) -> None:
        event = json.loads(body)
        order, delivery = event["data"]["order"], headers["webhook-id"]
        status = moods.answer(
            order=goods.number_of(order),
            attempt=int(headers.get("weir-attempt", "1")),
            age_s=(datetime.now(UTC) - datetime.fromisoformat(event["timestamp"])).total_seconds(),
        )
        if status != 200:
            self.news.put(Declined(delivery=delivery, order=order, status=status))
            raise Unwilling(status, f"{order}: {WHY[status]}")
        database.execute("INSERT INTO shipments (delivery, order_id) VALUES (?, ?)", [delivery, order])
