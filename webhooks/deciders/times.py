"""How whatever leaves the hub says a time: ISO 8601, in UTC, with a Z. It reads no clock."""

from datetime import UTC, datetime


def zulu(at: datetime, *, to: str = "milliseconds") -> str:
    """`to` is a timespec of `isoformat`; `auto` is as exact as the time itself."""
    at = at if at.tzinfo is UTC else at.astimezone(UTC)
    return at.isoformat(timespec=to).replace("+00:00", "Z")
