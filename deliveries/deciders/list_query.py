"""What the queries of all long lists have: a time range, an order, a place in it. It reads no table."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Self
from uuid import UUID

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
class ListQuery:
    search: str = ""  # an id of ours or the sender's, exactly
    since: str = DEFAULT_SINCE  # a key of SINCE; "all" where start and end say it
    start: datetime | None = None
    end: datetime | None = None
    oldest_first: bool = False
    before: UUID | None = None  # the page of older ones
    after: UUID | None = None  # the page of newer ones

    @property
    def usual_since(self) -> str:
        """Where nothing is said; an exact search is for all that is kept."""
        return "all" if self.search else DEFAULT_SINCE

    def begins(self, now: datetime) -> datetime | None:
        span = SINCE[self.since]
        return self.start if span is None else now - span

    def frozen(self, now: datetime) -> Self:
        """The same set for ever: nothing that comes later can join it."""
        start, end = self.begins(now), self.end or now
        return replace(
            self.first_page(), since="all", start=start and to_millisecond(start), end=to_millisecond(end)
        )

    def first_page(self) -> Self:
        return replace(self, before=None, after=None)

    def following(self, last: UUID) -> Self:
        """The page after the one that ends with `last`, in its own order."""
        if self.oldest_first:
            return replace(self, before=None, after=last)
        return replace(self, before=last, after=None)

    def preceding(self, first: UUID) -> Self:
        turned = replace(self, oldest_first=not self.oldest_first)
        return replace(turned.following(first), oldest_first=self.oldest_first)


def to_millisecond(at: datetime) -> datetime:
    """Ids tell the time no finer."""
    return at.replace(microsecond=at.microsecond // 1000 * 1000)
