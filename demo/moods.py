"""Decides when C is down, what it answers, and how fast. Pure: it has no clock of its own, and no luck."""

EVERY_S = 300
FIRST_OUTAGE_S = 40  # soon enough that whoever has just started the demo sees one
OUTAGE_S = 60

WARM_UP_S = 20  # after an outage C is slow, so that one can watch it being fed gently
SLOW_S = 1.0  # for an answer

UNMAPPED_EVERY = 50  # orders
NEW_MAP_AFTER_S = 180  # later than an outage and its retries, so that a refused delivery is dead by then
BUSY_EVERY = 20


def is_down(elapsed_s: float) -> bool:
    return FIRST_OUTAGE_S <= elapsed_s % EVERY_S < FIRST_OUTAGE_S + OUTAGE_S


def pause_s(back_for_s: float | None) -> float:
    """How long C takes for an answer, by how long it has been back; none: it has not been away."""
    return SLOW_S if back_for_s is not None and back_for_s < WARM_UP_S else 0.0


def is_street_unmapped(order: int) -> bool:
    return order % UNMAPPED_EVERY == 0


def answer(*, order: int, attempt: int, age_s: float) -> int:
    """The status: 422 until C has a map with this order's street, 503 to some at first, else 200."""
    if is_street_unmapped(order) and age_s < NEW_MAP_AFTER_S:
        return 422
    if order % BUSY_EVERY == 7 and attempt == 1:
        return 503
    return 200
