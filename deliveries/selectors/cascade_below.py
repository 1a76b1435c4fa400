"""Finds the deliveries below one node of a cascade. Bounded, and in a constant number of questions."""

from uuid import UUID

from deliveries.models import Delivery
from webhooks.models import Event

MOST_BELOW = 10_000  # events read, and deliveries found


def below(node: UUID) -> list[UUID]:
    """The deliveries that lie below an event, or from a delivery on: its own, and those of all that it caused."""
    return _followed(node)[0]


def is_followed_whole(node: UUID) -> bool:
    """Whether these are all of them: a cascade may be larger than what is read of it."""
    return _followed(node)[1]


def _followed(node: UUID) -> tuple[list[UUID], bool]:
    """In a constant number of questions: who caused whom is read of the whole cascade, and followed here."""
    own = Delivery.objects.filter(pk=node).values_list("event_id", flat=True).first()
    trace = Event.objects.filter(pk=own or node).values_list("trace_id", flat=True).first()
    if trace is None:
        return [], True
    caused = Event.objects.filter(trace_id=trace, cause_id__isnull=False).order_by("pk")
    read = list(caused.values_list("pk", "cause_id")[: MOST_BELOW + 1])
    causes = read[:MOST_BELOW]
    events = [own or node, *(event for event, _ in causes)]
    owed: dict[UUID, list[UUID]] = {}
    for delivery, event in Delivery.objects.filter(event_id__in=events).values_list("pk", "event_id"):
        owed.setdefault(event, []).append(delivery)
    children: dict[UUID, list[UUID]] = {}
    for event, cause in causes:
        assert cause is not None  # noqa: S101 (asked for)
        children.setdefault(cause, []).append(event)
    found: dict[UUID, None] = {}
    waiting = [node] if own else owed.get(node, [])
    while waiting:
        fresh = [delivery for delivery in waiting if delivery not in found]
        found |= dict.fromkeys(fresh)
        waiting = [
            after for each in fresh for event in children.get(each, ()) for after in owed.get(event, ())
        ]
    return sorted(found)[:MOST_BELOW], max(len(read), len(found)) <= MOST_BELOW
