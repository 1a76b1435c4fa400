"""Reads what Linux tells of a process and its descendants: who they are and how much memory they took at most."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from deliveries.models import Seat

PROC = Path("/proc")


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """`part` is what the process does in the hub; `peak_mb` is its VmHWM."""

    pid: int
    parent: int
    part: str
    peak_mb: float


def family(root: int) -> list[Seen]:
    """The process and all that descend from it, parents first."""
    parents = dict(_parents())
    dispatchers = set(Seat.objects.exclude(pid=None).values_list("pid", flat=True))
    found = [root]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return [seen for pid in found if (seen := _see(pid, parents.get(pid, 0), dispatchers))]


def _parents() -> Iterator[tuple[int, int]]:
    for folder in PROC.iterdir():
        if folder.name.isdigit() and (stat := _read(folder / "stat")):
            # The name in brackets may hold anything; what follows it is numbers.
            yield int(folder.name), int(stat.rpartition(")")[2].split()[1])


def _see(pid: int, parent: int, dispatchers: set[int | None]) -> Seen | None:
    facts = dict(line.split(":", 1) for line in _read(PROC / str(pid) / "status").splitlines() if ":" in line)
    if "VmHWM" not in facts:
        return None
    command = _read(PROC / str(pid) / "cmdline").replace("\0", " ")
    peak_mb = int(facts["VmHWM"].split()[0]) / 1024
    return Seen(pid=pid, parent=parent, part=_part(pid, command, dispatchers), peak_mb=peak_mb)


def _part(pid: int, command: str, dispatchers: set[int | None]) -> str:
    if pid in dispatchers:
        return "dispatcher"
    known = {"granian": "web server", " cluster": "cluster", " up": "supervisor"}
    return next((part for word, part in known.items() if word in command), "other")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:  # it ended meanwhile
        return ""
