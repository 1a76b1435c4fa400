"""Starts and stops what a bench watches: the sink and the hub's real processes. It never measures."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from bench.ground import ROOT

STARTING_S = 60.0
STOPPING_S = 15.0
LISTEN_S = 1.0
STUCK_S = 45.0  # nothing that works makes a pause of this length
LOOK_S = 0.01

Process = subprocess.Popen[bytes]


class BenchFailed(Exception):
    """What was measured did not do its work, so there is nothing to report. The message says what was seen."""


class Sink:
    """The one subscriber, in a process of its own; see sink.py for what it obeys."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdin and process.stdout
        self._orders, self._answers = process.stdin, process.stdout
        self.port = int(self._answers.readline())

    def url(self, path: str = "") -> str:
        return f"http://127.0.0.1:{self.port}/{path}"

    def reset(self) -> None:
        self._tell("reset")

    def fail(self) -> None:
        """From now on /moody is answered by 503."""
        self._tell("fail")

    def heal(self) -> None:
        self._tell("heal")

    def wait(self, count: int, *, of: Process) -> None:
        """Until `count` requests came. Raises BenchFailed when no more of them come, or their sender is gone."""
        came, stuck_s = 0, 0.0
        while came < count:
            before, came = came, int(self._tell(f"wait {count} {LISTEN_S}"))
            stuck_s = stuck_s + LISTEN_S if came == before else 0.0
            if of.poll() is not None:
                raise BenchFailed(
                    f"The sender ended with {of.returncode} after {came:,} of {count:,} requests."
                )
            if stuck_s >= STUCK_S:
                raise BenchFailed(f"After {came:,} of {count:,} requests no more came for {STUCK_S:g} s.")

    def arrivals(self) -> list[tuple[float, str]]:
        """The monotonic time of each request's first byte, and its webhook-id, as they came."""
        return [(at, name) for at, name in json.loads(self._tell("report"))]

    def peak(self) -> int:
        """How many connections were open at once, at most."""
        return int(self._tell("peak"))

    def _tell(self, order: str) -> str:
        self._orders.write(order + "\n")
        self._orders.flush()
        return self._answers.readline()


@contextmanager
def sink(*, delay_ms: float = 0) -> Iterator[Sink]:
    command = [sys.executable, "-m", "bench.sink", str(delay_ms)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            yield Sink(process)
        finally:
            process.kill()


@contextmanager
def running(command: Sequence[str], **environment: str) -> Iterator[Process]:
    """A Python process in a session of its own; whatever of that session outlives its stop is killed.

    When the block fails, the last lines that the process wrote are added to the reason.
    """
    log = Path(os.environ["HUB_VAR"]) / "bench.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env=os.environ | environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield process
        except BenchFailed as failure:
            last = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-20:])
            raise BenchFailed(f"{failure}\nLast lines of {' '.join(command)}:\n{last}") from None
        finally:
            _stop(process)


def cluster(*, seats: int = 1) -> AbstractContextManager[Process]:
    """So many of the hub's dispatchers as in production: django-q2 and its tasks."""
    return running(["manage.py", "cluster"], HUB_SEATS=str(seats))


@contextmanager
def hub() -> Iterator[tuple[int, Process]]:
    """The whole hub as `make run` starts it; yields its port and its supervisor once it is ready."""
    port = free_port()
    with running(["manage.py", "up", "--port", str(port)], HUB_PORT=str(port)) as process:
        until(lambda: answers(port, "/readyz"), "the hub is ready", seconds=STARTING_S, process=process)
        yield port, process


def answers(port: int, path: str) -> bool:
    with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2) as answer:  # noqa: S310
        return bool(answer.status == 200)
    return False


def is_listening(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def until(
    is_so: Callable[[], bool],
    what: str,
    *,
    seconds: float,
    process: Process | None = None,
    every_s: float = LOOK_S,
) -> float:
    """Waits until it is so and says when that was (monotonic). Raises BenchFailed when it never comes."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if is_so():
            return time.monotonic()
        if process is not None and process.poll() is not None:
            raise BenchFailed(f"The process ended with {process.returncode} before {what}.")
        time.sleep(every_s)
    raise BenchFailed(f"After {seconds:g} s it is not so that {what}.")


class Question:
    """One of our own programs at work on a JSON order; its answer is JSON too."""

    def __init__(self, process: Process, output: IO[bytes], module: str) -> None:
        self._process, self._output, self._module = process, output, module

    def is_answered(self) -> bool:
        return self._process.poll() is not None

    def answer(self) -> Any:
        if self._process.wait():
            raise BenchFailed(f"{self._module} failed.")
        self._output.seek(0)
        return json.load(self._output)


@contextmanager
def asking(module: str, order: Mapping[str, Any]) -> Iterator[Question]:
    # Into files, since an answer may be larger than a pipe and we have other things to do than to empty it.
    with TemporaryFile() as given, TemporaryFile() as output:
        given.write(json.dumps(order).encode())
        given.seek(0)
        with subprocess.Popen(
            [sys.executable, "-m", module], cwd=ROOT, stdin=given, stdout=output
        ) as process:
            try:
                yield Question(process, output, module)
            finally:
                process.kill()


def ask(module: str, order: Mapping[str, Any]) -> Any:
    with asking(module, order) as question:
        return question.answer()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _stop(process: Process) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOPPING_S)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
