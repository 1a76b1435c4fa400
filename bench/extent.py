"""How long a bench goes on: its rounds, and how much it does in each. It says on standard error where it is."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Extent:
    rounds: int
    is_quick: bool

    def size(self, whole: int, *, quick: int) -> int:
        return quick if self.is_quick else whole

    def each_round(self, what: str) -> Iterator[int]:
        """Counts from nought."""
        for number in range(self.rounds):
            print(f"… {what}: round {number + 1} of {self.rounds}", file=sys.stderr, flush=True)
            yield number
