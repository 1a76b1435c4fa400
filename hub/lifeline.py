"""Ties a process to its parent's life. It decides nothing about what the process does.

`python -m hub.lifeline <parent pid> <command> …` runs a command that ends when that parent does.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1
_ON_LINUX = sys.platform == "linux"
_libc = ctypes.CDLL(None) if _ON_LINUX else None
_forking_pid = os.getpid()


def tie_to_parent(parent_pid: int, parting: signal.Signals) -> None:
    """Has the kernel send this process a signal when its parent ends; where it can't, this does nothing."""
    if _libc:
        _libc.prctl(_PR_SET_PDEATHSIG, int(parting))
    if os.getppid() != parent_pid:  # it ended before we could ask
        os.kill(os.getpid(), parting)


def tie_future_forks() -> None:
    """From now on each fork of this process, and each fork of a fork, is killed when its own parent ends."""
    os.register_at_fork(before=_note_forking_pid, after_in_child=_tie_fork)


def _note_forking_pid() -> None:
    global _forking_pid
    _forking_pid = os.getpid()


def _tie_fork() -> None:
    tie_to_parent(_forking_pid, signal.SIGKILL)


def _run_beside(parent_pid: int, command: Sequence[str]) -> int:
    child = subprocess.Popen(command)
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    while child.poll() is None:
        if os.getppid() != parent_pid:
            child.terminate()
        time.sleep(0.5)
    return child.returncode


def main() -> None:
    parent_pid, command = int(sys.argv[1]), sys.argv[2:]
    tie_to_parent(parent_pid, signal.SIGTERM)
    if _ON_LINUX:
        os.execvp(command[0], command)  # noqa: S606 - the tie survives it
    sys.exit(_run_beside(parent_pid, command))


if __name__ == "__main__":
    main()
