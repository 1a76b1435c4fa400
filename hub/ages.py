"""Says times as people do: how long ago, or in how long. It knows no clock."""

from datetime import datetime

MINUTE, HOUR, DAY = 60, 3_600, 86_400


def told(moment: datetime, now: datetime) -> str:
    """`4 min ago`, `in 2 h 10 min`, `just now`."""
    seconds = int((now - moment).total_seconds())
    if abs(seconds) < 2:
        return "just now"
    return f"{span(seconds)} ago" if seconds > 0 else f"in {span(-seconds)}"


def span(seconds: float) -> str:
    """Two units at most, the second one only where it tells: `59 s`, `12 min`, `1 h 05 min`, `3 d 4 h`, `40 d`."""
    whole = int(seconds)
    if whole < MINUTE:
        return f"{whole} s"
    if whole < HOUR:
        return f"{whole // MINUTE} min"
    if whole < DAY:
        return _two(f"{whole // HOUR} h", whole % HOUR // MINUTE, "{:02} min")
    days = whole // DAY
    return _two(f"{days} d", whole % DAY // HOUR, "{} h") if days < 7 else f"{days} d"


def _two(first: str, rest: int, second: str) -> str:
    return f"{first} {second.format(rest)}" if rest else first
