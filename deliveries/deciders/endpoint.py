"""Decides how an endpoint does just now, from its lane and its last half hour: in a word, a sentence and a share.

It is pure. One rule for every page, so that none says that a replay will work where another says that it fails.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

RECENT: Final = timedelta(minutes=30)
ENOUGH: Final = 5  # attempts that tell how an endpoint does
MOSTLY: Final = 0.9  # of them that went well, for it to answer again
HARDLY: Final = 0.2


class Mood(StrEnum):
    ANSWERING = "answering"  # a replay is likely to work
    UNSTEADY = "unsteady"
    FAILING = "failing"
    OPEN = "open"  # its circuit: nothing is sent but a probe
    PAUSED = "paused"
    DISABLED = "disabled"
    UNPROVED = "unproved"  # nothing was ever sent to its address but pings
    QUIET = "no_traffic"  # nothing, or too little, was sent to tell


WORDS: Final[dict[Mood, str]] = {
    Mood.ANSWERING: "Answering",
    Mood.UNSTEADY: "Unsteady",
    Mood.FAILING: "Failing",
    Mood.OPEN: "Circuit open",
    Mood.PAUSED: "Paused",
    Mood.DISABLED: "Disabled",
    Mood.UNPROVED: "Waits for its proof",
    Mood.QUIET: "No traffic",
}
_STILL: Final = {"open": Mood.OPEN, "half_open": Mood.OPEN}
_HELD: Final = {"paused": Mood.PAUSED, "disabled": Mood.DISABLED, "unproved": Mood.UNPROVED}


@dataclass(frozen=True, kw_only=True, slots=True)
class EndpointNow:
    """`share` is such as `62 of 63`, empty where nothing was sent; `since` is when its lane stopped, if it did."""

    mood: Mood
    words: str
    share: str
    sentence: str
    since: datetime | None = None

    @property
    def answers(self) -> bool:
        return self.mood is Mood.ANSWERING


def judge_endpoint(
    *,
    succeeded: int,
    tried: int,
    hold: str = "",
    held_at: datetime | None = None,
    circuit: str = "closed",
    circuit_since: datetime | None = None,
) -> EndpointNow:
    """`succeeded` and `tried` are attempts of the last 30 minutes."""
    share = f"{succeeded} of {tried}" if tried else ""
    if hold in _HELD:
        mood = _HELD[hold]
        state = "waiting for its proof" if mood is Mood.UNPROVED else hold
        sentence = f"Its subscription is {state}, so a replay would wait."
        return EndpointNow(mood=mood, words=WORDS[mood], share=share, sentence=sentence, since=held_at)
    if circuit in _STILL:
        sentence = "Its circuit is open, so a replay would wait until a probe is answered."
        return EndpointNow(
            mood=Mood.OPEN, words=WORDS[Mood.OPEN], share=share, sentence=sentence, since=circuit_since
        )
    mood = _by_traffic(succeeded, tried)
    words = "Little traffic" if mood is Mood.QUIET and tried else WORDS[mood]
    return EndpointNow(mood=mood, words=words, share=share, sentence=_sentence(mood, share, tried))


def _by_traffic(succeeded: int, tried: int) -> Mood:
    if tried < ENOUGH:
        return Mood.QUIET
    if succeeded >= MOSTLY * tried:
        return Mood.ANSWERING
    return Mood.FAILING if succeeded <= HARDLY * tried else Mood.UNSTEADY


def _sentence(mood: Mood, share: str, tried: int) -> str:
    if not tried:
        return "Nothing was sent there in the last 30 minutes."
    told = f"{share} attempt{'' if tried == 1 else 's'} in the last 30 minutes succeeded"
    if mood is Mood.ANSWERING:
        return f"It answers now: {told}, so a replay is likely to work."
    if mood is Mood.FAILING:
        return f"It still fails: {told}, so a replay is likely to fail again."
    return f"It is unsteady: {told}." if mood is Mood.UNSTEADY else f"{told}: too few to tell."
