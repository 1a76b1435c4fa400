"""Opens a service's own small database for one transaction. What is written in it is the service's affair."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path


@contextmanager
def transaction(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path)) as database, database:
        yield database


def prepare(path: Path, table: str) -> None:
    with transaction(path) as database:
        database.execute(f"CREATE TABLE IF NOT EXISTS {table}")
