"""Decides how many requests a lane may have in flight, and how many it may begin. It never counts them itself."""

from dataclasses import dataclass
from math import floor

BURST_S = 1.0  # a lane that was quiet may send what its rate allows in this long at once
SLACK = 1e-3  # of a token: the rounding of clocks must not make a lane wait for a token it has


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """How many requests a rate-limited lane may begin, as it stood at a time in seconds."""

    level: float
    at: float


def share(*, cap: int, active_lanes: int) -> int:
    """A lane's part of the dispatcher's cap. Never nothing, or a crowd of lanes would stop them all."""
    return max(1, cap // max(1, active_lanes))


def burst(rate_per_s: float) -> float:
    """The most tokens there can be; at least one, or a slow lane would never send."""
    return max(1.0, rate_per_s * BURST_S)


def full(rate_per_s: float, *, now: float) -> Tokens:
    return Tokens(level=burst(rate_per_s), at=now)


def empty(*, now: float) -> Tokens:
    return Tokens(level=0.0, at=now)


def refilled(tokens: Tokens, rate_per_s: float, *, now: float) -> Tokens:
    """As they stand now. A clock that went back adds nothing, and counts on from where it is."""
    came = max(0.0, now - tokens.at) * rate_per_s
    return Tokens(level=min(burst(rate_per_s), tokens.level + came), at=now)


def whole(tokens: Tokens) -> int:
    """How many requests may begin."""
    return max(0, floor(tokens.level + SLACK))


def spent(tokens: Tokens, count: int) -> Tokens:
    """Fewer by those that begin; a negative count gives tokens back."""
    return Tokens(level=tokens.level - count, at=tokens.at)


def wait_s(tokens: Tokens, rate_per_s: float) -> float:
    """How long until there is one whole token; nothing when there is one."""
    return max(0.0, 1.0 - tokens.level) / rate_per_s
