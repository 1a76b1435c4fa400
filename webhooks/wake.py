"""Tells dispatchers that there is something to look for. It never blocks or fails its caller.

A ring may be lost; the row it speaks of may not, since dispatchers also find every row by looking. In a
transaction, ring by `transaction.on_commit`, or a dispatcher looks before there is anything to see.
"""

import os
import threading
import time
from collections.abc import Collection, Iterable
from contextlib import suppress
from queue import SimpleQueue
from uuid import UUID

from django.db import Error, connection

EVENTS = "weir_events"  # events wait for a router
LANES = "weir_lanes"  # a lane has work it may sleep over
WORK = "weir_work"  # lanes that another dispatcher serves were given some; the ring names them
MOST_NAMED = 200  # lanes in one ring; for more, LANES rings: PostgreSQL takes 8,000 bytes
_COALESCE_S = 0.005  # rings this close together become one NOTIFY; dispatchers gain nothing from more

# A NOTIFY writes a commit record; waiting for the disk to have it would only delay the next ring.
_UNFLUSHED = "SET synchronous_commit TO off"

_Ring = tuple[str, Collection[UUID]]
_Rings = SimpleQueue[_Ring | None]
_lock = threading.Lock()
_rings: _Rings = SimpleQueue()
_bell: threading.Thread | None = None
_session: int | None = None  # the bell's, as PostgreSQL calls it


def ring(channel: str, lanes: Collection[UUID] = ()) -> None:
    """Rings one of the three; WORK for these lanes. On SQLite this does nothing: dispatchers there watch the file."""
    if connection.vendor == "postgresql":
        # A machine that is out of threads loses the ring, not the caller's work.
        with suppress(RuntimeError):
            _open_line().put((channel, lanes))


def is_own(session: int) -> bool:
    """Whether this process rang."""
    return session == _session


def lanes_in(payload: str) -> frozenset[UUID]:
    """Those that a ring names."""
    return frozenset(UUID(each) for each in payload.split(",") if each)


def hang_up() -> None:
    """Ends this process's bell and its connection; the next ring starts another. For tests."""
    global _rings, _bell
    with _lock:
        bell, rings = _bell, _rings
        _bell, _rings = None, SimpleQueue()
    if bell:
        rings.put(None)
        bell.join()


def _open_line() -> _Rings:
    global _rings, _bell
    if _bell is None or not _bell.is_alive():
        with _lock:
            if _bell is None or not _bell.is_alive():
                bell = threading.Thread(target=_pass_on, args=[_rings], name="weir-bell", daemon=True)
                bell.start()
                _bell = bell
    return _rings


def _pass_on(rings: _Rings) -> None:
    # The first ring goes out at once and only its followers wait, so an idle hub adds no delay.
    is_over = False
    while not is_over:
        rung = [rings.get()]
        while not rings.empty():
            rung.append(rings.get())
        is_over = None in rung
        if named := _together(each for each in rung if each):
            _notify(named)
        time.sleep(_COALESCE_S)
    connection.close()


def _together(rung: Iterable[_Ring]) -> dict[str, set[UUID]]:
    named: dict[str, set[UUID]] = {}
    for channel, lanes in rung:
        named.setdefault(channel, set()).update(lanes)
    if len(named.get(WORK, ())) > MOST_NAMED:
        del named[WORK]
        named[LANES] = set()
    return named


def _notify(named: dict[str, set[UUID]]) -> None:
    # A NOTIFY inside a data transaction would serialise commits; this thread's connection has no other use.
    # The second try is for a connection that died while idle; a database that is down loses the ring.
    global _session
    told = [
        f"NOTIFY {channel}, '{','.join(lane.hex for lane in lanes)}'" if lanes else f"NOTIFY {channel}"
        for channel, lanes in named.items()
    ]
    for _ in range(2):
        try:
            with connection.cursor() as cursor:
                _session = connection.connection.info.backend_pid
                cursor.execute("; ".join([_UNFLUSHED, *told]))
            return
        except Error:
            connection.close()


def _forget_after_fork() -> None:
    # Threads do not survive a fork, and the lock may have been held by one of them.
    global _rings, _bell, _lock, _session
    _rings, _bell, _lock, _session = SimpleQueue(), None, threading.Lock(), None


os.register_at_fork(after_in_child=_forget_after_fork)
