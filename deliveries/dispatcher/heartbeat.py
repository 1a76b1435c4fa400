"""Keeps a seat's lease alive from a thread and a connection of its own, so that no slow batch can lose it."""

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from django.db import Error, InterfaceError, OperationalError, connection

from deliveries.services import depths, folding, holds
from webhooks.services import scheduled

from . import seats

SAMPLE_S = 15.0  # between two looks at how deep the lanes are
FOLD_S = 2.0  # between two folds: dashboards are this much late
PAUSE_S = 1.0  # between two looks for pauses that are over, or events whose time has come: a read of a partial index
AT_MOST = 0.05  # of the time; what takes long is done less often
RETRY_S = 1.0
JOIN_S = 2.0  # a dispatcher that ends does not wait for a longer look

log = logging.getLogger(__name__)


class Heartbeat(threading.Thread):
    """`lease_end` is monotonic, and counted from before the renewal was asked for: never too late."""

    def __init__(self, holding: seats.Holding, *, taken_at: float, in_flight: Callable[[], int]) -> None:
        super().__init__(name=f"weir-seat-{holding.number}", daemon=True)
        self.holding = holding
        self.lease_end = taken_at + seats.LEASE_S
        self.is_lost = False
        self._in_flight = in_flight
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
            if not seats.renew(self.holding, in_flight=self._in_flight()):
                self.is_lost = True
                self._stopped.set()
                return 0.0
            self.lease_end = asked_at + seats.LEASE_S
        except Error:  # the dispatcher's own turns say so
            connection.close()
            return RETRY_S
        return seats.RENEW_S


class Chore(threading.Thread):
    """Does some work now and then beside a dispatcher; in a thread of its own, for long work must not cost the seat."""

    def __init__(self, name: str, work: Callable[[], object], *, every_s: float) -> None:
        super().__init__(name=f"weir-{name}", daemon=True)
        self._work = work
        self._every_s = every_s
        self._stopped = threading.Event()

    def run(self) -> None:
        pause = 0.0
        while not self._stopped.wait(pause):
            began_at = time.monotonic()
            self._try()
            pause = max(self._every_s, (time.monotonic() - began_at) / AT_MOST)
        connection.close()

    def stop(self) -> None:
        self._stopped.set()
        self.join(JOIN_S)

    def _try(self) -> None:
        try:
            self._work()
        except (OperationalError, InterfaceError):  # the dispatcher's own turns say so
            connection.close()
        except Error:
            log.exception("A chore beside a dispatcher failed: %s.", self.name)
            connection.close()


def sampler() -> Chore:
    return Chore("depths", lambda: depths.sample_if_old(SAMPLE_S - 1), every_s=SAMPLE_S)


def folder() -> Chore:
    return Chore("rollups", folding.fold_if_old, every_s=FOLD_S)


def releaser() -> Chore:
    return Chore("scheduled", lambda: scheduled.release_due(now=datetime.now(UTC)), every_s=PAUSE_S)


def resumer() -> Chore:
    return Chore("pauses", lambda: holds.resume_due(now=datetime.now(UTC)), every_s=PAUSE_S)
