"""Hears that there is something to look for: LISTEN on PostgreSQL, the file's version on SQLite.

It never says what there is; whoever hears looks into the tables. What is not heard is found by looking anyway.
"""

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.db import Error, connection

from webhooks import wake
from webhooks.wake import EVENTS, LANES, WORK

POLL_S = 0.02  # between two looks at SQLite's version: half of it is the price of an idle wake-up
RECONNECT_S = 1.0

Hear = Callable[[str, frozenset[UUID]], None]
NONE: frozenset[UUID] = frozenset()


async def listen(hear: Hear) -> None:
    """Calls `hear(channel, lanes)` for every ring until cancelled. A lost connection is made again, for ever.

    WORK names lanes, the others none; that of this very process, which says what others serve, is not heard.
    """
    watch = _postgresql if connection.vendor == "postgresql" else _sqlite
    while True:
        try:
            await watch(hear)
        except (Error, sqlite3.Error):
            await asyncio.sleep(RECONNECT_S)


async def _postgresql(hear: Hear) -> None:
    loop = asyncio.get_running_loop()
    line = await asyncio.to_thread(_open_postgresql)
    lost: asyncio.Future[None] = loop.create_future()
    descriptor = line.fileno()  # kept: a line that was cut cannot say it any more
    loop.add_reader(descriptor, _drain, line, hear, lost)
    try:
        hear(EVENTS, NONE)  # whatever rang while nobody listened
        hear(LANES, NONE)
        await lost
    finally:
        loop.remove_reader(descriptor)
        with contextlib.suppress(Exception):
            line.close()


def _open_postgresql() -> Any:
    with connection.wrap_database_errors:
        line = connection.get_new_connection(connection.get_connection_params())
        line.autocommit = True
        with line.cursor() as cursor:
            cursor.execute(f"LISTEN {EVENTS}; LISTEN {LANES}; LISTEN {WORK}")
    return line


def _drain(line: Any, hear: Hear, lost: "asyncio.Future[None]") -> None:
    try:
        line.poll()
    except Exception:  # noqa: BLE001 (whatever it is, the line is dead: a new one is opened)
        if not lost.done():
            lost.set_result(None)
        return
    while line.notifies:
        rung = line.notifies.pop(0)
        if rung.channel != WORK or not wake.is_own(rung.pid):
            hear(rung.channel, wake.lanes_in(rung.payload))


async def _sqlite(hear: Hear) -> None:
    line = sqlite3.connect(connection.settings_dict["NAME"])
    try:
        seen = None
        while True:
            version = line.execute("PRAGMA data_version").fetchone()[0]
            if version != seen:
                seen = version
                hear(EVENTS, NONE)
                hear(LANES, NONE)
            await asyncio.sleep(POLL_S)
    finally:
        line.close()
