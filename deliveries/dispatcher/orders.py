"""What a lane's owner must know to send: address, secrets, form, schedule. Read afresh when its revision rises."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from django.db.models import Prefetch, Q

from deliveries.deciders import replaying
from deliveries.deciders.circuit import Rules
from deliveries.deciders.outcome import ClientErrors
from deliveries.deciders.retry import Schedule
from deliveries.models import Format, Hold, Lane, Ordering, Subscription, SubscriptionSecret
from deliveries.services.defaults import (
    circuit_rules_of,
    client_errors_of,
    headers_of,
    schedule_of,
    timeout_of,
)
from webhooks.deciders.expressions import Expression, compile_expression
from webhooks.deciders.standard import Signer
from webhooks.sealing import Unreadable

from . import pace
from .admission import Run, runs_of

FAULTS = (Unreadable, ValueError, TypeError)  # a lost key, or a row that was written past the services


@dataclass(frozen=True, kw_only=True, slots=True)
class Act:
    """What a person last asked of the lane's circuit, and the pace as the row has it.

    Where the row says that it is done and its owner does not know, a commit was heard of as a failure.
    """

    order: str
    number: int
    kept: pace.Pace


@dataclass(frozen=True, kw_only=True, slots=True)
class Orders:
    subscription_id: UUID
    revision: int
    url: str
    signer: Signer
    secrets_until: datetime | None  # when the first of the live secrets expires and these orders with it
    headers: Mapping[str, str]
    transform: Expression | None
    is_cloudevents: bool
    timeout_s: float
    rules: Rules
    rate_per_s: float | None
    schedule: Schedule
    client_errors: ClientErrors
    is_ordered: bool = False
    latest_only: bool = False
    act: Act | None = None
    runs: Sequence[Run] = ()  # running replays; while one may exceed it, `rate_per_s` is the lane's


@dataclass(frozen=True, kw_only=True, slots=True)
class Loaded:
    """The orders that could be made, and of the others why not, in a sentence for a person."""

    orders: dict[UUID, Orders]
    broken: dict[UUID, str]


def load(*, revisions: Mapping[UUID, int], now: datetime) -> Loaded:
    """Reads the orders of these lanes, whatever their number, in three queries, unless one of them is broken."""
    try:
        return Loaded(orders=_read(revisions, now), broken={})
    except FAULTS:
        return _load_one_by_one(revisions, now)


def _load_one_by_one(revisions: Mapping[UUID, int], now: datetime) -> Loaded:
    loaded = Loaded(orders={}, broken={})
    for lane, revision in revisions.items():
        try:
            loaded.orders.update(_read({lane: revision}, now))
        except FAULTS as fault:
            # What a ValueError says may quote what it could not read.
            loaded.broken[lane] = (
                str(fault) if isinstance(fault, Unreadable) else "Its settings cannot be read."
            )
    return loaded


def _read(revisions: Mapping[UUID, int], now: datetime) -> dict[UUID, Orders]:
    live = SubscriptionSecret.objects.filter(Q(expires_at__isnull=True) | Q(expires_at__gt=now))
    rows = (
        Subscription.objects.filter(id__in=list(revisions))
        .select_related("lane")
        .prefetch_related(Prefetch("secrets", queryset=live.order_by("-created_at", "-id")))
    )
    runs = runs_of(revisions)
    return {row.id: _orders(row, revisions[row.id], now, runs.get(row.id, ())) for row in rows}


def stale(orders: Mapping[UUID, Orders], revisions: Mapping[UUID, int], now: datetime) -> Collection[UUID]:
    """The lanes whose orders are missing, were changed by a person, or hold a secret that has expired."""
    return [
        lane
        for lane, revision in revisions.items()
        if (known := orders.get(lane)) is None
        or known.revision != revision
        or (known.secrets_until is not None and known.secrets_until <= now)
    ]


def _act(lane: Lane, now: datetime) -> Act:
    row = {name: getattr(lane, name) for name in pace.COLUMNS}
    return Act(order=lane.order, number=lane.order_number, kept=pace.read(row, now=now, is_orphan=False))


def _paced(row: Subscription, runs: Sequence[Run]) -> Sequence[Run]:
    """Each at its pace in this lane; none in a lane that a person holds."""
    if row.lane.hold != Hold.NONE:
        return ()
    return [
        replace(run, rate_per_s=replaying.pace(run.rate_per_s, row.rate_per_s, exceeds=run.exceeds_limits))
        for run in runs
    ]


def _rate(row: Subscription, runs: Sequence[Run]) -> float | None:
    """The lane's own, unless a replay was allowed more: then that, for as long as it runs."""
    if row.rate_per_s is None:
        return None
    return max(row.rate_per_s, *(run.rate_per_s or 0.0 for run in runs if run.exceeds_limits), 0.0)


def _orders(row: Subscription, revision: int, now: datetime, runs: Sequence[Run]) -> Orders:
    secrets, runs = list(row.secrets.all()), _paced(row, runs)
    return Orders(
        subscription_id=row.id,
        revision=revision,
        url=row.url,
        signer=Signer.of([secret.sealed for secret in secrets]),
        secrets_until=min((s.expires_at for s in secrets if s.expires_at), default=None),
        headers=headers_of(row),
        transform=compile_expression(row.transform) if row.transform else None,
        is_cloudevents=row.format == Format.CLOUDEVENTS,
        timeout_s=timeout_of(row),
        rules=circuit_rules_of(row),
        rate_per_s=_rate(row, runs),
        schedule=schedule_of(row),
        client_errors=client_errors_of(row),
        is_ordered=row.ordering == Ordering.STRICT,
        latest_only=row.latest_only,
        act=_act(row.lane, now) if row.lane.order_number else None,
        runs=runs,
    )
