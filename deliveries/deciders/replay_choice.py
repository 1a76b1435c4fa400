"""Reads what a person wants to replay or discard from an address, and decides which states that takes in. It is pure.

What no status was asked for is the safe thing: what is dead. Who wants what arrived sent again says so.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Final

from .delivery_address import parse, to_params
from .delivery_query import DeliveryQuery, Status
from .list_address import Params

REPLAY: Final = "replay"
DISCARD: Final = "discard"
OPTIONS: Final = ("preset", "act", "newest", "moving")


class Preset(StrEnum):
    FAILED = "failed"  # dead letters since a time
    NEVER = "never"  # what a subscription was never sent, made before it or not
    ISSUE = "issue"  # the dead letters of one failure, or of several


# As people may write it: others link here by these names.
_NAMES: Final[dict[str, Preset]] = {
    "failed": Preset.FAILED,
    "failed-since": Preset.FAILED,
    "never": Preset.NEVER,
    "never-attempted": Preset.NEVER,
    "missing": Preset.NEVER,
    "issue": Preset.ISSUE,
    "one-issue": Preset.ISSUE,
}
PRESET_WORDS: Final[dict[str, str]] = {
    "": "",
    Preset.FAILED: "Failed since",
    Preset.NEVER: "Never attempted",
    Preset.ISSUE: "Of an issue",
}

# Why what was asked for is left out, by the names that the estimate has for it.
LEFT_OUT: Final[dict[str, str]] = {
    "chosen": "Chosen by another replay that is not over",
    "disabled": "Subscription disabled",
    "held": "Subscription paused, or its circuit is not closed",
    "outdated": "A newer version is known, and only the latest is wanted",
    "empty": "Payload past retention",
    "overtaken": "Not the newest event of its object",
    "owed": "Still owed: these go by themselves",
    "delivered": "Delivered; choose that status to send them again",
    "discarded": "Discarded; choose that status to send them after all",
    "superseded": "Superseded; choose that status to send them after all",
    "delivered since": "Delivered meanwhile by another replay",
}

_CAN_BE: Final[dict[str, tuple[Status, ...]]] = {
    REPLAY: (Status.DEAD, Status.DELIVERED, Status.DISCARDED, Status.SUPERSEDED),
    DISCARD: (Status.DEAD, Status.PENDING, Status.RETRYING, Status.HELD),
}

WHOLE: Final = tuple(sorted(_CAN_BE[REPLAY]))  # all below a node of a cascade, and not only what is dead


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """What is asked for. Frozen, it names the same set for ever, as far as deliveries are concerned."""

    query: DeliveryQuery
    verb: str = REPLAY
    preset: str = ""
    newest_only: bool = False  # of each entity
    leaves_out_held: bool = False

    @property
    def wanted(self) -> tuple[Status, ...]:
        """The states that are acted on; empty where the query asks for none that can be."""
        asked = (Status.DEAD,) if self.preset else self.query.statuses or (Status.DEAD,)
        return tuple(status for status in asked if status in _CAN_BE[self.verb])

    @property
    def is_discard(self) -> bool:
        return self.verb == DISCARD

    @property
    def sends_parents_first(self) -> bool:
        """In waves, as a branch of a cascade is sent."""
        return self.query.below is not None and not self.is_discard

    @property
    def takes_missing(self) -> bool:
        return self.preset == Preset.NEVER and not self.is_discard

    def acted_on(self) -> DeliveryQuery:
        """The query with the states that are acted on, and without a page."""
        return replace(self.query.first_page(), statuses=tuple(sorted(self.wanted)), oldest_first=False)

    def frozen(self, now: datetime) -> "Choice":
        return replace(self, query=self.query.frozen(now))

    def digest(self) -> str:
        """Equal for two who ask the same, whenever they do."""
        asked = [to_params(self.acted_on()), self.verb, self.preset, self.newest_only, self.leaves_out_held]
        return sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True, slots=True)
class Read:
    choice: Choice
    notices: tuple[str, ...] = ()


def read(params: Params) -> Read:
    """Whatever stands in an address. It never raises: what it does not understand, it says."""
    parsed = parse({name: values for name, values in params.items() if name not in OPTIONS})
    notices = list(parsed.notices)
    act = _first(params, "act").lower()
    if act not in ("", REPLAY, DISCARD):
        notices.append(f"There is no act “{act[:40]}”; this would replay.")
    written = _first(params, "preset").lower().replace("_", "-")
    preset = _NAMES.get(written)
    if written and preset is None:
        notices.append(f"There is no preset “{written[:40]}”; it was ignored.")
    choice = Choice(
        query=parsed.query,
        verb=DISCARD if act == DISCARD else REPLAY,
        preset=preset or "",
        newest_only=bool(_first(params, "newest")),
        leaves_out_held=bool(_first(params, "moving")),
    )
    return Read(choice=choice, notices=tuple(notices))


def _first(params: Params, name: str) -> str:
    values: Sequence[str] = params.get(name, ())
    return values[0].strip() if values else ""


def options_of(choice: Choice) -> dict[str, str]:
    """What an address says besides the query."""
    told = {
        "preset": choice.preset,
        "act": DISCARD if choice.is_discard else "",
        "newest": "1" if choice.newest_only else "",
        "moving": "1" if choice.leaves_out_held else "",
    }
    return {name: value for name, value in told.items() if value}
