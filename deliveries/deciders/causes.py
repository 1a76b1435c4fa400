"""Decides whether what an event says caused it can be so. It looks nothing up; what is doubted is noted and ignored."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID


class Doubt(StrEnum):
    UNKNOWN = "unknown"
    FOREIGN = "foreign"
    EXPIRED = "expired"


DOUBT_WORDS: Final[dict[Doubt, str]] = {
    Doubt.UNKNOWN: "there is no such delivery",
    Doubt.FOREIGN: "that delivery went to another subscriber than the one its source belongs to",
    Doubt.EXPIRED: "that delivery is past retention",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """A delivery that there is, and whose it was, where that matters."""

    subscriber_id: UUID | None


def doubt(*, claimed: UUID, known: Known | None, owner: UUID | None, oldest: UUID) -> Doubt | None:
    """None where it may be so. `owner` is the subscriber that the event's source belongs to, if it belongs to one;
    `oldest` the smallest id of what is still kept, since ids tell the time."""
    if known is None:
        return Doubt.EXPIRED if claimed.version == 7 and claimed < oldest else Doubt.UNKNOWN
    if claimed < oldest:
        return Doubt.EXPIRED
    return Doubt.FOREIGN if owner is not None and owner != known.subscriber_id else None
