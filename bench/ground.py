"""Lends a bench its ground: a database and a folder of its own, gone afterwards. It never touches the hub's."""

import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit, urlunsplit

import psycopg2

ROOT = Path(__file__).resolve().parent.parent
DATABASES = ("postgresql", "sqlite")
DEFAULT_SERVER = "postgres://postgres:postgres@127.0.0.1:5432/postgres"


class Unreachable(Exception):
    """The database cannot be used; the message is one sentence without its password."""


@contextmanager
def ground(database: str, seeded: str | None = None) -> Iterator[dict[str, str]]:
    """The environment in which everything a bench starts finds its database and its folder.

    `seeded` is the address of a database to use instead of a new one; it stays, and is read with the hub's own keys.
    """
    with TemporaryDirectory(prefix="weir-bench-") as folder:
        if seeded:
            yield _environment(seeded) | _keys()
        elif database == "sqlite":
            yield _environment(f"sqlite:///{folder}/weir.sqlite3") | {"HUB_VAR": folder}
        else:
            with _postgresql() as address:
                yield _environment(address) | {"HUB_VAR": folder}


def server_version(database: str) -> str:
    if database == "sqlite":
        return f"SQLite {sqlite3.sqlite_version}"
    with closing(_connect()) as server, server.cursor() as cursor:
        cursor.execute("SHOW server_version")
        return f"PostgreSQL {cursor.fetchone()[0].split()[0]}"


def _environment(address: str) -> dict[str, str]:
    # What the shell sets for another hub must not change what is measured.
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HUB_", "PROMETHEUS_"))}
    return kept | {
        "DATABASE_URL": address,
        "HUB_EGRESS_ALLOW": "127.0.0.0/8",
        "DJANGO_SETTINGS_MODULE": "hub.settings",
    }


def _keys() -> dict[str, str]:
    """Where the hub that filled a database has its keys: without them, what it sealed there cannot be read."""
    return {name: os.environ[name] for name in ("HUB_VAR", "HUB_ENCRYPTION_KEYS") if name in os.environ}


@contextmanager
def _postgresql() -> Iterator[str]:
    name = f"weir_bench_{secrets.token_hex(4)}"
    _command(f"CREATE DATABASE {name}")
    try:
        yield urlunsplit(urlsplit(_server())._replace(path=f"/{name}"))
    finally:
        _command(f"DROP DATABASE {name} WITH (FORCE)")


def _server() -> str:
    return os.environ.get("TEST_DATABASE_URL") or DEFAULT_SERVER


def _command(sql: str) -> None:
    with closing(_connect()) as server:
        server.autocommit = True
        server.cursor().execute(sql)


def _connect() -> "psycopg2.extensions.connection":
    try:
        return psycopg2.connect(_server(), connect_timeout=5)
    except psycopg2.OperationalError:
        address = urlsplit(_server())
        raise Unreachable(
            f"PostgreSQL cannot be reached at {address.hostname}:{address.port or 5432}; "
            "name a server by TEST_DATABASE_URL, or leave it out with --on sqlite."
        ) from None
