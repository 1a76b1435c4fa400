"""Two services that know no better: each tells Weir whatever Weir told it, so that a fact goes round in a circle.

It is here to be stopped: Weir sets the cascade aside once it is deeper than any honest one. Neither keeps a count.
"""

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable
from email.message import Message
from pathlib import Path
from uuid import uuid4

from demo.doors import Tell
from demo.station import Station
from demo.voice import say

PAUSE_S = 0.1  # between hearing and telling, so that one can watch


class Echo:
    def __init__(
        self, *, name: str, folder: Path, ports: Iterable[int], secret: str, told: Callable[[], None]
    ) -> None:
        self.name = name
        self._told = told
        self.tell: Tell | None = None  # known once it is wired
        self.station = Station(
            ports=ports,
            secret=secret,
            path=folder / f"{name}.sqlite3",
            effect=self._repeat,
            pause_s=lambda: PAUSE_S,
        )

    def begin(self) -> None:
        """A first event, which nothing caused."""
        self._say_it({"event_id": uuid4().hex, "event_type": f"{self.name}.said", "data": {"hops": 0}}, {})

    def _repeat(self, database: sqlite3.Connection, headers: Message, body: bytes) -> None:
        hops = json.loads(body)["data"]["hops"] + 1
        trace = {name: headers[name] for name in ("traceparent", "tracestate")}
        event = {"event_id": headers["webhook-id"], "event_type": f"{self.name}.said", "data": {"hops": hops}}
        self._say_it(event, trace)
        self._told()

    def _say_it(self, event: dict[str, object], trace: dict[str, str]) -> None:
        if self.tell:
            self.tell(event, trace)


class Loop:
    """A circle of two, and what there is to say of it."""

    def __init__(
        self, *, folder: Path, ports: tuple[Iterable[int], Iterable[int]], secrets: tuple[str, str]
    ) -> None:
        self._hops = 0
        self._heard_at = time.monotonic()
        self.ping = Echo(name="ping", folder=folder, ports=ports[0], secret=secrets[0], told=self._hop)
        self.pong = Echo(name="pong", folder=folder, ports=ports[1], secret=secrets[1], told=self._hop)

    def run(self, *, console: str, stop: threading.Event) -> None:
        """Begins it, and says when it has come to rest."""
        say("Ping and pong tell each other the same thing for ever; watch Weir end it.")
        self.ping.begin()
        while not stop.wait(0.5):
            if self._hops and time.monotonic() - self._heard_at > 3:
                say(
                    f"The loop has ended after {self._hops} hops, by itself. What would come next waits in quarantine: "
                    f"{console}deliveries/cascade/?tab=quarantined"
                )
                return

    def _hop(self) -> None:
        self._hops += 1
        self._heard_at = time.monotonic()
