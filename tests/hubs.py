"""Runs a whole hub beside a test, `manage.py up` in a folder of its own, and finds its processes in /proc."""

import contextlib
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

PATIENCE_S = 30.0
STARTING_S = 90.0  # all migrations, and beside other work
PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Process:
    pid: int
    parent: int
    command: str


@dataclass(slots=True)
class Hub:
    process: "subprocess.Popen[bytes]"
    address: str
    log: Path

    def answers(self, path: str) -> bool:
        try:
            with urlopen(f"{self.address}{path}", timeout=2):
                return True
        except (URLError, OSError):
            return False

    def said(self, sentence: str) -> bool:
        return sentence in self.log.read_text()

    def processes(self) -> list[Process]:
        """All that bear this hub's mark, whoever their parent is by now."""
        return list(_marked(f"HUB_VAR={self.log.parent}"))

    def dispatchers(self) -> set[int]:
        with closing(sqlite3.connect(self.log.parent / "weir.sqlite3")) as database:
            return {pid for (pid,) in database.execute("SELECT pid FROM deliveries_seat")}

    def find(self, text: str) -> list[Process]:
        return [each for each in self.processes() if text in each.command]

    def first_of(self, text: str) -> Process:
        """The topmost of the processes whose command has the text."""
        found = self.find(text)
        return next(each for each in found if each.parent not in {other.pid for other in found})

    def children_of(self, pid: int) -> list[Process]:
        return [each for each in self.processes() if each.parent == pid]

    def sentinel(self) -> Process:
        (sentinel,) = self.children_of(self.first_of("manage.py cluster").pid)
        return sentinel

    def until(self, condition: Callable[[], object], *, within_s: float = PATIENCE_S) -> None:
        """Waits for what processes do; fails with the log of what they said."""
        deadline = time.monotonic() + within_s
        while not condition():
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)


def environment_of(folder: Path) -> dict[str, str]:
    """Nothing of ours but the path: a hub must start from what its own settings say."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return kept | {"DJANGO_SETTINGS_MODULE": "hub.settings", "HUB_VAR": str(folder), "HUB_WEB_THREADS": "2"}


@contextmanager
def running_hub(folder: Path, port: int, environment: Mapping[str, str]) -> Iterator[Hub]:
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "up", "--port", str(port)],
            env=environment,
            stdout=log,
            stderr=log,
            process_group=0,
        )
    hub = Hub(process=process, address=f"http://127.0.0.1:{port}", log=folder / "log")
    try:
        hub.until(lambda: hub.said("Weir is up at") or process.poll() is not None, within_s=STARTING_S)
        assert process.poll() is None, hub.log.read_text()
        yield hub
    finally:
        for each in hub.processes():
            with contextlib.suppress(ProcessLookupError):  # those whose parent went first
                os.kill(each.pid, signal.SIGKILL)
        process.wait()


def _marked(mark: str) -> Iterator[Process]:
    for folder in PROC.glob("[0-9]*"):
        try:
            if mark in (folder / "environ").read_text(errors="replace").split("\0"):
                parent = re.search(r"^PPid:\t(\d+)", (folder / "status").read_text(), re.MULTILINE)
                command = (folder / "cmdline").read_text().replace("\0", " ")
                yield Process(int(folder.name), int(parent[1]) if parent else 0, command)
        except OSError:  # it ended while we looked
            continue
