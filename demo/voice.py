"""Says one sentence on the terminal. It is the demo's only way to speak, and is never told a secret."""

import sys
from contextlib import suppress


def say(sentence: str) -> None:
    # One write, so that the sentences of several threads do not mix. A terminal that has gone stops nobody.
    with suppress(OSError):
        sys.stdout.write(f"demo: {sentence}\n")
        sys.stdout.flush()
