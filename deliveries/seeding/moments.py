"""Writes a made-up moment as both databases take it, and makes ids of it. It knows no tables."""

from datetime import UTC, datetime
from random import Random


def text_of(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


def id_at(chance: Random, at: float) -> str:
    """A UUIDv7 of that moment."""
    bits = chance.getrandbits(74)
    return f"{int(at * 1000):012x}7{bits >> 62:03x}{1 << 63 | bits & (1 << 62) - 1:016x}"
