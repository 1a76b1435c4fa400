"""Counts what a replay would send, by error, type and subscription, and what it would leave out. It changes nothing."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, Final
from uuid import UUID

from django.db import connection
from django.db.models import Case, CharField, Count, Q, Value, When

from deliveries.deciders.delivery_query import Status
from deliveries.deciders.replay_choice import Choice
from deliveries.models import Circuit, DeadLetter, Delivery, Hold, Subscription

from . import delivery_pages
from .delivery_filters import filters_of
from .replay_set import COLUMNS, Statement, any_of, asked_for, left_out, statement

MOST_TYPES: Final = 8  # shown; the rest is told as one number
SAMPLED: Final = 3  # first and last rows
NOT_ASKED: Final = (Status.DELIVERED, Status.DISCARDED, Status.SUPERSEDED)
OWED: Final = (Status.HELD, Status.PENDING, Status.RETRYING)


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
    sums = _sums(choice, found, now)
    if found is None or not sums.count:
        return sums
    first, last = _ends(found)
    overtaken = 0 if choice.newest_only or choice.is_discard else _overtaken(choice, now)
    return replace(sums, overtaken=overtaken, first=first, last=last)


def summary(choice: Choice, now: datetime) -> dict[str, Any]:
    """What is kept of the estimate with the replay, as JSON."""
    sums = _sums(choice, statement(choice, now), now)
    return {
        "failures": [[each.outcome, each.status, each.count] for each in sums.failures[:MOST_TYPES]],
        "types": [list(each) for each in sums.types],
        "subscriptions": [[each.id.hex, each.name, each.count] for each in sums.subscriptions],
        "left_out": [[each.reason, each.count, each.more] for each in sums.left_out],
    }


def _sums(choice: Choice, found: Statement | None, now: datetime) -> Estimate:
    """All that is counted. Each question reads all that is chosen, so there are few of them."""
    groups = _groups(found) if found else []
    count = sum(number for *_, number in groups)
    reasons = _left_out(choice, now, count - sum(n for *_, has, n in groups if not has))
    types = _types(groups)
    return Estimate(
        count=count,
        missing=sum(number for *_, has_delivery, number in groups if not has_delivery),
        failures=_failures(groups),
        types=types,
        other_types=count - sum(number for _, number in types),
        subscriptions=_subscriptions(groups),
        left_out=reasons,
    )


def count(choice: Choice, now: datetime) -> int:
    """The same number, for a button."""
    found = statement(choice, now)
    return int(_rows(found, "SELECT count(*) FROM chosen")[0][0]) if found else 0


def _rows(found: Statement, question: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(f"{found.sql} {question}", found.values)
        return list(cursor.fetchall())


def _groups(found: Statement) -> list[tuple[Any, ...]]:
    by = "last_outcome, last_status, subscription_id, event_type, delivery_id IS NOT NULL"
    return _rows(found, f"SELECT {by}, count(*) FROM chosen GROUP BY {by}")  # noqa: S608 (names of our own)


def _failures(groups: Sequence[tuple[Any, ...]]) -> list[Failure]:
    totals: Counter[tuple[str, int | None]] = Counter()
    for outcome, status, _, _, _, number in groups:
        totals[outcome, status] += number
    return [Failure(outcome=o, status=s, count=number) for (o, s), number in totals.most_common()]


def _types(groups: Sequence[tuple[Any, ...]]) -> list[tuple[str, int]]:
    totals: Counter[str] = Counter()
    for _, _, _, name, _, number in groups:
        totals[str(name)] += int(number)
    return sorted(totals.items(), key=lambda each: (-each[1], each[0]))[:MOST_TYPES]


def _subscriptions(groups: Sequence[tuple[Any, ...]]) -> list[To]:
    totals: Counter[UUID] = Counter()
    for _, _, subscription, _, _, number in groups:
        totals[_uuid(subscription)] += number
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


def _left_out(choice: Choice, now: datetime, taken: int) -> list[LeftOut]:
    """Those that fit and cannot be acted on, by the first reason; and those that no one asked for by their state."""
    told = [LeftOut(reason=reason, count=number) for reason, number in _kept_back(choice, now, taken).items()]
    if choice.newest_only and not choice.is_discard and (older := _overtaken_by_choice(choice, now)):
        told.append(LeftOut(reason="overtaken", count=older))
    told += _by_state(choice, now)
    if since := _delivered_since(choice, now):
        told.append(since)
    return [each for each in told if each.count]


def _kept_back(choice: Choice, now: datetime, taken: int) -> Mapping[str, int]:
    reasons = left_out(choice)
    asked = asked_for(choice, now)
    if not choice.newest_only and asked.count() == taken:
        return {}
    first = Case(
        *(When(Q(condition), then=Value(name)) for name, condition in reasons.items()),
        output_field=CharField(),
    )
    kept = asked.filter(any_of(list(reasons.values()))).annotate(why=first).order_by()
    return dict(kept.values_list("why").annotate(Count("pk")))


def _overtaken_by_choice(choice: Choice, now: datetime) -> int:
    return _overtaken(replace(choice, newest_only=False), now)


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
    return Q(delivery__in=Delivery.objects.filter(filters_of(query, now).whole()))


def _uuid(value: Any) -> UUID:
    return value if isinstance(value, UUID) else UUID(value)


def _made_at(key: UUID) -> datetime:
    """Ids tell the time."""
    return datetime.fromtimestamp((key.int >> 80) / 1000, UTC)
