"""Keeps the hub's processes alive, each in its own session, and ends them. It does none of their work."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import FrameType

from django.db import Error, connections

from deliveries.dispatcher import seats

STOP_WITHIN_S = 7.5  # then what is left is killed, so that Ctrl-C is over within ten seconds
HEALTHY_S = 60.0  # one who lived this long is restarted without delay growing on
LONGEST_DELAY_S = 30.0
START_S = 20.0  # a cluster may take this long until its first dispatcher sits
SILENT_S = 20.0  # and after that no longer than this without any
_LOOK_S = 0.1
_PULSE_S = 2.0

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Program:
    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)


def restart_delay_s(deaths: int) -> float:
    """After the nth death in a row."""
    return float(min(LONGEST_DELAY_S, 2 ** (deaths - 1)))


class Child:
    """One program, started again whenever it ends."""

    def __init__(self, program: Program, say: Say) -> None:
        self.program = program
        self.say = say
        self.deaths = 0
        self.started_at = 0.0
        self.due_at: float | None = None
        self.process = self._start()

    def tend(self) -> None:
        now = time.monotonic()
        if self.due_at is not None:
            if now >= self.due_at:
                self.due_at = None
                self.process = self._start()
        elif (code := self.process.poll()) is not None:
            self.bury(f"{_ended(code)}")

    def bury(self, reason: str) -> None:
        """Ends what is left of the session and plans the next start."""
        self.kill()
        lived_s = time.monotonic() - self.started_at
        self.deaths = 1 if lived_s > HEALTHY_S else self.deaths + 1
        delay_s = restart_delay_s(self.deaths)
        self.due_at = time.monotonic() + delay_s
        self.say(f"The {self.program.name} {reason}; starting it again in {delay_s:g} s.")

    def is_running(self) -> bool:
        return self.due_at is None and self.process.poll() is None

    def terminate(self) -> None:
        if self.is_running():
            self.process.terminate()

    def kill(self) -> None:
        """Kills the whole session, also when its first process is gone already and has left others behind."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):  # macOS says the latter of zombies
            return
        finally:
            self.process.wait()

    def _start(self) -> "subprocess.Popen[bytes]":
        self.started_at = time.monotonic()
        tied = [sys.executable, "-m", "hub.lifeline", str(os.getpid()), *self.program.command]
        return subprocess.Popen(
            tied,
            env=os.environ | self.program.environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )


class Pulse(threading.Thread):
    """Looks for a live dispatcher, in a thread of its own since a database may take its time to answer."""

    def __init__(self) -> None:
        super().__init__(name="weir-pulse", daemon=True)
        self.felt_at = time.monotonic()

    def run(self) -> None:
        while True:
            if _is_dispatching():
                self.felt_at = time.monotonic()
            time.sleep(_PULSE_S)

    def is_lost(self, *, since: float) -> bool:
        """Whether a cluster started at `since` has been without a dispatcher for too long."""
        return time.monotonic() - max(self.felt_at, since + START_S) > SILENT_S


class Supervisor:
    """Starts programs, watches them and the pulse, and stops them on a signal."""

    def __init__(self, say: Say) -> None:
        self.say = say
        self.children: list[Child] = []
        self.cluster: Child | None = None
        self.signals = 0

    def listen(self) -> None:
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(signum, self._note)

    def start(self, program: Program) -> Child:
        child = Child(program, self.say)
        self.children.append(child)
        return child

    def start_cluster(self, program: Program) -> None:
        self.cluster = self.start(program)
        self.pulse = Pulse()
        self.pulse.start()

    def tend_until(self, is_done: Callable[[], bool]) -> bool:
        """Keeps the children alive until `is_done`; False when a signal came first."""
        while not self.signals:
            if is_done():
                return True
            self._tend()
            time.sleep(_LOOK_S)
        return False

    def stop(self) -> None:
        """Asks every child to end, and kills what has not ended in time or at the second signal."""
        asked = self.signals
        for child in self.children:
            child.terminate()
        until = time.monotonic() + STOP_WITHIN_S
        while any(child.is_running() for child in self.children):
            if time.monotonic() > until or self.signals > asked:
                break
            time.sleep(_LOOK_S)
        for child in self.children:
            child.kill()

    def _tend(self) -> None:
        for child in self.children:
            child.tend()
        cluster = self.cluster
        if cluster and cluster.is_running() and self.pulse.is_lost(since=cluster.started_at):
            cluster.bury(f"shows no dispatcher for {SILENT_S:g} s")

    def _note(self, signum: int, frame: FrameType | None) -> None:
        self.signals += 1


def _is_dispatching() -> bool:
    try:
        return seats.alive()
    except Error:
        connections.close_all()
        return True  # with the database away nobody can be seen, which is no dispatcher's fault


def _ended(code: int) -> str:
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
