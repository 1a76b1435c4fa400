"""Makes and names ids: UUIDv7 inside, `dlv_…` outside. It never touches the database."""

import random
import re
import threading
import time
import uuid
from datetime import datetime
from typing import Final

from webhooks.deciders.wording import with_article

PREFIXES = {
    "source": "src",
    "event": "evt",
    "eventtype": "ety",
    "refusal": "rfs",
    "subscriber": "sbr",
    "apikey": "key",
    "subscription": "sub",
    "delivery": "dlv",
    "attempt": "att",
    "deadletter": "dlt",
    "issue": "iss",
    "replay": "rpl",
    "notice": "ntc",
    "alert": "alr",
    "alertrule": "rul",
    "alertchannel": "chn",
}

_UUID: Final = re.compile(r"[0-9a-fA-F]{32}|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
# What people call those kinds whose name is no word.
_WORDS = {
    "apikey": "API key",
    "deadletter": "dead letter",
    "eventtype": "event type",
    "alertrule": "alert rule",
    "alertchannel": "alert channel",
}

_lock = threading.Lock()
_last = 0


def uuid7() -> uuid.UUID:
    """A UUIDv7 (RFC 9562, section 5.7): 48 bits of Unix milliseconds, then a counter, then randomness.

    Ids made by one process rise strictly, even within a millisecond: the 12 bits after the version hold
    the fraction of the millisecond (method 3 of section 6.2), pushed on by one where it would repeat.
    """
    global _last
    nanoseconds = time.time_ns()
    stamp = (nanoseconds // 1_000_000 << 12) | (nanoseconds % 1_000_000 * 4096 // 1_000_000)
    with _lock:
        stamp = _last = max(stamp, _last + 1)
    value = (stamp >> 12) << 80 | 0x7 << 76 | (stamp & 0xFFF) << 64 | 0b10 << 62
    return uuid.UUID(int=value | random.getrandbits(62))  # noqa: S311 (a name, not a secret)


def trace_id() -> uuid.UUID:
    """A random name for a cascade (W3C Trace Context, section 3.2.2.3). It asks the system for no entropy: nothing is
    guarded by it, and that call would let every other thread go first."""
    return uuid.UUID(int=random.getrandbits(128), version=4)  # noqa: S311


def public_id(kind: str, value: uuid.UUID) -> str:
    """The id as people and other services see it: `public_id("delivery", …)` → `dlv_0192…`."""
    return f"{PREFIXES[kind]}_{value.hex}"


def words_of(kind: str) -> str:
    return _WORDS.get(kind, kind)


def parse_id(kind: str, text: str) -> uuid.UUID:
    """Reads `dlv_<hex>`, bare hex or a dashed UUID. Raises ValueError with one sentence."""
    bare = text.removeprefix(PREFIXES[kind] + "_")
    try:
        return parse_uuid(bare)
    except ValueError:
        named = with_article(words_of(kind))
        raise ValueError(f"This is not {named} id: expected {PREFIXES[kind]}_ and 32 hex digits.") from None


def parse_uuid(text: str) -> uuid.UUID:
    """Reads 32 hex digits or the dashed form, in any case, and nothing else that Python would. Raises ValueError."""
    if not _UUID.fullmatch(text):
        raise ValueError("This is no UUID.")
    return uuid.UUID(text)


def first_id_at(moment: datetime) -> uuid.UUID:
    """The smallest UUIDv7 made at `moment` or later: ids below it are older."""
    return uuid.UUID(int=int(moment.timestamp() * 1000) << 80 | 0x7 << 76 | 0b10 << 62)
