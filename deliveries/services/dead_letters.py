"""Makes dead letters and the issues they form: the one place that does. It never changes a delivery."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from deliveries.deciders.own_types import DELIVERY_DEAD
from deliveries.models import DeadLetter, Delivery, Issue
from deliveries.models.dead_letter import IssueState
from webhooks.deciders.own import OWN_SOURCE
from webhooks.deciders.times import zulu
from webhooks.ids import public_id

from .announcements import News, announce_each, heard


@dataclass(frozen=True, kw_only=True, slots=True)
class Death:
    delivery_id: UUID
    subscription_id: UUID
    reason: str
    fingerprint: str
    status: int | None
    error: str
    outcome: str = ""


def bury(*, deaths: Sequence[Death], now: datetime) -> None:
    """Records that these deliveries were given up, in the caller's transaction.

    A delivery that died before has its dead letter opened again; an issue that was resolved has regressed.
    """
    if not deaths:
        return
    issues = _issues(deaths, now)
    DeadLetter.objects.bulk_create(
        [
            DeadLetter(
                delivery_id=death.delivery_id,
                subscription_id=death.subscription_id,
                issue_id=issues[death.subscription_id, death.fingerprint],
                reason=death.reason,
                died_at=now,
            )
            for death in deaths
        ],
        update_conflicts=True,
        unique_fields=["delivery"],
        update_fields=["issue", "reason", "died_at", "resolved_at", "resolution"],
    )
    _announce(deaths, now)


def _announce(deaths: Sequence[Death], now: datetime) -> None:
    """One question where nobody listens. Not of an announcement that died: nothing is told of itself."""
    heard_of = heard(DELIVERY_DEAD, {death.subscription_id for death in deaths})
    told = {death.delivery_id: death for death in deaths if death.subscription_id in heard_of}
    if not told:
        return
    rows = Delivery.objects.filter(pk__in=list(told)).exclude(source_id=OWN_SOURCE)
    found = rows.values_list("pk", "event_id", "external_id", "event_type", "attempts")
    announce_each([_news(told[row[0]], row, now) for row in found], now=now)


def _news(death: Death, row: tuple[UUID, UUID, str, str, int], now: datetime) -> News:
    delivery, event, external_id, event_type, attempts = row
    data = {
        "delivery": public_id("delivery", delivery),
        "event": public_id("event", event),
        "event_id": external_id,
        "event_type": event_type,
        "attempts": attempts,
        "reason": death.reason,
        "status": death.status,
        "error": death.error,
    }
    at = zulu(now, to="auto")
    key = f"{public_id('delivery', delivery)}/{at}"  # it may die again after a replay
    return News(kind=DELIVERY_DEAD, about=death.subscription_id, key=key, data=data)


def _issues(deaths: Iterable[Death], now: datetime) -> dict[tuple[UUID, str], UUID]:
    # Sorted, so that two dispatchers that bury the same failures lock their issues in one order.
    latest = {(death.subscription_id, death.fingerprint): death for death in deaths}
    Issue.objects.bulk_create(
        [
            Issue(
                subscription_id=subscription,
                fingerprint=fingerprint,
                reason=death.reason,
                outcome=death.outcome,
                status=death.status,
                error=death.error,
                first_seen_at=now,
                last_seen_at=now,
            )
            for (subscription, fingerprint), death in sorted(latest.items())
        ],
        update_conflicts=True,
        unique_fields=["subscription", "fingerprint"],
        update_fields=["last_seen_at", "status", "error"],
    )
    found = Issue.objects.filter(
        subscription_id__in={subscription for subscription, _ in latest},
        fingerprint__in={fingerprint for _, fingerprint in latest},
    )
    found.filter(state=IssueState.RESOLVED).update(state=IssueState.REGRESSED, state_at=now, state_by="")
    return {(issue.subscription_id, issue.fingerprint): issue.id for issue in found}
