"""Gives events that say what caused them their place in a cascade, and sets aside what its guards hold back.

A cause is a claim of the sender's until it is found here; what does not hold is noted and taken back, and depth is
counted from the cause's own, never believed. All in the router's transaction: only one routes at a time, and the rows
of cascades are locked against people who release something meanwhile.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from django.conf import settings
from django.db.models import F, Value
from django.db.models.functions import Coalesce

from deliveries.deciders.cascade_guard import UNSPENT, Limits, Spent, Why, admit
from deliveries.deciders.causes import Doubt, Known, doubt
from deliveries.models import Cascade, Delivery, DoubtedCause, Quarantine
from deliveries.models.cascade import Fate
from deliveries.services.notices import notify
from webhooks import rows
from webhooks.ids import first_id_at
from webhooks.models import Event, EventState, Source

from .owed import Arrived

DEEPEST = 32_767  # what the column counts up to

_PLACE = "UPDATE webhooks_event AS e SET trace_id = v.trace_id, depth = v.depth FROM %s WHERE e.id = v.id"
_COUNTED = (
    "trace_id", "root", "created_at", "events", "depth", "budget_from", "budget_spent", "quarantined",
    "quarantined_at",
)  # fmt: skip
# A cascade begins with the first event that another caused, and counts that other one, too.
_COUNT = """INSERT INTO deliveries_cascade AS c (trace_id, root_id, created_at, events, depth, budget_from,
budget_spent, quarantined, quarantined_at)
SELECT trace_id, root_id, created_at, 1 + events, depth, budget_from, budget_spent, quarantined, quarantined_at
FROM %s WHERE true ON CONFLICT (trace_id) DO UPDATE SET events = c.events + excluded.events - 1,
depth = CASE WHEN excluded.depth > c.depth THEN excluded.depth ELSE c.depth END,
budget_from = excluded.budget_from, budget_spent = excluded.budget_spent,
quarantined = c.quarantined + excluded.quarantined,
quarantined_at = COALESCE(c.quarantined_at, excluded.quarantined_at)"""


class _Cause(NamedTuple):
    """A delivery that there is, and where its event stands."""

    event_id: UUID
    trace_id: UUID
    depth: int


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
    roots: Mapping[UUID, UUID] = field(
        default_factory=dict
    )  # by cascade: the first event that is known of it
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
    roots = _roots(causes[event.cause_id] for event in caused)
    cascades = _locked(roots)
    spent = {trace: Spent(since=since, events=events) for trace, since, events, _ in cascades}
    after = dict(spent)
    return Placed(
        places=_judged(caused, causes, after, now),
        doubts=doubts,
        roots=roots,
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


def count_again(trace: UUID | None, now: datetime) -> None:
    """An event that this cascade counts, and that was released, is back in quarantine, since it could not be routed."""
    if trace is not None:
        held = Cascade.objects.filter(pk=trace)
        held.update(quarantined=F("quarantined") + 1, quarantined_at=Coalesce("quarantined_at", Value(now)))


def _causes(claiming: Sequence[Arrived]) -> dict[UUID | None, _Cause]:
    found = Delivery.objects.filter(pk__in={event.cause_id for event in claiming}, event__depth__lt=DEEPEST)
    columns = ("pk", "event_id", "event__trace_id", "event__depth")
    return {pk: _Cause(*rest) for pk, *rest in found.values_list(*columns)}


def _doubts(
    claiming: Sequence[Arrived], causes: Mapping[UUID | None, _Cause], now: datetime
) -> dict[UUID, tuple[UUID, Doubt]]:
    oldest = first_id_at(now - timedelta(days=settings.HUB_KEEP_ROWS_DAYS))
    owned = Source.objects.filter(pk__in={event.source_id for event in claiming}, subscriber__isnull=False)
    owners = dict(owned.values_list("pk", "subscriber_id"))
    subscribers = _subscribers(causes) if owners else {}  # else nobody asks whose they are
    doubts = {}
    for event in claiming:
        assert event.cause_id is not None  # noqa: S101 (those that claim one)
        known = Known(subscriber_id=subscribers.get(event.cause_id)) if event.cause_id in causes else None
        found = doubt(claimed=event.cause_id, known=known, owner=owners.get(event.source_id), oldest=oldest)
        if found is not None:
            doubts[event.id] = (event.cause_id, found)
    return doubts


def _subscribers(deliveries: Iterable[UUID | None]) -> dict[UUID, UUID]:
    found = Delivery.objects.filter(pk__in=list(deliveries))
    return dict(found.values_list("pk", "subscription__subscriber_id"))


def _roots(causes: Iterable[_Cause]) -> dict[UUID, UUID]:
    roots: dict[UUID, UUID] = {}
    for cause in causes:
        known = roots.setdefault(cause.trace_id, cause.event_id)
        if cause.event_id < known:
            roots[cause.trace_id] = cause.event_id
    return roots


def _locked(traces: Collection[UUID]) -> list[tuple[UUID, datetime | None, int, int]]:
    """Those of the cascades that there are, with their budgets."""
    if not traces:
        return []
    locked = Cascade.objects.select_for_update().filter(pk__in=list(traces)).order_by("pk")
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
        admission = admit(depth=depth, spent=running.get(trace, UNSPENT), limits=limits, now=now)
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
    by_cascade: dict[UUID, list[Place]] = {}
    for each in standing:
        by_cascade.setdefault(each.trace_id, []).append(each)
    rows.update(
        Cascade,
        sql=_COUNT,
        columns=_COUNTED,
        rows=[
            _counted(trace, placed.roots[trace], places, spent.get(trace, UNSPENT), now)
            for trace, places in by_cascade.items()
        ],
    )
    for trace, places in by_cascade.items():
        reasons = [each.why for each in places if each.why]
        if reasons and trace not in placed.told:
            _tell(trace, reasons[0])


def _counted(trace: UUID, root: UUID, places: Sequence[Place], spent: Spent, now: datetime) -> rows.Row:
    events = sum(not each.is_counted for each in places)
    held = sum(each.why is not None for each in places)
    depth = max(each.depth for each in places)
    return trace, root, now, events, depth, spent.since, spent.events, held, now if held else None


def _spent(standing: Sequence[Place], before: Mapping[UUID, Spent], now: datetime) -> dict[UUID, Spent]:
    """How budgets stand once these alone are written."""
    limits, spent = _limits(), dict(before)
    for each in standing:
        if each.spends and not each.why:
            spent_so_far = spent.get(each.trace_id, UNSPENT)
            admitted = admit(depth=each.depth, spent=spent_so_far, limits=limits, now=now)
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
