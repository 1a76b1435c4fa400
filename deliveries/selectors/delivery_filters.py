"""Turns a deliveries query into conditions on the table. It runs only the few small questions they depend on."""

from collections.abc import Sequence
from datetime import datetime
from functools import reduce
from operator import or_
from uuid import UUID

from django.db.models import Max, Q

from deliveries.deciders.delivery_query import DeliveryQuery, Status
from deliveries.deciders.outcome import Outcome
from deliveries.models import Circuit, Delivery, DeliveryState, Hold, Lane, Phase, ReplayItem
from deliveries.models.delivery import FAILED
from webhooks.ids import parse_id
from webhooks.models import Event
from webhooks.selectors.distinct import distinct

from .cascade_below import below
from .columns import MOST_ALTERNATIVES, Column, Filters, equal, source_ids, time_range, types_of

SAME_EXTERNAL_ID = 100  # events that share a sender's id over all sources; more than ever seen
NO_ANSWER = (Outcome.TIMEOUT, Outcome.REFUSED, Outcome.RESET, Outcome.DNS, Outcome.TLS, Outcome.BAD_RESPONSE)
ANSWERED = (DeliveryState.DELIVERED, DeliveryState.DISCARDED, DeliveryState.SUPERSEDED)
PHASES = tuple(Phase.values)
RETRIED = (Phase.RETRY, Phase.REPLAY)

HELD = ~Q(hold=Hold.NONE) | Q(circuit__in=[Circuit.OPEN, Circuit.HALF_OPEN])
_PENDING = Q(state=DeliveryState.PENDING)
_FAILED_SQL = "NOT (last_outcome = '') AND NOT (last_outcome = 'ok')"


def held_lanes() -> frozenset[UUID]:
    """Lanes that do not move: paused, disabled, or with a circuit that is not closed."""
    return frozenset(Lane.objects.filter(HELD).values_list("pk", flat=True))


def filters_of(query: DeliveryQuery, now: datetime) -> Filters:
    """A value that is not in the tables (an unknown source, an id nobody has) fits no row."""
    held = held_lanes()
    columns = [
        _found(query.search),
        time_range(query, now),
        _statuses(query, held),
        _fingerprints(query.fingerprints),
        _replay(query.replay),
        equal("subscription_id", query.subscriptions, leads=True),
        equal("source_id", source_ids(query.sources)) if query.sources else None,
        types_of(query.types, Delivery),
        _outcomes(query.outcomes),
        _codes(query.codes),
        _attempts(query.attempts),
        _below(query.below),
    ]
    return Filters(columns=[column for column in columns if column is not None], held=held)


def _found(search: str) -> Column | None:
    if not search:
        return None
    found = Q(pk__in=[])
    for kind, column in (("delivery", "pk"), ("event", "event_id"), ("subscription", "subscription_id")):
        try:
            found |= Q((column, parse_id(kind, search)))
        except ValueError:
            continue
    if ids := events_sent_as(search):
        found |= Q(event_id__in=ids)
    return Column(whole=found, alternatives=[found], leads=True)


def _below(node: UUID | None) -> Column | None:
    if node is None:
        return None
    found = Q(pk__in=below(node))
    return Column(whole=found, alternatives=[found], leads=True)


def events_sent_as(external_id: str) -> list[UUID]:
    """Looked for among events, where the sender's id has its index."""
    events = Event.objects.filter(external_id=external_id).values_list("pk", flat=True)
    return list(events[:SAME_EXTERNAL_ID])


def _statuses(query: DeliveryQuery, held: frozenset[UUID]) -> Column | None:
    if not query.statuses:
        return None
    several = [one for status in query.statuses for one in _in_order(status, held)]
    # What was delivered is nearly everything, so another column's index finds faster what fits both.
    beside = [
        one
        for status in query.statuses
        for one in ([_status(status, held)] if status is Status.DELIVERED else _in_order(status, held))
    ]
    whole = reduce(or_, (_status(status, held) for status in query.statuses))
    narrows = Status.DELIVERED not in query.statuses
    return Column(whole=whole, alternatives=several, beside=beside, narrows=narrows)


def _status(status: Status, held: frozenset[UUID]) -> Q:
    """Of what is pending, that in a lane which does not move is held, and no longer anything else."""
    if status is Status.HELD:
        return _PENDING & Q(subscription_id__in=held) if held else Q(pk__in=[])
    if status is Status.PENDING:
        return _PENDING & Q(phase=Phase.FIRST) & _moving(held)
    if status is Status.RETRYING:
        return _PENDING & Q(phase__in=RETRIED) & _moving(held)
    return Q(state=status.value)


def _in_order(status: Status, held: frozenset[UUID]) -> list[Q]:
    if status is Status.PENDING:
        return [_status(status, held)]
    if status is Status.RETRYING:
        return [_PENDING & Q(phase=phase) & _moving(held) for phase in RETRIED]
    if status is Status.HELD and len(held) <= MOST_ALTERNATIVES:
        return [_PENDING & Q(subscription_id=lane) for lane in sorted(held)]
    return [_status(status, held) & Q(phase=phase) for phase in PHASES]


def _moving(held: frozenset[UUID]) -> Q:
    return ~Q(subscription_id__in=held) if held else Q()


def _fingerprints(fingerprints: Sequence[str]) -> Column | None:
    if not fingerprints:
        return None
    several = [~Q(fingerprint="") & Q(fingerprint=each) for each in fingerprints]
    return Column(whole=reduce(or_, several), alternatives=several, leads=True)


def _replay(replay: UUID | None) -> Column | None:
    """The items of a replay are found in the order of their deliveries by an index of their own."""
    if replay is None:
        return None
    items = ReplayItem.objects.filter(replay_id=replay, delivery_id__isnull=False)
    whole = Q(pk__in=items.values("delivery_id"))
    return Column(whole=whole, alternatives=[whole], leads=True)


def _outcomes(outcomes: Sequence[Outcome]) -> Column | None:
    if not outcomes:
        return None
    whole = Q(last_outcome__in=[outcome.value for outcome in outcomes])
    several = [FAILED & Q(last_outcome=outcome.value) for outcome in outcomes if outcome is not Outcome.OK]
    if Outcome.OK in outcomes:
        return Column(whole=whole, alternatives=[*several, *_answered(whole)], beside=[whole])
    return Column(whole=FAILED & whole, alternatives=several, narrows=True)


def _answered(also: Q) -> list[Q]:
    """A 2xx is the last word of what was delivered, and of little else: what is owed again, or needs no more."""
    settled = [Q(state=state, phase=phase) & also for state in ANSWERED for phase in PHASES]
    return [*settled, Q(state=DeliveryState.PENDING, phase=Phase.REPLAY) & also]


def _codes(codes: Sequence[str]) -> Column | None:
    """An answer may be broken off after its code was read, so what failed may have any."""
    if not codes:
        return None
    whole = reduce(or_, (_code(code) for code in codes))
    met = distinct("deliveries_delivery", "last_status", _FAILED_SQL) if codes != ("net",) else []
    several = [FAILED & Q(last_status=each) for each in met if _fits(each, codes)]
    several += [_code("net")] * ("net" in codes)
    if any(code.startswith("2") for code in codes):
        return Column(whole=whole, alternatives=[*several, *_answered(whole)], beside=[whole])
    is_narrow = len(several) <= MOST_ALTERNATIVES
    return Column(
        whole=FAILED & whole, alternatives=(several or [Q(pk__in=[])]) if is_narrow else (), narrows=True
    )


def _fits(status: int, codes: Sequence[str]) -> bool:
    return str(status) in codes or f"{status // 100}xx" in codes


def _code(code: str) -> Q:
    if code == "net":
        return FAILED & Q(last_status=None, last_outcome__in=[outcome.value for outcome in NO_ANSWER])
    low, high = (
        (int(code[0]) * 100, int(code[0]) * 100 + 99) if code.endswith("xx") else (int(code), int(code))
    )
    return Q(last_status__gte=low, last_status__lte=high)


def _attempts(least: int) -> Column | None:
    if least <= 1:
        return Column(whole=Q(attempts__gte=1)) if least else None
    most = Delivery.objects.filter(attempts__gt=1).aggregate(most=Max("attempts"))["most"] or 0
    last = min(most, least + MOST_ALTERNATIVES - 2)
    several = [Q(attempts__gt=1, attempts=number) for number in range(least, last + 1)]
    several += [Q(attempts__gt=1) & Q(attempts__gt=last)] * (last < most)  # so few that they are sorted
    return Column(whole=Q(attempts__gt=1, attempts__gte=least), alternatives=several or [Q(pk__in=[])])
