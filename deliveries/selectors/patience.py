"""Ends a question that takes too long, so that a page can say so. It knows no tables."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError, connection, transaction

LONGEST_S = 2.0
# An index on (column, id) is read in the order of time, which is the order of the table's pages. The planner cannot
# know that: it thinks that each row costs a page, and that to walk the whole table by its key costs less.
_CHEAP_PAGES = "SET LOCAL random_page_cost = 0.1; SET LOCAL seq_page_cost = 0.1"
_STEPS = 20_000  # of SQLite's machine between two looks at the clock


class TooSlow(Exception):
    """The database was stopped; nothing was changed."""


@contextmanager
def patience(longest_s: float = LONGEST_S) -> Iterator[None]:
    """Reads inside take no longer than this each (PostgreSQL) or together (SQLite), or TooSlow is raised."""
    limited = _on_postgresql if connection.vendor == "postgresql" else _on_sqlite
    try:
        with limited(longest_s):
            yield
    except OperationalError as error:
        if not _was_stopped(error):
            raise
        raise TooSlow from error


@contextmanager
def _on_postgresql(longest_s: float) -> Iterator[None]:
    # What is set here ends with the transaction, so a connection that lives on never keeps it.
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL statement_timeout = {int(longest_s * 1000)}; {_CHEAP_PAGES}")
        yield


@contextmanager
def _on_sqlite(longest_s: float) -> Iterator[None]:
    # No transaction: on SQLite every transaction begins as a writer.
    connection.ensure_connection()
    ends = time.monotonic() + longest_s
    connection.connection.set_progress_handler(lambda: time.monotonic() > ends, _STEPS)
    try:
        yield
    finally:
        connection.connection.set_progress_handler(None, 0)


def _was_stopped(error: OperationalError) -> bool:
    text = str(error)
    return "statement timeout" in text or "interrupted" in text
