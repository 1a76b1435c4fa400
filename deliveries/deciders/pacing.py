"""Decides how many requests a lane may have in flight. It never counts them itself."""


def share(*, cap: int, active_lanes: int) -> int:
    """A lane's part of the dispatcher's cap. Never nothing, or a crowd of lanes would stop them all."""
    return max(1, cap // max(1, active_lanes))
