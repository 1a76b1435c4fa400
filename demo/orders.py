"""A, the order service: takes an order now and then, and tells Weir. What follows from it A never hears."""

import threading
from pathlib import Path

from demo import goods, moods
from demo.books import prepare, transaction
from demo.doors import Event, Tell, Trace
from demo.outbox import Outbox

PAUSE_S = 0.5  # between two orders


class Orders:
    def __init__(self, *, folder: Path, stop: threading.Event) -> None:
        self._path = folder / "orders.sqlite3"
        self._stop = stop
        prepare(self._path, "orders (number INTEGER PRIMARY KEY)")
        self._outbox = Outbox(path=self._path, owner="A", stop=stop)

    def run(self, *, at_the_door: Tell, by_the_api: Tell) -> None:
        def tell(event: Event, trace: Trace) -> None:
            is_odd = goods.number_of(event["data"]["order"]) % 2
            (at_the_door if is_odd else by_the_api)(event, trace)

        while not self._stop.wait(PAUSE_S):
            self._take_order()
            self._outbox.empty(tell)  # no next order until Weir has this one, so that none pile up here

    def _take_order(self) -> None:
        with transaction(self._path) as database:
            number = database.execute("INSERT INTO orders DEFAULT VALUES").lastrowid or 0
            order = goods.make_order(number, is_street_unmapped=moods.is_street_unmapped(number))
            self._outbox.add(database, "order.placed", order, trace={})
