"""Plays the benches, each on a ground of its own, and prints one table. It measures nothing itself."""

import argparse
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

from bench import machine
from bench.figures import Figure
from bench.ground import DATABASES, ROOT, Unreachable, ground, server_version
from bench.table import draw

USUAL = (
    "deliver",
    "receive",
    "publish",
    "latency",
    "fanout",
    "memory",
    "contain",
    "parked",
    "seeing",
    "scrape",
    "cascade",
    "causality",
    "pages",
)
ONCE = ("simulate", "verify")  # use no database
LONG = ("api", "soak_kill")
NOTHING = "no database"


class NotMeasured(Exception):
    """A bench ended without figures."""


def main() -> None:
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, lambda *_: sys.exit("Stopped."))
    wish = _arguments()
    try:
        servers = [server_version(database) for database in wish.on]
    except Unreachable as reason:
        sys.exit(str(reason))
    load, figures, broken = os.getloadavg()[0], [], []
    for bench, database in _programme(wish):
        try:
            figures += [(database, figure) for figure in _play(bench, database, wish)]
        except NotMeasured:
            broken.append(f"{bench} on {database}")
    print(machine.describe(servers, load=load), draw(figures, markdown=wish.markdown), sep="\n\n")
    if broken:
        sys.exit(f"Not measured, for the reasons above: {', '.join(broken)}.")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "benches",
        nargs="*",
        metavar="bench",
        help=f"{', '.join((*USUAL, *ONCE))} (these by default) or {', '.join(LONG)}",
    )
    parser.add_argument("--quick", action="store_true", help="one short round of each")
    parser.add_argument("--rounds", type=int, help="rounds of each (3, quick 1); the table shows medians")
    parser.add_argument("--on", action="append", choices=DATABASES, help="only on this database")
    parser.add_argument(
        "--seeded",
        metavar="URL",
        help="a database that `manage.py seed` filled, for pages or api to look at again",
    )
    parser.add_argument("--markdown", action="store_true", help="prints the table as Markdown")
    wish = parser.parse_args()
    if wish.seeded and wish.benches not in (["pages"], ["api"]):
        parser.error("--seeded is for pages or api alone: the others empty their database.")
    if unknown := set(wish.benches) - {*USUAL, *ONCE, *LONG}:
        parser.error(f"There is no bench called {', '.join(sorted(unknown))}.")
    if wish.seeded:
        wish.on = ["sqlite" if wish.seeded.startswith("sqlite") else "postgresql"]
    wish.on = wish.on or list(DATABASES)
    wish.rounds = max(1, wish.rounds or (1 if wish.quick else 3))
    return wish


def _programme(wish: argparse.Namespace) -> Iterator[tuple[str, str]]:
    """Which bench is played on which database; those that use none are played once."""
    benches = wish.benches or (*USUAL, *ONCE)
    for database in wish.on:
        yield from ((bench, database) for bench in benches if bench not in ONCE)
    yield from ((bench, NOTHING) for bench in benches if bench in ONCE)


def _play(bench: str, database: str, wish: argparse.Namespace) -> Iterator[Figure]:
    """Its own process, for Django reads its settings once. Raises NotMeasured after that has said why."""
    command = [
        sys.executable,
        "-m",
        "bench.play",
        bench,
        str(wish.rounds),
        *(["quick"] if wish.quick else []),
    ]
    print(f"{bench} on {database}", file=sys.stderr, flush=True)
    with ground("sqlite" if database == NOTHING else database, wish.seeded) as environment:
        # In a session of its own a Ctrl-C reaches it once, through us, and it has time to stop what it started.
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        try:
            lines, _ = process.communicate()
        finally:
            process.terminate()
            process.wait()
    if process.returncode:
        raise NotMeasured
    for line in lines.splitlines():
        facts = json.loads(line)
        yield Figure(**facts | {"values": tuple(facts["values"])})


if __name__ == "__main__":
    main()
