"""Makes the packs of a replay, as it was frozen, into items. It chooses nothing and sends nothing.

Whoever must know exactly what replays have chosen has their packs made into items first; a dispatcher does so where a
lane runs short, and a schedule what nobody has asked for. A pack becomes items in one transaction, or not at all.
"""

from collections import Counter
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from operator import attrgetter
from typing import Final, NamedTuple, TypeVar
from uuid import UUID

from django.db import connection, transaction
from django.db.models import QuerySet

from deliveries.models import ReplayItem, ReplayPack
from deliveries.models.replay import ItemState, ReplayState
from webhooks import rows

from . import replay_counts

# Items of a pack: live traffic and SQLite's other writers wait for one (measured: 45 ms at a load of 7 on two cores).
SIZE: Final = 250
NOBODY: Final = UUID(int=0)  # instead of a delivery that has yet to be made
START_LOCK: Final = 7_309_241  # those who start replays go one after the other; no other lock has this number

# How an item is written by the database that freezes it: PostgreSQL has bytes for ids, SQLite 32 digits.
ITEM: Final = {
    "postgresql": "uuid_send(subscription_id) || uuid_send(event_id)"
    f" || uuid_send(COALESCE(delivery_id, '{NOBODY}'))",
    "sqlite": f"subscription_id || event_id || COALESCE(delivery_id, '{NOBODY.hex}')",
}
WIDTH: Final = 48  # bytes of an item
_COLUMNS: Final = ("replay", "subscription", "event", "delivery", "state", "note")

T = TypeVar("T")


class Packed(NamedTuple):
    subscription_id: UUID
    event_id: UUID
    delivery_id: UUID | None


def items_of(pack: ReplayPack) -> list[Packed]:
    """The oldest event first."""
    raw = bytes(pack.items)
    if connection.vendor == "sqlite":
        raw = bytes.fromhex(raw.decode())
    ids = [UUID(bytes=raw[at : at + 16]) for at in range(0, len(raw), 16)]
    items = [
        Packed(subscription, event, None if delivery == NOBODY else delivery)
        for subscription, event, delivery in zip(ids[::3], ids[1::3], ids[2::3], strict=True)
    ]
    return sorted(items, key=attrgetter("event_id"))  # SQLite promises no order within a pack


def packed(replays: Collection[UUID]) -> set[UUID]:
    """Those of them that have items which nobody can see yet."""
    found = ReplayPack.objects.filter(replay_id__in=replays)
    return set(found.order_by().values_list("replay_id", flat=True).distinct())


def unpack(*, replays: Collection[UUID] | None = None, most: int | None = None) -> int:
    """Until none is left of these, or so many items were made; says how many were."""
    packs = _waiting().order_by("pk")
    if replays is not None:
        packs = packs.filter(replay_id__in=replays)
    made = 0
    while most is None or made < most:
        found = packs.values_list("replay_id", flat=True).first()
        if found is None:
            break
        made += _unpack_next(found)
    return made


def while_none_starts(act: Callable[[], T]) -> T:
    """In one transaction in which all that replays have chosen shows among their items, and no other replay starts.

    Nothing is unpacked within it: that locks a replay, and whoever pauses one has locked its lanes before.
    """
    while True:
        unpack()
        with transaction.atomic():
            _wait_for_others()
            if not _waiting().exists():
                return act()


def _wait_for_others() -> None:
    """SQLite has one writer anyway."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [START_LOCK])


def _waiting() -> QuerySet[ReplayPack]:
    """All but a cancelled replay's, which are given back and not made."""
    return ReplayPack.objects.exclude(replay__state=ReplayState.CANCELLED)


def _unpack_next(replay_id: UUID) -> int:
    """The replay's lock has packs made one after the other, so that the numbers of items rise with their events."""
    now = datetime.now(UTC)
    with transaction.atomic():
        replay = replay_counts.lock([replay_id])[replay_id]
        pack = ReplayPack.objects.filter(replay_id=replay_id).order_by("pk").first()
        if pack is None or replay.state == ReplayState.CANCELLED:
            return 0
        waiting = [(replay_id, *item, ItemState.WAITING.value, "") for item in items_of(pack)]
        written = rows.insert(ReplayItem, _COLUMNS, waiting, ignore=True, returning=("id",))
        if taken := len(waiting) - len(written):
            replay_counts.count(replay, Counter(skipped=taken), now)
        pack.delete()
    return len(waiting)


def unpack_what_names(subscription_id: UUID, event_id: UUID) -> None:
    """Before one delivery is acted on: only the replays that have chosen it."""
    key = subscription_id.bytes + event_id.bytes
    find = "position(%s IN items)"
    if connection.vendor == "sqlite":
        key, find = key.hex().encode(), "instr(items, %s)"
    naming = ReplayPack.objects.extra(where=[f"{find} > 0"], params=[key])  # noqa: S610 (a fixed text)
    if replays := set(naming.order_by().values_list("replay_id", flat=True)):
        unpack(replays=replays)


def drop_next(replay_id: UUID) -> int:
    """Instead of making it into items, in the transaction of a caller that locked the replay; says how many went."""
    pack = ReplayPack.objects.filter(replay_id=replay_id).order_by("pk").first()
    if pack is None:
        return 0
    pack.delete()
    return len(items_of(pack))
