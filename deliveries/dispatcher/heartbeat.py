"""Keeps a seat's lease alive from a thread and a connection of its own, so that no slow batch can lose it."""

import threading
import time

from django.db import Error, connection

from deliveries.services import depths

from . import seats

SAMPLE_S = 15.0  # between two looks at how deep the lanes are
RETRY_S = 1.0
JOIN_S = 2.0  # a dispatcher that ends does not wait for a longer look


class Heartbeat(threading.Thread):
    """`lease_end` is monotonic, and counted from before the renewal was asked for: never too late."""

    def __init__(self, holding: seats.Holding, *, taken_at: float) -> None:
        super().__init__(name=f"weir-seat-{holding.number}", daemon=True)
        self.holding = holding
        self.lease_end = taken_at + seats.LEASE_S
        self.is_lost = False
        self._stopped = threading.Event()

    def run(self) -> None:
        pause = 0.0
        while not self._stopped.wait(pause):
            pause = self._beat()
        connection.close()

    def stop(self) -> None:
        self._stopped.set()
        self.join()

    def _beat(self) -> float:
        asked_at = time.monotonic()
        try:
            if not seats.renew(self.holding):
                self.is_lost = True
                self._stopped.set()
                return 0.0
            self.lease_end = asked_at + seats.LEASE_S
        except Error:  # the dispatcher's own turns say so
            connection.close()
            return RETRY_S
        return seats.RENEW_S


class Sampler(threading.Thread):
    """Looks how deep the lanes are now and then; in a thread of its own, for a long look must not cost the seat."""

    def __init__(self) -> None:
        super().__init__(name="weir-depths", daemon=True)
        self._stopped = threading.Event()

    def run(self) -> None:
        pause = 0.0
        while not self._stopped.wait(pause):
            pause = SAMPLE_S
            try:
                depths.sample_if_old(SAMPLE_S - 1)
            except Error:  # the dispatcher's own turns say so
                connection.close()
        connection.close()

    def stop(self) -> None:
        self._stopped.set()
        self.join(JOIN_S)
