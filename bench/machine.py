"""Describes the machine a table was made on, in a few lines that say nothing private."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("Django", "django-q2", "psycopg2-binary", "aiohttp", "granian")


def describe(servers: list[str], *, load: float) -> str:
    """`servers` names the databases with their versions; `load` is how busy the machine was with other things."""
    software = [f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in PACKAGES)]
    return "\n".join(
        (
            f"Machine: {_cores()} cores ({_processor()}), {_memory()} of memory, {platform.platform(terse=True)}",
            f"Load of the machine before the first bench: {load:.1f}",
            f"Software: {', '.join(software)}",
            f"Databases: {', '.join(servers)}",
        )
    )


def _cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _memory() -> str:
    return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"


def _processor() -> str:
    facts = Path("/proc/cpuinfo")
    if facts.exists():
        for line in facts.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
