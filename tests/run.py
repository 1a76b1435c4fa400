"""Runs every test on SQLite and, where one can be had, on PostgreSQL, and says last what it did not run."""

import os
import subprocess
import sys
from collections.abc import Sequence

import pytest

from tests import postgresql
from tests.chromium import CHROMIUM
from tests.prometheus import PROMETHEUS, PROMTOOL

# Most of a test's time goes by waiting, so that a worker for each core halves it; a few tests start no sooner so.
EVERYTHING = ("--numprocesses=auto", "--dist=worksteal")
NO_TESTS = int(pytest.ExitCode.NO_TESTS_COLLECTED)


def main(arguments: Sequence[str]) -> int:
    is_required = os.environ.get("CI", "").lower() in {"true", "1"}
    with postgresql.found() as server:
        codes = [_run("SQLite", "", arguments)]
        if server.url:
            codes.append(_run(f"PostgreSQL ({server.origin})", server.url, arguments))
    if server.url:
        print("Not run: nothing; both SQLite and PostgreSQL were there.")
    else:
        demand = ", and CI requires them" if is_required else ""
        print(f"Not run: the tests on PostgreSQL, since {server.origin}{demand}.")
    if not CHROMIUM:
        print("Not run: the browser tests, since no Chromium was found.")
    if not (PROMETHEUS and PROMTOOL):
        print("Not run: the tests of rules and dashboards, since no Prometheus was found.")
    return _worst(codes) or int(is_required and not server.url)


def _run(name: str, url: str, arguments: Sequence[str]) -> int:
    print(f"\n=== {name} ===", flush=True)
    environment = os.environ | {"TEST_DATABASE_URL": url}
    command = [sys.executable, "-m", "pytest", *(arguments or EVERYTHING)]
    return subprocess.run(command, env=environment).returncode


def _worst(codes: Sequence[int]) -> int:
    # A choice of tests may well have none for one database, but not for both.
    if all(code == NO_TESTS for code in codes):
        return NO_TESTS
    return next((code for code in codes if code not in {0, NO_TESTS}), 0)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except postgresql.Unreachable as error:
        sys.exit(str(error))
