"""Adds up what became of requests and of what was published, and which secrets matched: in memory first, then every
few seconds in the tables.

A receipt writes nothing for it. Each web process adds to what is there, so any number of them may; what one of them
had not added yet when it was killed is not counted. No decision is ever taken on these numbers.
"""

import atexit
import logging
import os
import threading
from datetime import UTC, datetime
from typing import NamedTuple, TypeVar
from uuid import UUID

from django.conf import settings
from django.db import Error, connection, transaction
from django.db.models import F, Q

from webhooks.models import NO_SOURCE, ReceiptRollup, ReceiptTotal, SourceSecret

logger = logging.getLogger(__name__)

SLICE_S = 3_600
Key = TypeVar("Key")


class Slice(NamedTuple):
    source_id: UUID
    starts_at: datetime
    verdict: str
    reason: str = ""


class Count(NamedTuple):
    number: int
    last_at: datetime

    def plus(self, other: "Count") -> "Count":
        return Count(self.number + other.number, max(self.last_at, other.last_at))


class _Waiting:
    """What was counted and not added yet. Its size is bounded by sources, verdicts and reasons, not by requests."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.receipts: dict[Slice, Count] = {}
        self.matches: dict[UUID, Count] = {}
        self.adder: threading.Thread | None = None
        self.is_over = threading.Event()


_waiting = _Waiting()


def note(
    *,
    source_id: UUID | None,
    verdict: str,
    at: datetime,
    reason: str = "",
    secret_id: UUID | None = None,
    number: int = 1,
) -> None:
    """Counts one request, or so many events that were published. It costs a receipt about a microsecond."""
    once = Count(number, at)
    starts_at = datetime.fromtimestamp(at.timestamp() // SLICE_S * SLICE_S, UTC)
    key = Slice(source_id or NO_SOURCE, starts_at, verdict, reason)
    with _waiting.lock:
        _add(_waiting.receipts, key, once)
        if secret_id:
            _add(_waiting.matches, secret_id, once)
    if _waiting.adder is None:
        _start()


def flush() -> None:
    """Adds what waits to the tables. When the database is away it waits on, and so is not lost."""
    with _waiting.lock:
        receipts, _waiting.receipts = _waiting.receipts, {}
        matches, _waiting.matches = _waiting.matches, {}
    if not receipts and not matches:
        return
    try:
        with transaction.atomic():
            # In one order, or two processes would wait for each other.
            for key in sorted(receipts):
                _add_receipts(key, receipts[key])
            for total, count in sorted(_totals(receipts).items()):
                _add_total(total, count)
            for secret_id in sorted(matches):
                _add_matches(secret_id, matches[secret_id])
    except Error:
        with _waiting.lock:
            for key, count in receipts.items():
                _add(_waiting.receipts, key, count)
            for secret_id, count in matches.items():
                _add(_waiting.matches, secret_id, count)
        raise


def stop() -> None:
    """Ends this process's adding, and forgets what waits. For tests."""
    global _waiting
    before, _waiting = _waiting, _Waiting()
    before.is_over.set()
    if before.adder:
        before.adder.join()


def _add(counts: dict[Key, Count], key: Key, count: Count) -> None:
    known = counts.get(key)
    counts[key] = known.plus(count) if known else count


def _totals(receipts: dict[Slice, Count]) -> dict[tuple[UUID, str, str], Count]:
    totals: dict[tuple[UUID, str, str], Count] = {}
    for key, count in receipts.items():
        _add(totals, (key.source_id, key.verdict, key.reason), count)
    return totals


def _add_receipts(key: Slice, count: Count) -> None:
    row = ReceiptRollup(**key._asdict(), count=count.number, last_at=count.last_at)
    _upsert(row, "source_id, starts_at, verdict, reason")


def _add_total(key: tuple[UUID, str, str], count: Count) -> None:
    source_id, verdict, reason = key
    row = ReceiptTotal(
        source_id=source_id, verdict=verdict, reason=reason, count=count.number, last_at=count.last_at
    )
    _upsert(row, "source_id, verdict, reason")


def _upsert(row: ReceiptRollup | ReceiptTotal, key: str) -> None:
    """Beside the ORM, whose upsert overwrites and cannot add."""
    table = row._meta.db_table
    columns = [each for each in row._meta.concrete_fields if getattr(row, each.attname) is not None]
    values = [each.get_db_prep_save(getattr(row, each.attname), connection) for each in columns]
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({', '.join(str(each.column) for each in columns)}) "  # noqa: S608
            f"VALUES ({', '.join(['%s'] * len(columns))}) ON CONFLICT ({key}) DO UPDATE "
            f"SET count = {table}.count + excluded.count, last_at = CASE WHEN excluded.last_at > "
            f"{table}.last_at THEN excluded.last_at ELSE {table}.last_at END",
            values,
        )


def _add_matches(secret_id: UUID, count: Count) -> None:
    row = SourceSecret.objects.filter(pk=secret_id)
    row.update(matches=F("matches") + count.number)
    is_older = Q(last_matched_at=None) | Q(last_matched_at__lt=count.last_at)
    row.filter(is_older).update(last_matched_at=count.last_at)


def _start() -> None:
    if not settings.HUB_ADD_UP_S:
        return
    waiting = _waiting
    with waiting.lock:
        if waiting.adder is None:
            waiting.adder = threading.Thread(
                target=_keep_adding, args=[waiting], name="weir-rollups", daemon=True
            )
            waiting.adder.start()
            atexit.register(_end, waiting)


def _keep_adding(waiting: _Waiting) -> None:
    while not waiting.is_over.wait(settings.HUB_ADD_UP_S):
        _flush_quietly()
    connection.close()


def _end(waiting: _Waiting) -> None:
    """The process is told to go: what waits is added before it does."""
    if not waiting.is_over.is_set():
        _flush_quietly()


def _flush_quietly() -> None:
    try:
        flush()
    except Error as error:
        logger.warning("What came in could not be added up; it is tried again: %s", str(error).strip())
        connection.close()


def _forget_after_fork() -> None:
    # Threads do not survive a fork, and what waits is the parent's to add.
    global _waiting
    _waiting = _Waiting()


os.register_at_fork(after_in_child=_forget_after_fork)
