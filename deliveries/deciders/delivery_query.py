"""Which deliveries somebody asks for: one frozen value for lists, counts, replays and exports. It reads no table."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from .outcome import Outcome


class Status(StrEnum):
    """What people call a delivery's state: the stored states, and two that depend on tries and on the lane."""

    PENDING = "pending"  # owed, not tried yet
    RETRYING = "retrying"  # owed, tried before
    HELD = "held"  # owed, in a lane that does not move
    DEAD = "dead"
    DELIVERED = "delivered"
    DISCARDED = "discarded"
    SUPERSEDED = "superseded"


NEEDS_ATTENTION: Final = (Status.DEAD, Status.RETRYING, Status.HELD)

SINCE: Final[dict[str, timedelta | None]] = {
    "15m": timedelta(minutes=15),
    "1h": timedelta(hours=1),
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
    "all": None,
}
DEFAULT_SINCE: Final = "30d"


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliveryQuery:
    """Empty means: any. Lists are sorted and without repetition, so that equal questions are equal values."""

    statuses: tuple[Status, ...] = ()
    subscriptions: tuple[UUID, ...] = ()
    sources: tuple[str, ...] = ()  # slugs
    types: tuple[str, ...] = ()  # event types, or patterns such as order.*
    codes: tuple[str, ...] = ()  # 2xx … 5xx, net, or exact
    outcomes: tuple[Outcome, ...] = ()
    fingerprint: str = ""
    search: str = ""  # an id of ours or the sender's, exactly
    since: str = DEFAULT_SINCE  # a key of SINCE; "all" where start and end say it
    start: datetime | None = None
    end: datetime | None = None
    attempts: int = 0  # at least
    oldest_first: bool = False
    before: UUID | None = None  # the page of older ones
    after: UUID | None = None  # the page of newer ones

    def begins(self, now: datetime) -> datetime | None:
        span = SINCE[self.since]
        return self.start if span is None else now - span

    def frozen(self, now: datetime) -> "DeliveryQuery":
        """The same set for ever: nothing that comes later can join it."""
        start, end = self.begins(now), self.end or now
        return replace(
            self.first_page(), since="all", start=start and to_millisecond(start), end=to_millisecond(end)
        )

    def first_page(self) -> "DeliveryQuery":
        return replace(self, before=None, after=None)

    def following(self, last: UUID) -> "DeliveryQuery":
        """The page after the one that ends with `last`, in its own order."""
        if self.oldest_first:
            return replace(self, before=None, after=last)
        return replace(self, before=last, after=None)

    def preceding(self, first: UUID) -> "DeliveryQuery":
        return replace(
            replace(self, oldest_first=not self.oldest_first).following(first), oldest_first=self.oldest_first
        )


def to_millisecond(at: datetime) -> datetime:
    """Ids tell the time no finer."""
    return at.replace(microsecond=at.microsecond // 1000 * 1000)
