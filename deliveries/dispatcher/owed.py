"""Writes down what an event is owed: its deliveries, each with its turn, its version and its first state."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import NamedTuple
from uuid import UUID

from django.db import transaction

from deliveries.deciders.matching import Wanted
from deliveries.deciders.outcome import Outcome, fingerprint
from deliveries.deciders.versions import is_outdated
from deliveries.models import Delivery, DeliveryState
from deliveries.services.dead_letters import Death, bury
from deliveries.services.telling import tell_settled
from webhooks import rows, story
from webhooks.ids import uuid7

from . import ordered, tallies, versions
from .tallies import Died


class Arrived(NamedTuple):
    """An event that waits for its router."""

    id: UUID
    source_id: UUID
    event_type: str
    external_id: str
    size: int
    entity: str
    entity_version: int | None
    cause_id: UUID | None  # the delivery it says it follows from
    trace_id: UUID
    target_id: UUID | None  # the one subscriber it is for


@dataclass(frozen=True, kw_only=True, slots=True)
class Owed:
    """One delivery to be made; `failure` says why it is dead from the start."""

    event: Arrived
    wanted: Wanted
    failure: str = ""

    @property
    def subscription_id(self) -> UUID:
        return self.wanted.subscription_id


class _Made(NamedTuple):
    delivery_id: UUID
    owed: Owed
    state: DeliveryState
    seq: int | None


_COLUMNS = (
    "id", "event", "subscription", "source", "event_type", "external_id", "state", "phase", "created_at",
    "due_at", "attempts", "budget_from", "budget_at", "settled_at", "last_outcome", "last_error", "fingerprint",
    "seq",
)  # fmt: skip


def insert(owed: Sequence[Owed], now: datetime) -> None:
    """In the router's transaction, which holds the lanes. A pair that is there already is passed over."""
    made = _made(owed, now)
    rows.insert(Delivery, _COLUMNS, [_row(each, now) for each in made], ignore=True)
    late = [each.delivery_id for each in made if each.state == DeliveryState.SUPERSEDED]
    tell_settled("superseded", late, now)
    deaths = {each.delivery_id: _death(each) for each in made if each.state == DeliveryState.DEAD}
    if deaths:
        # Not those whose pair was there already: their row was passed over.
        truly = Delivery.objects.filter(id__in=list(deaths)).values_list("id", flat=True)
        buried = [deaths[delivery] for delivery in truly]
        bury(deaths=buried, now=now)
        told = {each.delivery_id: each.owed.event for each in made if each.delivery_id in deaths}
        died = [
            Died(
                lane_id=death.subscription_id,
                event_type=told[death.delivery_id].event_type,
                attempt_id=None,
                outcome=Outcome.FILTER_FAILED,
            )
            for death in buried
        ]
        tallies.add(recorded=(), died=died, now=now)
        for death in buried:
            transaction.on_commit(partial(_tell, death, told[death.delivery_id]))


def _tell(death: Death, event: Arrived) -> None:
    story.tell(
        "dead",
        event_id=event.id,
        delivery_id=death.delivery_id,
        subscription_id=death.subscription_id,
        reason=death.reason,
        error=death.error,
        trace_id=event.trace_id,
    )


def _made(owed: Sequence[Owed], now: datetime) -> list[_Made]:
    """Every delivery of an ordered lane gets a turn, the dead too: a person may send them again in their place."""
    turns = ordered.number(Counter(each.subscription_id for each in owed if each.wanted.is_ordered))
    late = _outdated(owed, now)
    return [
        _Made(uuid7(), each, _state(each, late), next(turns.get(each.subscription_id, iter(())), None))
        for each in owed
    ]


def _outdated(owed: Sequence[Owed], now: datetime) -> Collection[tuple[UUID, UUID]]:
    """The pairs whose lane has seen a newer version, in this batch or before it."""
    # What its filter failed on is not owed in full, so it makes nothing else outdated.
    told = [each for each in owed if each.wanted.latest_only and not each.failure]
    seen = versions.seen_in((each.subscription_id, each.event) for each in told)
    if not seen:
        return ()
    versions.raise_to(seen, now)
    highest = versions.highest(seen.keys())
    return {
        (each.event.id, each.subscription_id)
        for each in told
        if is_outdated(each.event, highest.get((each.subscription_id, each.event.entity)))
    }


def _state(each: Owed, outdated: Collection[tuple[UUID, UUID]]) -> DeliveryState:
    if each.failure:
        return DeliveryState.DEAD
    is_late = (each.event.id, each.subscription_id) in outdated
    return DeliveryState.SUPERSEDED if is_late else DeliveryState.PENDING


def _row(each: _Made, now: datetime) -> tuple[object, ...]:
    event, is_dead = each.owed.event, each.state == DeliveryState.DEAD
    is_pending = each.state == DeliveryState.PENDING
    return (
        each.delivery_id, event.id, each.owed.subscription_id, event.source_id, event.event_type,
        event.external_id, each.state, 0, now, now if is_pending else None, 0, 0, now,
        None if is_pending else now, Outcome.FILTER_FAILED.value if is_dead else "", each.owed.failure,
        _death(each).fingerprint if is_dead else "", each.seq,
    )  # fmt: skip


def _death(each: _Made) -> Death:
    subscription, reason, error = each.owed.subscription_id, Outcome.FILTER_FAILED, each.owed.failure
    return Death(
        delivery_id=each.delivery_id,
        subscription_id=subscription,
        reason=reason.value,
        fingerprint=fingerprint(str(subscription), reason, None, error),
        status=None,
        error=error,
        outcome=reason.value,
    )
