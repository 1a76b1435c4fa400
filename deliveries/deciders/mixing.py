"""Decides how first attempts, retries and replays share a lane's free slots. It never looks at a clock."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Room:
    """A lane's window (slots in all), and how many of them each phase holds already."""

    window: int
    firsts: int = 0
    retries: int = 0
    replays: int = 0
    last_was_first: bool = False  # which side had the last slot; only a window of 1 asks
    tokens: int | None = None  # how many may begin by the lane's rate; None: it has no limit

    @property
    def total(self) -> int:
        """Slots that are free and may be filled now."""
        free = max(0, self.window - self.firsts - self.retries - self.replays)
        return free if self.tokens is None else min(free, self.tokens)


def mix(room: Room, queues: Sequence[Sequence[T]]) -> list[T]:
    """Fills the free slots from the three queues (first attempts, retries, replays), each in its order.

    While first attempts wait, retries and replays together hold at most half of the window, and a window
    of 1 alternates between the two sides. Replays never hold more than half (at least one slot), so that
    an event that comes in now finds a free slot soon.
    """
    firsts, retries, replays = (list(reversed(queue)) for queue in queues)
    first_held, retry_held, replay_held = room.firsts, room.retries, room.replays
    replay_cap = max(1, room.window // 2)
    first_turn = not room.last_was_first
    chosen: list[T] = []
    for _ in range(room.total):
        replay_ready = bool(replays) and replay_held < replay_cap
        back_ready = bool(retries) or replay_ready
        back_held = retry_held + replay_held
        if firsts and not (
            back_ready and _back_has_turn(room.window, first_held, back_held, first_turn=first_turn)
        ):
            chosen.append(firsts.pop())
            first_held += 1
        elif retries and not (replay_ready and replay_held < retry_held):
            chosen.append(retries.pop())
            retry_held += 1
        elif replay_ready:
            chosen.append(replays.pop())
            replay_held += 1
        else:
            break
    return chosen


def _back_has_turn(window: int, first_held: int, back_held: int, *, first_turn: bool) -> bool:
    if window == 1:
        return not first_turn
    return back_held < window // 2 and back_held < first_held
