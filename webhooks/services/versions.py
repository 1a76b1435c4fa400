"""What a service raises when the thing is no longer as the caller saw it. It compares nothing itself."""

from collections.abc import Collection

CHANGED = "Somebody changed this since you read it; look again, then decide."

Seen = Collection[str] | None  # the versions a caller would change; None: whichever it is


class Changed(Exception):
    """Nothing was done; says so in one sentence."""

    def __init__(self, sentence: str = CHANGED) -> None:
        super().__init__(sentence)


def check_seen(seen: Seen, version: str) -> None:
    """Called with the row locked, in the transaction that changes it. Raises Changed."""
    if seen is not None and version not in seen:
        raise Changed
