"""Gives events that say what caused them their place in a cascade, and sets aside what its guards hold back.

A cause is a claim of the sender's until it is found here; what does not hold is noted and taken back, and depth is
counted from the cause's own, never believed. All in the router's transaction: only one routes at a time, and the rows
of cascades are locked against people who release something meanwhile.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from django.conf import settings

from deliveries.deciders.cascade_guard import Limits, Spent, Why, admit
from deliveries.deciders.causes import Doubt, Known, doubt
from deliveries.models import Cascade, Delivery, DoubtedCause, Quarantine, Subscription
from deliveries.models.cascade import Fate
from deliveries.services.notices import notify
from webhooks import rows
from webhooks.ids import first_id_at
from webhooks.models import Event, EventState, Source

from .owed import Arrived

DEEPEST = 32_767  # what the column counts up to

_PLACE = "UPDATE webhooks_event AS e SET trace_id = v.trace_id, depth = v.depth FROM %s WHERE e.id = v.id"
_COUNT = """UPDATE deliveries_cascade AS c SET events = c.events + v.events, budget_from = v.budget_from,
budget_spent = v.budget_spent, quarantined = c.quarantined + v.quarantined,
depth = CASE WHEN v.depth > c.depth THEN v.depth ELSE c.depth END,
quarantined_at = COALESCE(c.quarantined_at, v.quarantined_at) FROM %s WHERE c.trace_id = v.trace_id"""
_MADE = ("trace_id", "root", "created_at", "events", "depth", "budget_spent", "quarantined")
_NEW = (1, 0, 0, 0)  # of the last four: its first event, and nothing of its budget
_COUNTED = ("trace_id", "events", "depth", "budget_from", "budget_spent", "quarantined", "quarantined_at")


class _Cause(NamedTuple):
    """A delivery that there is, and where its event stands."""

    event_id: UUID
    trace_id: UUID
    depth: int
    lane_id: UUID


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where an event stands; with a `why`, where it stops. One that a person released spends nothing."""

    event_id: UUID
    trace_id: UUID
    depth: int
    why: Why | None = None
    spends: bool = True
    is_counted: bool = False  # it was when it was set aside


@dataclass(frozen=True, kw_only=True, slots=True)
class Placed:
    """What was found of a batch, before anything of it is written."""

    places: Sequence[Place] = ()
    doubts: Mapping[UUID, tuple[UUID, Doubt]] = field(default_factory=dict)  # by event: what it claimed
    spent: Mapping[UUID, Spent] = field(default_factory=dict)  # by cascade, before this batch
    after: Mapping[UUID, Spent] = field(default_factory=dict)  # and once all of these places are written
    told: Collection[UUID] = ()  # cascades of which a person knows that they run away

    def held(self) -> frozenset[UUID]:
        return frozenset(place.event_id for place in self.places if place.why)

    def traces(self) -> dict[UUID, UUID]:
        return {place.event_id: place.trace_id for place in self.places}


NOWHERE = Placed()


def place(waiting: Iterable[Arrived], now: datetime) -> Placed:
    """Where events go that say what caused them. Without any it asks nothing."""
    claiming = [event for event in waiting if event.cause_id]
    if not claiming:
        return NOWHERE
    causes = _causes(claiming)
    doubts = _doubts(claiming, causes, now)
    caused = [event for event in claiming if event.id not in doubts]
    cascades = _open({causes[event.cause_id] for event in caused if event.cause_id}, now)
    spent = {trace: Spent(since=since, events=events) for trace, since, events, _ in cascades}
    after = dict(spent)
    return Placed(
        places=_judged(caused, causes, after, now),
        doubts=doubts,
        spent=spent,
        after=after,
        told=[trace for trace, *_, quarantined in cascades if quarantined],
    )


def write(placed: Placed, whole: Iterable[UUID], now: datetime) -> None:
    """Writes the places of the events that this batch routes, and of all that are held back."""
    if placed is NOWHERE:
        return
    done = set(whole)
    _take_back({event: said for event, said in placed.doubts.items() if event in done})
    standing = [each for each in placed.places if each.why or each.event_id in done]
    if not standing:
        return
    found = [(each.event_id, each.trace_id, each.depth) for each in standing]
    rows.update(Event, sql=_PLACE, columns=("id", "trace_id", "depth"), rows=found)
    _set_aside([each for each in standing if each.why], now)
    _count(standing, placed, now)


def _causes(claiming: Sequence[Arrived]) -> dict[UUID | None, _Cause]:
    found = Delivery.objects.filter(pk__in={event.cause_id for event in claiming}, event__depth__lt=DEEPEST)
    columns = ("pk", "event_id", "event__trace_id", "event__depth", "subscription_id")
    return {pk: _Cause(*rest) for pk, *rest in found.values_list(*columns)}


def _doubts(
    claiming: Sequence[Arrived], causes: Mapping[UUID | None, _Cause], now: datetime
) -> dict[UUID, tuple[UUID, Doubt]]:
    oldest = first_id_at(now - timedelta(days=settings.HUB_KEEP_ROWS_DAYS))
    owned = Source.objects.filter(pk__in={event.source_id for event in claiming}, subscriber__isnull=False)
    owners = dict(owned.values_list("pk", "subscriber_id"))
    lanes = {cause.lane_id for cause in causes.values()} if owners else ()  # else nobody asks whose they are
    subscribers = dict(Subscription.objects.filter(pk__in=lanes).values_list("pk", "subscriber_id"))
    doubts = {}
    for event in claiming:
        assert event.cause_id is not None  # noqa: S101 (those that claim one)
        cause = causes.get(event.cause_id)
        known = Known(subscriber_id=subscribers.get(cause.lane_id)) if cause else None
        found = doubt(claimed=event.cause_id, known=known, owner=owners.get(event.source_id), oldest=oldest)
        if found is not None:
            doubts[event.id] = (event.cause_id, found)
    return doubts


def _open(causes: Collection[_Cause], now: datetime) -> list[tuple[UUID, datetime | None, int, int]]:
    """Their cascades with their budgets, locked; one begins with the first event that another caused."""
    roots = {cause.trace_id: cause.event_id for cause in sorted(causes, reverse=True)}
    if not roots:
        return []
    made = [(trace, root, now, *_NEW) for trace, root in sorted(roots.items())]
    rows.insert(Cascade, _MADE, made, ignore=True)
    locked = Cascade.objects.select_for_update().filter(pk__in=list(roots)).order_by("pk")
    return list(locked.values_list("pk", "budget_from", "budget_spent", "quarantined"))


def _judged(
    caused: Sequence[Arrived],
    causes: Mapping[UUID | None, _Cause],
    running: dict[UUID, Spent],
    now: datetime,
) -> list[Place]:
    """In the order in which they came, so that of a flood the first go on. `running` is how budgets stand then."""
    if not caused:
        return []
    # They were read in the order of their ids, so this asks by two of them, and hardly ever finds any.
    first, last = caused[0].id, caused[-1].id
    let_go = Quarantine.objects.filter(pk__gte=first, pk__lte=last, fate=Fate.RELEASED)
    released = dict(let_go.values_list("event_id", "trace_id"))
    limits, places = _limits(), []
    for event in caused:
        cause = causes[event.cause_id]
        trace, depth = cause.trace_id, cause.depth + 1
        if event.id in released:
            is_counted = released[event.id] is not None
            places.append(
                Place(event_id=event.id, trace_id=trace, depth=depth, spends=False, is_counted=is_counted)
            )
            continue
        admission = admit(depth=depth, spent=running[trace], limits=limits, now=now)
        running[trace] = admission.spent
        places.append(Place(event_id=event.id, trace_id=trace, depth=depth, why=admission.why))
    return places


def _limits() -> Limits:
    return Limits(
        depth=settings.HUB_CASCADE_DEPTH,
        budget=settings.HUB_CASCADE_BUDGET,
        window=timedelta(seconds=settings.HUB_CASCADE_WINDOW_S),
    )


def _take_back(doubts: Mapping[UUID, tuple[UUID, Doubt]]) -> None:
    if doubts:
        noted = [
            DoubtedCause(event_id=event, claimed_id=said, why=why) for event, (said, why) in doubts.items()
        ]
        DoubtedCause.objects.bulk_create(noted, ignore_conflicts=True)
        Event.objects.filter(pk__in=list(doubts)).update(cause_id=None)


def _set_aside(held: Sequence[Place], now: datetime) -> None:
    if not held:
        return
    ids = [each.event_id for each in held]
    Event.objects.filter(pk__in=ids, state=EventState.RECEIVED).update(state=EventState.QUARANTINED)
    Quarantine.objects.bulk_create(
        Quarantine(event_id=each.event_id, trace_id=each.trace_id, why=each.why, set_aside_at=now)
        for each in held
        if each.why
    )


def _count(standing: Sequence[Place], placed: Placed, now: datetime) -> None:
    spent = placed.after if len(standing) == len(placed.places) else _spent(standing, placed.spent, now)
    events, held = Counter[UUID](), Counter[UUID]()
    depths: dict[UUID, int] = {}
    for each in standing:
        events[each.trace_id] += not each.is_counted
        held[each.trace_id] += each.why is not None
        depths[each.trace_id] = max(depths.get(each.trace_id, 0), each.depth)
    rows.update(
        Cascade,
        sql=_COUNT,
        columns=_COUNTED,
        rows=[
            (trace, events[trace], depths[trace], spent[trace].since, spent[trace].events, held[trace],
             now if held[trace] else None)
            for trace in sorted(depths)
        ],
    )  # fmt: skip
    for trace in sorted(held):
        if held[trace] and trace not in placed.told:
            _tell(trace, next(each.why for each in standing if each.trace_id == trace and each.why))


def _spent(standing: Sequence[Place], before: Mapping[UUID, Spent], now: datetime) -> dict[UUID, Spent]:
    """How budgets stand once these alone are written."""
    limits, spent = _limits(), dict(before)
    for each in standing:
        if each.spends and not each.why:
            admitted = admit(depth=each.depth, spent=spent[each.trace_id], limits=limits, now=now)
            spent[each.trace_id] = admitted.spent
    return spent


def _tell(trace: UUID, why: Why) -> None:
    """Once, however many follow: until somebody has released or discarded them all."""
    said = {
        Why.DEPTH: f"It is more than {settings.HUB_CASCADE_DEPTH} hops deep, as a loop is.",
        Why.BUDGET: (
            f"It made more than {settings.HUB_CASCADE_BUDGET:,} events within {settings.HUB_CASCADE_WINDOW_S} s."
        ),
    }[why]
    text = f"A cascade runs away. {said} What exceeds that is stored and not routed; it waits for a person."
    notify(kind="cascade-quarantined", object_kind="cascade", object_id=trace, text=text)
