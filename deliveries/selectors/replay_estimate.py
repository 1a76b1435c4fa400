"""Counts what a replay would send, by error, type and subscription, and what it would leave out. It changes nothing."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.db import connection
from django.db.models import Exists, OuterRef, Q

from deliveries.deciders.delivery_query import Status
from deliveries.deciders.replay_choice import Choice
from deliveries.models import Circuit, DeadLetter, Delivery, Hold, Subscription

from . import delivery_pages
from .delivery_filters import filters_of
from .replay_set import COLUMNS, Statement, statement

MOST_TYPES: Final = 8  # shown; the rest is told as one number
SAMPLED: Final = 3  # first and last rows
NOT_ASKED: Final = (Status.DELIVERED, Status.DISCARDED, Status.SUPERSEDED)
OWED: Final = (Status.HELD, Status.PENDING, Status.RETRYING)


class Group(NamedTuple):
    """How many of those that fit are alike; `why` they are left out, or None where they would be sent."""

    why: str | None
    outcome: str
    status: int | None
    subscription: UUID
    event_type: str
    is_made: bool  # whether there is a delivery, or one has to be made
    number: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    outcome: str
    status: int | None
    count: int


@dataclass(frozen=True, kw_only=True, slots=True)
class To:
    """A subscription that would be sent to: its own rate, and what keeps it from moving."""

    id: UUID
    name: str
    count: int
    rate_per_s: float | None
    trouble: str


@dataclass(frozen=True, kw_only=True, slots=True)
class LeftOut:
    """`more`: there are at least so many."""

    reason: str
    count: int
    more: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """One row of the preview; `delivery_id` is None where it would have to be made."""

    event_id: UUID
    subscription_id: UUID
    delivery_id: UUID | None
    event_type: str
    outcome: str
    status: int | None
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    count: int = 0
    missing: int = 0  # deliveries that would have to be made
    failures: Sequence[Failure] = ()
    types: Sequence[tuple[str, int]] = ()
    other_types: int = 0
    subscriptions: Sequence[To] = ()
    left_out: Sequence[LeftOut] = ()
    overtaken: int = 0  # what the newest of each entity alone would leave out
    first: Sequence[Sample] = ()
    last: Sequence[Sample] = ()


def estimate(choice: Choice, now: datetime) -> Estimate:
    """`choice` should be frozen, or the parts may not add up. Raises never_attempted.TooMany."""
    found = statement(choice, now)
    sums = _sums(choice, _groups(found) if found else [], now)
    if found is None or not sums.count:
        return sums
    first, last = _ends(found)
    overtaken = 0 if choice.newest_only or choice.is_discard else _overtaken(choice, now)
    return replace(sums, overtaken=overtaken, first=first, last=last)


def summary(choice: Choice, groups: Sequence[Group], now: datetime) -> dict[str, Any]:
    """What is kept of the estimate with the replay, as JSON; `groups` are of what was frozen."""
    sums = _sums(choice, groups, now)
    return {
        "failures": [[each.outcome, each.status, each.count] for each in sums.failures[:MOST_TYPES]],
        "types": [list(each) for each in sums.types],
        "subscriptions": [[each.id.hex, each.name, each.count] for each in sums.subscriptions],
        "left_out": [[each.reason, each.count, each.more] for each in sums.left_out],
    }


def _sums(choice: Choice, groups: Sequence[Group], now: datetime) -> Estimate:
    """All that is counted."""
    taken = [each for each in groups if each.why is None]
    count = sum(each.number for each in taken)
    types = _types(taken)
    return Estimate(
        count=count,
        missing=sum(each.number for each in taken if not each.is_made),
        failures=_failures(taken),
        types=types,
        other_types=count - sum(number for _, number in types),
        subscriptions=_subscriptions(taken),
        left_out=_left_out(choice, groups, now),
    )


def count(choice: Choice, now: datetime) -> int:
    """The same number, for a button."""
    found = statement(choice, now)
    return int(_rows(found, "SELECT count(*) FROM chosen")[0][0]) if found else 0


def _rows(found: Statement, question: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(f"{found.sql} {question}", found.values)
        return list(cursor.fetchall())


GROUPS: Final = (
    "SELECT why, last_outcome, last_status, subscription_id, event_type, delivery_id IS NOT NULL, count(*)"
    " FROM told GROUP BY 1, 2, 3, 4, 5, 6"
)


def group_of(row: Sequence[Any]) -> Group:
    """One row that GROUPS tells."""
    why, outcome, status, subscription, event_type, is_made, number = row
    return Group(why, outcome, status, _uuid(subscription), event_type, bool(is_made), number)


def _groups(found: Statement) -> list[Group]:
    """Each question reads all that fits, so this one asks for all that can be counted at once."""
    return [group_of(row) for row in _rows(found, GROUPS)]


def _failures(groups: Sequence[Group]) -> list[Failure]:
    totals: Counter[tuple[str, int | None]] = Counter()
    for each in groups:
        totals[each.outcome, each.status] += each.number
    return [Failure(outcome=o, status=s, count=number) for (o, s), number in totals.most_common()]


def _types(groups: Sequence[Group]) -> list[tuple[str, int]]:
    totals: Counter[str] = Counter()
    for each in groups:
        totals[each.event_type] += each.number
    return sorted(totals.items(), key=lambda each: (-each[1], each[0]))[:MOST_TYPES]


def _subscriptions(groups: Sequence[Group]) -> list[To]:
    totals: Counter[UUID] = Counter()
    for each in groups:
        totals[each.subscription] += each.number
    rows = Subscription.objects.filter(pk__in=totals).values_list(
        "pk", "name", "rate_per_s", "lane__hold", "lane__circuit"
    )
    return sorted(
        (
            To(id=key, name=name, count=totals[key], rate_per_s=rate, trouble=_trouble(hold, circuit))
            for key, name, rate, hold, circuit in rows
        ),
        key=lambda each: (-each.count, each.name),
    )


def _trouble(hold: str, circuit: str) -> str:
    if hold != Hold.NONE:
        return str(Hold(hold).label).lower()
    return {Circuit.OPEN: "circuit open", Circuit.HALF_OPEN: "circuit half-open"}.get(Circuit(circuit), "")


def _ends(found: Statement) -> tuple[list[Sample], list[Sample]]:
    """The first and the last few, each in order."""
    ends = [
        f"SELECT * FROM (SELECT {end} AS place, {', '.join(COLUMNS)} FROM chosen"  # noqa: S608 (names of our own)
        f" ORDER BY event_id {order}, subscription_id {order} LIMIT {SAMPLED}) AS end_{end}"
        for end, order in enumerate(("ASC", "DESC"))
    ]
    rows = _rows(found, " UNION ALL ".join(ends))
    first, last = ([_sample(*row) for place, *row in rows if place == end] for end in (0, 1))
    by_event = attrgetter("event_id", "subscription_id")
    return sorted(first, key=by_event), sorted(last, key=by_event)


def _sample(
    event: Any, subscription: Any, delivery: Any, event_type: str, outcome: str, status: int | None
) -> Sample:
    return Sample(
        event_id=_uuid(event),
        subscription_id=_uuid(subscription),
        delivery_id=_uuid(delivery) if delivery else None,
        event_type=event_type,
        outcome=outcome,
        status=status,
        at=_made_at(_uuid(event)),
    )


def _overtaken(choice: Choice, now: datetime) -> int:
    older = statement(choice, now, overtaken=True)
    return int(_rows(older, "SELECT count(*) FROM chosen")[0][0]) if older else 0


# -- what is left out ---------------------------------------------------------------------------------


def _left_out(choice: Choice, groups: Sequence[Group], now: datetime) -> list[LeftOut]:
    """Those that fit and cannot be acted on, by the first reason; and those that no one asked for by their state."""
    reasons: Counter[str] = Counter()
    for each in groups:
        if each.why is not None:
            reasons[each.why] += each.number
    told = [LeftOut(reason=reason, count=number) for reason, number in reasons.items()]
    told += _by_state(choice, now)
    if since := _delivered_since(choice, now):
        told.append(since)
    return [each for each in told if each.count]


def _by_state(choice: Choice, now: datetime) -> list[LeftOut]:
    """Where no status was asked for only what is dead is taken; the rest is told, as far as it is soon counted."""
    if choice.preset or choice.query.statuses:
        return []
    others = {"owed": OWED} if choice.is_discard else {"owed": OWED} | {s.value: (s,) for s in NOT_ASKED}
    told = []
    for name, statuses in others.items():
        number = delivery_pages.count(replace(choice.acted_on(), statuses=statuses), now)
        most = delivery_pages.COUNTED
        told.append(LeftOut(reason=name, count=min(number, most), more=number > most))
    return told


def _delivered_since(choice: Choice, now: datetime) -> LeftOut | None:
    """Of what was dead by these filters, that which a replay has brought home: it matches no more."""
    query = choice.acted_on()
    is_of_dead = (choice.preset or query.fingerprints or choice.query.statuses) and query.statuses == (
        Status.DEAD,
    )
    if choice.is_discard or choice.takes_missing or not is_of_dead or query.codes or query.outcomes:
        return None
    once = replace(query, statuses=(), fingerprints=())
    letters = DeadLetter.objects.filter(
        filters_of_letters(once, now), resolution="replayed", delivery__state=Status.DELIVERED.value
    )
    if query.fingerprints:
        letters = letters.filter(issue__fingerprint__in=query.fingerprints)
    most = delivery_pages.COUNTED
    number = len(letters.order_by().values_list("pk", flat=True)[: most + 1])
    return LeftOut(reason="delivered since", count=min(number, most), more=number > most)


def filters_of_letters(query: Any, now: datetime) -> Q:
    return Q(Exists(Delivery.objects.filter(filters_of(query, now).whole(), pk=OuterRef("delivery_id"))))


def _uuid(value: Any) -> UUID:
    return value if isinstance(value, UUID) else UUID(value)


def _made_at(key: UUID) -> datetime:
    """Ids tell the time."""
    return datetime.fromtimestamp((key.int >> 80) / 1000, UTC)
