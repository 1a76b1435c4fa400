"""Plays one bench on the database that the environment names; its figures go to standard output, a line each.

Run by __main__.py as `python -m bench.play <bench> <rounds> [quick]`: Django's settings are read once per process, so
every bench and database has a process of its own.
"""

import json
import signal
import sys
from dataclasses import asdict

import django

django.setup()

from django.core.management import call_command  # noqa: E402

from bench import (  # noqa: E402
    api,
    cascade,
    causality,
    contain,
    deliver,
    fanout,
    latency,
    memory,
    pages,
    parked,
    publish,
    receive,
    scrape,
    seeing,
    simulate,
    soak_kill,
    verify,
)
from bench.extent import Extent  # noqa: E402
from bench.stage import BenchFailed  # noqa: E402

BENCHES = {
    "api": api.run,
    "deliver": deliver.run,
    "receive": receive.run,
    "latency": latency.run,
    "fanout": fanout.run,
    "memory": memory.run,
    "contain": contain.run,
    "cascade": cascade.run,
    "causality": causality.run,
    "pages": pages.run,
    "parked": parked.run,
    "scrape": scrape.run,
    "seeing": seeing.run,
    "publish": publish.run,
    "simulate": simulate.run,
    "soak_kill": soak_kill.run,
    "verify": verify.run,
}


def main(bench: str, rounds: str, *words: str) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Stopped."))
    call_command("migrate", verbosity=0)
    try:
        for figure in BENCHES[bench](Extent(rounds=int(rounds), is_quick="quick" in words)):
            print(json.dumps(asdict(figure)), flush=True)
    except BenchFailed as failure:
        sys.exit(f"{bench}: {failure}")


if __name__ == "__main__":
    main(*sys.argv[1:])
