"""Runs every test on SQLite and, where one can be had, on PostgreSQL, and says last what it did not run.

Both at once: a machine has two cores at least, and what PostgreSQL's run says is told after SQLite's.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from tempfile import TemporaryFile

import pytest

from tests import postgresql
from tests.chromium import CHROMIUM

NO_TESTS = int(pytest.ExitCode.NO_TESTS_COLLECTED)


def main(arguments: Sequence[str]) -> int:
    is_required = os.environ.get("CI", "").lower() in {"true", "1"}
    with postgresql.found() as server, _beside(server, arguments) as told:
        codes = [_run("SQLite", "", arguments)]
        codes += told()
    if server.url:
        print("Not run: nothing; both SQLite and PostgreSQL were there.")
    else:
        demand = ", and CI requires them" if is_required else ""
        print(f"Not run: the tests on PostgreSQL, since {server.origin}{demand}.")
    if not CHROMIUM:
        print("Not run: the browser tests, since no Chromium was found.")
    return _worst(codes) or int(is_required and not server.url)


@contextmanager
def _beside(server: postgresql.Server, arguments: Sequence[str]) -> Iterator[Callable[[], list[int]]]:
    """Lends what waits for PostgreSQL's run, says what it said and returns its exit code, if there is one."""
    if not server.url:
        yield list
        return
    with TemporaryFile() as said:
        run = subprocess.Popen(_command(arguments), env=_environment(server.url), stdout=said, stderr=said)

        def told() -> list[int]:
            code = run.wait()
            print(f"\n=== PostgreSQL ({server.origin}) ===", flush=True)
            said.seek(0)
            shutil.copyfileobj(said, sys.stdout.buffer)
            sys.stdout.flush()
            return [code]

        try:
            yield told
        finally:
            run.terminate()
            run.wait()


def _run(name: str, url: str, arguments: Sequence[str]) -> int:
    print(f"\n=== {name} ===", flush=True)
    return subprocess.run(_command(arguments), env=_environment(url)).returncode


def _command(arguments: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "pytest", *arguments]


def _environment(url: str) -> dict[str, str]:
    return os.environ | {"TEST_DATABASE_URL": url}


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
