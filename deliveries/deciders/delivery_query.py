"""Which deliveries somebody asks for: one frozen value for lists, counts, replays and exports. It reads no table."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID

from .list_query import DEFAULT_SINCE, ListQuery
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


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliveryQuery(ListQuery):
    """Empty means: any. Lists are sorted and without repetition, so that equal questions are equal values."""

    statuses: tuple[Status, ...] = ()
    subscriptions: tuple[UUID, ...] = ()
    sources: tuple[str, ...] = ()  # slugs
    types: tuple[str, ...] = ()  # event types, or patterns such as order.*
    codes: tuple[str, ...] = ()  # 2xx … 5xx, net, or exact
    outcomes: tuple[Outcome, ...] = ()
    fingerprints: tuple[str, ...] = ()  # issues
    replay: UUID | None = None  # what one job has sent
    attempts: int = 0  # at least
    below: UUID | None = None  # an event or a delivery: what lies below it in its cascade

    @property
    def usual_since(self) -> str:
        """Issues, cascades and what one replay sent, too, are looked for in all that is kept."""
        is_narrow = self.search or self.fingerprints or self.replay or self.below
        return "all" if is_narrow else DEFAULT_SINCE
