"""Tells dispatchers that it is time to stop. It never waits and never ends a process."""

import mmap
import os


class SharedFlag:
    """A flag that a process shares with those it forks later.

    Unlike multiprocessing's Event it has no lock that a killed process could take into its grave.
    """

    def __init__(self) -> None:
        self._byte = mmap.mmap(-1, 1)

    def set(self) -> None:
        self._byte[0] = 1

    def is_set(self) -> bool:
        return self._byte[0] == 1


STOP = SharedFlag()  # exists before the cluster forks, so that a running task sees what it would never hear


def should_stop(parent_pid: int) -> bool:
    """Whether the cluster is stopping, or the process that started this one is gone."""
    return STOP.is_set() or os.getppid() != parent_pid
