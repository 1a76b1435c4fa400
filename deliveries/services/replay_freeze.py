"""Writes down what a choice takes in, as packs of ids, and tells what that is. It starts nothing and decides nothing.

On PostgreSQL one statement freezes and counts, so the set is read once: that, and ids instead of rows with indexes, is
what lets a person start two hundred thousand within a request.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import connection

from deliveries.deciders.replay_choice import Choice
from deliveries.selectors.replay_estimate import GROUPS, Group, group_of
from deliveries.selectors.replay_set import Statement, statement

from .replay_packs import ITEM, SIZE, WIDTH

MOST_ITEMS: Final = 200_000  # frozen at once

_AT_HAND: Final = "SET LOCAL work_mem = '64MB'"  # two hundred thousand rows are kept, sorted and grouped
# All are joined in the order of their events, and cut into packs. A lane has an event once, so that is its order too.
_POSTGRESQL: Final = """{found},
whole AS (SELECT string_agg({item}, ''::bytea ORDER BY event_id) AS items FROM chosen),
written AS (INSERT INTO deliveries_replaypack (replay_id, items)
    SELECT CAST(%s AS uuid), substr(items, number * {size} + 1, {size}) FROM whole, generate_series(0, {most}) AS number
    WHERE number * {size} < length(items) ORDER BY number)
{groups}"""
# SQLite would read the whole again for each part of it.
_SQLITE: Final = """INSERT INTO deliveries_replaypack (replay_id, items) {found}
SELECT %s, CAST(group_concat(item, '') AS blob)
FROM (SELECT {item} AS item, (row_number() OVER (ORDER BY event_id) - 1) / {count} AS number FROM chosen)
GROUP BY number ORDER BY number"""


def freeze(replay_id: UUID, choice: Choice, now: datetime) -> Sequence[Group]:
    """In the caller's transaction; what is left out is told as well."""
    found = statement(choice, now)
    if found is None:
        return []
    vendor = connection.vendor
    parts: dict[str, object] = {
        "found": found.sql,
        "item": ITEM[vendor],
        "groups": GROUPS,
        "count": SIZE,
        "size": SIZE * WIDTH,
        "most": MOST_ITEMS // SIZE,
    }
    write = _in_one if vendor == "postgresql" else _in_two
    return [group_of(row) for row in write(found, parts, replay_id)]


def _in_one(found: Statement, parts: dict[str, object], replay_id: UUID) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(_AT_HAND)
        cursor.execute(_POSTGRESQL.format(**parts), [*found.values, replay_id.hex])
        return list(cursor.fetchall())


def _in_two(found: Statement, parts: dict[str, object], replay_id: UUID) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(_SQLITE.format(**parts), [*found.values, replay_id.hex])
        cursor.execute(f"{found.sql} {GROUPS}", found.values)
        return list(cursor.fetchall())
