"""Reads the items of running replays that are next to be let into their lanes. It changes none of them."""

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection

from deliveries.models import ReplayItem
from deliveries.models.replay import ItemState

from . import waves

LIMITS = (1, 2, 4, 10, 25, 50, 100, 250)  # literal in the text, as a claim's are, and for the same reason
_COLUMNS = ("id", "replay_id", "subscription_id", "event_id", "delivery_id")


class Share(NamedTuple):
    """How many of a replay may come into a lane now, after the last item that was looked at."""

    replay_id: UUID
    lane_id: UUID
    most: int
    read_to: int
    wave: int | None


class Waiting(NamedTuple):
    item_id: int
    replay_id: UUID
    lane_id: UUID
    event_id: UUID
    delivery_id: UUID | None


def waiting(shares: Sequence[Share]) -> Iterator[Waiting]:
    """The oldest items of each share, in two statements at most for each size there is, and one for each in waves."""
    by_limit: dict[int, list[Share]] = {}
    for share in shares:
        if share.wave is not None:
            items = waves.within(share.replay_id, share.lane_id, share.wave)
            yield from (Waiting(*row) for row in items.values_list(*_COLUMNS)[: share.most])
            continue
        by_limit.setdefault(next((size for size in LIMITS if size >= share.most), LIMITS[-1]), []).append(
            share
        )
    read = _read_together if connection.vendor == "postgresql" else _read_one_by_one
    for limit, asked in by_limit.items():
        most = {(share.replay_id, share.lane_id): share.most for share in asked}
        seen: Counter[tuple[UUID, UUID]] = Counter()
        for row in read(limit, asked):
            pair = (row.replay_id, row.lane_id)
            seen[pair] += 1
            if seen[pair] <= most[pair]:
                yield row


@cache
def _lateral(limit: int) -> str:
    columns = ", ".join(f"i.{name}" for name in _COLUMNS)
    return f"""SELECT i.*
        FROM unnest(%(replays)s::uuid[], %(lanes)s::uuid[], %(read)s::bigint[]) AS run(replay, lane, read_to)
        CROSS JOIN LATERAL (SELECT {columns} FROM deliveries_replayitem i
            WHERE i.replay_id = run.replay AND i.subscription_id = run.lane AND i.id > run.read_to
              AND i.state = 'waiting'
            ORDER BY i.id LIMIT {limit:d}) i"""  # noqa: S608 (names of our own)


def _read_together(limit: int, shares: Sequence[Share]) -> Iterator[Waiting]:
    with connection.cursor() as cursor:
        given: dict[str, Any] = {
            "replays": [share.replay_id.hex for share in shares],
            "lanes": [share.lane_id.hex for share in shares],
            "read": [share.read_to for share in shares],
        }
        cursor.execute(_lateral(limit), given)
        yield from (Waiting(*row) for row in cursor.fetchall())


def _read_one_by_one(limit: int, shares: Sequence[Share]) -> Iterator[Waiting]:
    for replay, lane, _, read_to, _ in shares:
        items = ReplayItem.objects.filter(
            replay_id=replay, subscription_id=lane, id__gt=read_to, state=ItemState.WAITING
        )
        yield from (Waiting(*row) for row in items.order_by("id").values_list(*_COLUMNS)[:limit])
