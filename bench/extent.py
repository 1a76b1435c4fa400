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

    def each_round(self, what: str) -> Iterator[None]:
        for number in range(1, self.rounds + 1):
            print(f"… {what}: round {number} of {self.rounds}", file=sys.stderr, flush=True)
            yield
