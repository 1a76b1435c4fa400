"""Runs django-q2's cluster so that it stops when asked and is never half alive. It runs no task itself.

The main process stewards the seats; the sentinel it forks keeps the workers. When something is wrong that the
sentinel cannot mend, the whole cluster ends with an exit code, for whoever supervises it to start it again.
"""

import logging
import multiprocessing
import os
import threading
import time
from datetime import timedelta
from types import FrameType
from typing import Any

from django import db
from django.utils import timezone
from django_q.cluster import Cluster, Sentinel
from django_q.models import Schedule

from deliveries.dispatcher import seats
from deliveries.dispatcher.stopping import STOP, SharedFlag
from deliveries.tasks import SCHEDULES
from hub import lifeline

STOP_WITHIN_S = 6  # a supervisor that grants ten seconds sees us gone before it loses patience
SILENT_S = 60  # a sentinel beats twice a second, but may wait for a database that is slow to refuse it
LOOK_S = 1.0
_NAP_S = 0.2
_IDLE = -1  # what django-q2's timer of a worker without a task says

_fork = multiprocessing.get_context("fork")
logger = logging.getLogger(__name__)


class WatchedSentinel(Sentinel):  # type: ignore[misc]
    """A sentinel that shows that it still looks, and says when its task queue can't be trusted any more."""

    def __init__(self, *args: Any, beat: Any, is_tainted: SharedFlag) -> None:
        self.beat = beat
        self.is_tainted = is_tainted
        super().__init__(*args)

    def status(self) -> str:
        # Asked for in each round of the guard, so a sentinel stuck on a dead worker's lock falls silent.
        self.beat.value = time.monotonic()
        return str(super().status())

    def reincarnate(self, process: Any) -> None:
        if process in self.pool and process.timer.value == _IDLE and (process.exitcode or 0) < 0:
            # An idle worker holds the queue's lock while it waits; if this one did, no task would ever run.
            self.is_tainted.set()
        super().reincarnate(process)


class HubCluster(Cluster):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.is_asked_to_stop = False
        self.is_tainted = SharedFlag()
        self.beat = _fork.RawValue("d", time.monotonic())
        self.upkeep = Upkeep()

    def run(self) -> int:
        """Works until it is told to stop (0) or can't go on (1)."""
        lifeline.tie_future_forks()
        self._wait_for_database()
        if self.is_asked_to_stop:
            return 0
        self.start()
        reason = self._tend()
        self.stop()
        if reason:
            logger.error("%s The cluster ends.", reason)
        return 1 if reason else 0

    def start(self) -> int:
        self.stop_event, self.start_event = _fork.Event(), _fork.Event()
        self.beat.value = time.monotonic()
        self.sentinel = _fork.Process(
            target=WatchedSentinel,
            args=(self.stop_event, self.start_event, self.cluster_id, self.broker, self.timeout),
            kwargs={"beat": self.beat, "is_tainted": self.is_tainted},
        )
        self.sentinel.start()
        return os.getpid()

    def stop(self) -> bool:
        """Lets dispatchers settle and workers finish; what is left after a while is killed."""
        STOP.set()
        # Setting it waits for the sentinel to wake, so with one that was just killed it would never return.
        threading.Thread(target=self.stop_event.set, daemon=True).start()
        self.sentinel.join(STOP_WITHIN_S)
        was_clean = not self.sentinel.is_alive()
        self.sentinel.kill()  # and its tie takes everyone it forked along
        self.sentinel.join()
        return was_clean

    def sig_handler(self, signum: int, frame: FrameType | None) -> None:
        STOP.set()
        self.is_asked_to_stop = True

    def _tend(self) -> str:
        """Stewards the seats until there is a reason to end; the reason is empty when we were asked to."""
        while not self.is_asked_to_stop:
            if reason := self._trouble():
                return reason
            self.upkeep.look()
            self._nap()
        return ""

    def _trouble(self) -> str:
        if not self.sentinel.is_alive():
            return "The sentinel died."
        if self.is_tainted.is_set():
            return "An idle worker was killed and may have locked the task queue."
        if time.monotonic() - self.beat.value > SILENT_S:
            return f"The sentinel has not looked after its workers for {SILENT_S} s."
        return ""

    def _wait_for_database(self) -> None:
        # Nothing may be connected when the sentinel is forked: a connection can't be shared.
        while not self.is_asked_to_stop and not self.upkeep.look():
            self._nap()
        db.connections.close_all()

    def _nap(self) -> None:
        until = time.monotonic() + LOOK_S
        while not self.is_asked_to_stop and time.monotonic() < until:
            time.sleep(_NAP_S)  # a signal does not cut a sleep short


class Upkeep:
    """What the main process does each second. A database that is away is said once, and asked again."""

    def __init__(self) -> None:
        self._complaint = ""
        self._has_schedules = False

    def look(self) -> bool:
        try:
            if not self._has_schedules:
                ensure_schedules()
                self._has_schedules = True
            seats.steward()
        except db.Error as error:
            self._complain(f"The database does not answer ({str(error).strip().partition(chr(10))[0]}).")
            db.connections.close_all()
            return False
        if self._complaint:
            logger.warning("The database answers again.")
        self._complaint = ""
        return True

    def _complain(self, complaint: str) -> None:
        if complaint != self._complaint:
            logger.error("%s Trying again each second.", complaint)
        self._complaint = complaint


def ensure_schedules() -> None:
    """Has each of `deliveries.tasks.SCHEDULES` once, as written there, whoever else does the same now.

    What is to be run several times in a period is begun that much later each time, and django-q2 keeps the distance.
    """
    functions = [func for _, func, _ in SCHEDULES]
    for place, (name, func, minutes) in enumerate(SCHEDULES):
        wanted = {"func": func, "schedule_type": Schedule.MINUTES, "minutes": minutes, "repeats": -1}
        same_name = Schedule.objects.filter(name=name)
        if not same_name.update(**wanted):
            later = timedelta(minutes=minutes) * functions[:place].count(func) / functions.count(func)
            Schedule.objects.create(name=name, next_run=timezone.now() + later, **wanted)
        # No constraint forbids twins, so whoever comes last removes all but the eldest.
        eldest = same_name.order_by("pk").values_list("pk", flat=True).first()
        same_name.exclude(pk=eldest).delete()
