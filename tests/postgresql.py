"""Finds a PostgreSQL server for a run of tests, or starts one that goes away with it. It runs no test."""

import getpass
import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2

START_S = 30.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Server:
    """`url` is empty when there is none; `origin` says where it comes from, or why there is none."""

    url: str
    origin: str


class Unreachable(Exception):
    """The server that TEST_DATABASE_URL names does not answer."""


@contextmanager
def found() -> Iterator[Server]:
    if url := os.environ.get("TEST_DATABASE_URL"):
        if not _may_create_databases(url):
            raise Unreachable("TEST_DATABASE_URL names no PostgreSQL where a database may be created.")
        yield Server(url=url, origin="from TEST_DATABASE_URL")
    elif url := next(filter(_may_create_databases, _on_localhost()), ""):
        yield Server(url=url, origin="on localhost")
    elif folder := _binaries():
        with _started(folder) as url:
            yield Server(url=url, origin="started for this run")
    else:
        yield Server(url="", origin="no server answers on localhost and no server binaries were found")


def _on_localhost() -> list[str]:
    me = getpass.getuser()
    return [f"postgres://{who}@localhost:5432/postgres" for who in ("postgres:postgres", "postgres", me)]


def _may_create_databases(url: str) -> bool:
    with suppress(psycopg2.Error):
        connection = psycopg2.connect(url, connect_timeout=3)
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT rolsuper OR rolcreatedb FROM pg_roles WHERE rolname = current_user")
                return bool(cursor.fetchone()[0])
        finally:
            connection.close()
    return False


def _binaries() -> Path | None:
    """Where both `initdb` and `postgres` lie; the newest of Debian's."""
    debian = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(Path(path).parts[-2]))
    path = os.environ.get("PATH", "").split(os.pathsep)
    for folder in map(Path, [*path, *reversed(debian)]):
        if all(os.access(folder / name, os.X_OK) for name in ("initdb", "postgres")):
            return folder
    return None


@contextmanager
def _started(binaries: Path) -> Iterator[str]:
    folder = tempfile.mkdtemp(prefix="weir-pg-")
    who = _not_root()
    if who:
        shutil.chown(folder, who["user"], who["group"])
    data = f"{folder}/data"
    try:
        made = [f"{binaries}/initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"]
        subprocess.run(made, check=True, stdout=subprocess.DEVNULL, cwd=folder, **who)
        port = _free_port()
        served = [f"{binaries}/postgres", "-D", data, "-p", str(port), "-k", folder, "-F", "-h", "127.0.0.1"]
        with open(f"{folder}/log", "wb") as log:
            server: subprocess.Popen[bytes] = subprocess.Popen(
                served, stdout=log, stderr=log, cwd=folder, **who
            )
        try:
            yield _wait_for(f"postgres://postgres@127.0.0.1:{port}/postgres", server)
        finally:
            server.send_signal(signal.SIGINT)  # PostgreSQL's fast shutdown
            server.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _not_root() -> dict[str, Any]:
    """PostgreSQL refuses to be run by root."""
    if os.geteuid() != 0:
        return {}
    known = {each.pw_name: each for each in pwd.getpwall()}
    account = known.get("postgres") or known["nobody"]
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(url: str, server: "subprocess.Popen[bytes]") -> str:
    until = time.monotonic() + START_S
    while server.poll() is None and time.monotonic() < until:
        if _may_create_databases(url):
            return url
        time.sleep(0.1)
    raise Unreachable("The PostgreSQL that was started for this run does not answer.")
