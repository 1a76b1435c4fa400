"""Orders a lane's circuit to open, close or probe, because a person said so. It never moves a circuit itself.

The lane's owner carries an order out, once; the last one given counts. Until then the circuit shows its old state.
"""

from dataclasses import dataclass
from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from deliveries.models import Circuit, Hold, Lane, LaneOrder
from webhooks.services import audit

from .holds import Refused
from .lanes import ring_on_commit

_LEADS_TO = {
    LaneOrder.TRIP: Circuit.OPEN,
    LaneOrder.RESET: Circuit.CLOSED,
    LaneOrder.PROBE: Circuit.HALF_OPEN,
}
_PROMISES = {
    LaneOrder.TRIP: "Its circuit will open and what is due will be parked",
    LaneOrder.RESET: "Its circuit will close and deliveries will flow at its full window",
    LaneOrder.PROBE: "Its cool-down will end and one delivery that is due will be sent as a probe",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderVerdict:
    """False: nothing was ordered, since it is so already or about to be."""

    is_ordered: bool
    sentence: str


def trip(*, subscription_id: UUID, actor: str, user: User | None = None, reason: str = "") -> OrderVerdict:
    """Opens the circuit for a first cool-down, whatever was counted. Raises Refused."""
    return _order(LaneOrder.TRIP, subscription_id, actor, user, reason)


def reset(*, subscription_id: UUID, actor: str, user: User | None = None, reason: str = "") -> OrderVerdict:
    """Closes the circuit and forgets what was counted, without a ramp. Raises Refused."""
    return _order(LaneOrder.RESET, subscription_id, actor, user, reason)


def probe_now(
    *, subscription_id: UUID, actor: str, user: User | None = None, reason: str = ""
) -> OrderVerdict:
    """Ends the cool-down, so that the next delivery due probes the endpoint. Raises Refused."""
    return _order(LaneOrder.PROBE, subscription_id, actor, user, reason)


def waiting_order(lane: Lane) -> LaneOrder:
    """The order that its owner has not carried out yet."""
    return LaneOrder.NONE if lane.order_number == lane.order_done else LaneOrder(lane.order)


def window_now(lane: Lane, *, cap: int) -> int:
    """How many requests its circuit allows at once; `cap` is what it allows while closed."""
    match lane.circuit:
        case Circuit.OPEN:
            return 0
        case Circuit.HALF_OPEN:
            return 1
        case Circuit.RECOVERING:
            return min(lane.window or 1, cap)
    return cap


def _order(
    order: LaneOrder, subscription_id: UUID, actor: str, user: User | None, reason: str
) -> OrderVerdict:
    with transaction.atomic():
        lane = Lane.objects.select_for_update(no_key=True).get(pk=subscription_id)
        if sentence := _already(lane, order):
            return OrderVerdict(is_ordered=False, sentence=sentence)
        _check(lane, order)
        _write(lane, order)
        audit.record(
            actor=actor,
            user=user,
            verb=order.value,
            object_kind="subscription",
            object_id=subscription_id,
            reason=reason,
            before={"circuit": lane.circuit},
            after={"order": order.value, "order_number": lane.order_number},
        )
        ring_on_commit()
    return OrderVerdict(is_ordered=True, sentence=_promise(lane, order))


def _write(lane: Lane, order: LaneOrder) -> None:
    # The time is what has a sleeping lane taken by a dispatcher, though nothing may be due.
    lane.order, lane.order_number = order, lane.order_number + 1
    lane.revision, lane.next_due_at = lane.revision + 1, timezone.now()
    lane.save(update_fields=["order", "order_number", "revision", "next_due_at"])


def _already(lane: Lane, order: LaneOrder) -> str:
    if waiting_order(lane) == order:
        return f"{order.label} was ordered already and is about to be carried out."
    expected = _expected(lane)
    if expected == _LEADS_TO[order]:
        return f"Its circuit is {expected.label.lower()} already."
    return ""


def _expected(lane: Lane) -> Circuit:
    """What the circuit will be once the waiting order is carried out."""
    return _LEADS_TO.get(waiting_order(lane)) or Circuit(lane.circuit)


def _check(lane: Lane, order: LaneOrder) -> None:
    if lane.hold == Hold.DISABLED:
        raise Refused("This subscription is disabled, so nothing is sent to it; enable it first.")
    if order != LaneOrder.PROBE:
        return
    if lane.hold == Hold.PAUSED:
        raise Refused("This subscription is paused, so no probe can be sent; resume it first.")
    if lane.hold == Hold.UNPROVED:
        raise Refused("This subscription waits for its proof, so no probe can be sent; prove it first.")
    if waiting_order(lane) == LaneOrder.TRIP:
        # Only the last order is carried out: a probe would take the trip's place and find a closed circuit.
        raise Refused("Its circuit is about to open; order the probe when it has.")
    if _expected(lane) != Circuit.OPEN:
        raise Refused(f"Its circuit is {_expected(lane).label.lower()}, so there is nothing to probe for.")


def _promise(lane: Lane, order: LaneOrder) -> str:
    when = "when it is resumed" if lane.hold else "as soon as a dispatcher has read the order"
    return f"{_PROMISES[order]}, {when}."
