"""Tells how far a sender's clock stood from ours, from what is kept of its request: nothing is stored for it."""

from .arrival import Arrival
from .places import look_up
from .scheme_columns import Scheme
from .signatures import seconds_of

_FIELD = "field:"  # inside the signature's own header


def skew_s(row: Scheme, arrival: Arrival) -> float | None:
    """Seconds by which the request was older than its arrival; negative when it came from the future."""
    if not row.timestamp:
        return None
    text = _field(row, arrival) if row.timestamp.startswith(_FIELD) else look_up(arrival, row.timestamp)
    seconds = seconds_of(text, row.timestamp_unit) if text else None
    return None if seconds is None else arrival.received_at.timestamp() - seconds


def _field(row: Scheme, arrival: Arrival) -> str:
    """Of a header such as `t=1700000000,v1=…`."""
    name = row.timestamp.removeprefix(_FIELD)
    for part in look_up(arrival, row.signature).replace(";", ",").split(","):
        key, _, value = part.strip().partition("=")
        if key == name:
            return value
    return ""
