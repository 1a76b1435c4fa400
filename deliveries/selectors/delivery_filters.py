"""Turns a deliveries query into conditions on the table. It runs only the few small questions they depend on.

A list is read in the order of ids, newest first. One index gives that order for one value of a column, not
for several; so a question for several values (`status=dead,held`, `type=order.*`) is split into branches of one
value each, every branch is read in order by its own index, and the page is the best of them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import reduce
from operator import or_
from uuid import UUID

from django.db.models import Max, Model, Q

from deliveries.deciders.delivery_query import DeliveryQuery, Status
from deliveries.deciders.list_query import ListQuery
from deliveries.deciders.outcome import Outcome
from deliveries.models import Circuit, Delivery, DeliveryState, Hold, Lane, Phase, ReplayItem
from deliveries.models.delivery import FAILED
from webhooks.ids import first_id_at, parse_id
from webhooks.models import Event, Source
from webhooks.selectors.distinct import MOST_DISTINCT, distinct

from .cascade_below import below

MOST_VALUES = 50  # of one filter; more are asked for at once
MOST_BRANCHES = 24  # of several columns together; past that, a column is asked for all its values at once
MOST_ALTERNATIVES = 32  # of one column
SAME_EXTERNAL_ID = 100  # events that share a sender's id over all sources; more than ever seen


NO_ANSWER = (Outcome.TIMEOUT, Outcome.REFUSED, Outcome.RESET, Outcome.DNS, Outcome.TLS, Outcome.BAD_RESPONSE)
ANSWERED = (DeliveryState.DELIVERED, DeliveryState.DISCARDED, DeliveryState.SUPERSEDED)
PHASES = tuple(Phase.values)
RETRIED = (Phase.RETRY, Phase.REPLAY)

HELD = ~Q(hold=Hold.NONE) | Q(circuit__in=[Circuit.OPEN, Circuit.HALF_OPEN])
_PENDING = Q(state=DeliveryState.PENDING)
_FAILED_SQL = "NOT (last_outcome = '') AND NOT (last_outcome = 'ok')"


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """One column's filter: what a row must fulfil, and the same as alternatives that an index serves in order.

    `leads`: it leaves so few rows that they are read once, whatever else is asked of them. `narrows`: it leaves
    few, so that columns which leave many are only looked at in those. `beside`: the alternatives to use beside
    another column that an index serves.
    """

    whole: Q
    alternatives: Sequence[Q] = ()
    beside: Sequence[Q] = ()
    leads: bool = False
    narrows: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Filters:
    """All that a query asks, except its cursor and order."""

    columns: Sequence[Column] = ()
    held: frozenset[UUID] = field(default=frozenset())

    def whole(self) -> Q:
        return reduce(lambda all_of, column: all_of & column.whole, self.columns, Q())

    @property
    def counting_order(self) -> str:
        """A range of ids alone is read by the key only in its order; else from the table's oldest page on."""
        return "-pk" if len(self.columns) <= 1 else ""

    def branches(self) -> list[Q]:
        """Conditions of which each is read in order, and which hold together exactly when `whole` does."""
        branches = [Q()]
        for column in self.columns:
            several = self._alternatives(column)
            if len(branches) > 1 and len(several) * len(branches) > MOST_BRANCHES:
                several = [column.whole]
            branches = [branch & one for branch in branches for one in several]
        return branches

    def _alternatives(self, column: Column) -> Sequence[Q]:
        served = [each for each in self.columns if each.alternatives]
        if any(each.leads for each in served) and not column.leads:
            return [column.whole]
        if any(each.narrows for each in served) and not (column.narrows or column.leads):
            return [column.whole]
        several = column.alternatives if len(served) == 1 else column.beside or column.alternatives
        return several or [column.whole]


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


def known_types(model: type[Model] = Delivery) -> list[str]:
    """Every event type there is, in the database's order: one look into the index for each, at most so many."""
    return [str(each) for each in distinct(model._meta.db_table, "event_type", "event_type <> ''")]


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


def time_range(query: ListQuery, now: datetime) -> Column | None:
    """Ids tell when they were made, so that no index on a time is needed."""
    begins, whole = query.begins(now), Q()
    if begins is not None:
        whole &= Q(pk__gte=first_id_at(begins))
    if query.end is not None:
        whole &= Q(pk__lt=first_id_at(query.end))
    return Column(whole=whole) if whole else None


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


def equal(name: str, values: Sequence[UUID], *, leads: bool = False) -> Column | None:
    if not values:
        return None
    several = [Q((name, value)) for value in values] if len(values) <= MOST_VALUES else []
    return Column(whole=Q((f"{name}__in", values)), alternatives=several, leads=leads)


def source_ids(slugs: Iterable[str]) -> list[UUID]:
    """Of a source that does not exist, an id that nothing has."""
    return list(Source.objects.filter(slug__in=slugs).values_list("pk", flat=True)) or [UUID(int=0)]


def types_of(patterns: Sequence[str], model: type[Model]) -> Column | None:
    if not patterns:
        return None
    whole = reduce(or_, (_type(pattern) for pattern in patterns))
    fitting = [Q(event_type=each) for each in _fitting(patterns, model)]
    return Column(whole=whole, alternatives=fitting if len(fitting) <= MOST_ALTERNATIVES else ())


def _type(pattern: str) -> Q:
    return Q(event_type__startswith=pattern[:-1]) if pattern.endswith(".*") else Q(event_type=pattern)


def _fitting(patterns: Sequence[str], model: type[Model]) -> list[str]:
    """The types themselves; for patterns those of the types there are. Empty: too many to name."""
    if not any(pattern.endswith(".*") for pattern in patterns):
        return list(patterns)
    known = known_types(model)
    if len(known) >= MOST_DISTINCT:
        return []
    stems = tuple(pattern[:-1] for pattern in patterns if pattern.endswith(".*"))
    fitting = {each for each in known if each.startswith(stems)} | {
        each for each in patterns if each in known
    }
    return sorted(fitting) or list(patterns[:1])


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
