"""Reads what one subscription's page tells: figures, latest deliveries, secrets, changes, notices, acts.

Each is bounded and found by an index; figures come from rollups.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db.models import Q, QuerySet

from deliveries.deciders.delivery_address import to_url
from deliveries.deciders.delivery_query import DeliveryQuery
from deliveries.models import CircuitChange, Delivery, Notice, Subscription, SubscriptionSecret
from deliveries.services.ping import JSON, Payload
from webhooks.ids import public_id
from webhooks.models import AuditEntry

from . import rollups
from .delivery_story import rows_of, sent_body
from .rollups import Figures

COARSER: Final = 2  # than an overview's charts: these are narrower, and there is more on the page
LATEST: Final = 8
CHANGES: Final = 8  # of its circuit: about two outages
NOTICES: Final = 4
ACTS: Final = 6
TYPES: Final = 40
LOOKED_AT: Final = 1_000  # of its newest deliveries, for types and payloads: one walk of an index
KIND: Final = "subscription"


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One slice of a chart, and the query by which its deliveries are listed."""

    start: datetime
    figures: Figures
    address: str  # begins with a question mark
    is_unfinished: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Course:
    """How a subscription fared in a window: altogether, and step by step."""

    total: Figures
    steps: Sequence[Step]


def course(subscription_id: UUID, span: str, now: datetime) -> Course:
    window = rollups.recent(span, now=now)
    window = replace(window, step_s=COARSER * window.step_s)
    found = rollups.series(window, subscription_id)
    ends = [start for start, _ in found[1:]] + [window.until]
    return Course(
        total=rollups.totals(window, subscription_id),
        steps=[
            Step(
                start=start,
                figures=figures,
                address=to_url(
                    DeliveryQuery(subscriptions=(subscription_id,), since="all", start=start, end=end)
                ),
                is_unfinished=end > now,
            )
            for (start, figures), end in zip(found, ends, strict=True)
        ],
    )


def latest(subscription_id: UUID) -> list[Delivery]:
    return rows_of(list(_newest(subscription_id).values_list("pk", flat=True)[:LATEST]))


def live_secrets(subscription_id: UUID, now: datetime) -> list[SubscriptionSecret]:
    """Those that sign, the newest first; what they are stays sealed."""
    live = Q(expires_at=None) | Q(expires_at__gt=now)
    rows = SubscriptionSecret.objects.filter(live, subscription_id=subscription_id).defer("sealed")
    return list(rows.order_by("-created_at", "-id"))


def circuit_changes(subscription_id: UUID) -> list[CircuitChange]:
    return list(CircuitChange.objects.filter(subscription_id=subscription_id).order_by("-id")[:CHANGES])


def notices_about(subscription_id: UUID) -> list[Notice]:
    about = Notice.objects.filter(object_kind=KIND, object_id=public_id(KIND, subscription_id))
    return list(about.order_by("-id")[:NOTICES])


def acts_upon(subscription_id: UUID) -> list[AuditEntry]:
    upon = AuditEntry.objects.filter(object_kind=KIND, object_id=public_id(KIND, subscription_id))
    return list(upon.order_by("-id")[:ACTS])


def known_types(subscription: Subscription) -> list[str]:
    """What it lately got, and what it names without a star: types that a test may bear."""
    lately = _newest(subscription.pk).values_list("event_type", flat=True)[:LOOKED_AT]
    return sorted({each for each in (*lately, *subscription.event_types) if each and "*" not in each})[:TYPES]


def last_payload(subscription_id: UUID, event_type: str) -> Payload | None:
    """What was last to be sent there of this type, among its newest deliveries; nothing once its body is dropped."""
    newest = _newest(subscription_id).values_list("pk", "event_type")[:LOOKED_AT]
    key = next((key for key, each in newest if each == event_type), None)
    last = Delivery.objects.filter(pk=key).first() if key else None
    sent = sent_body(last) if last else None
    if last is None or sent is None:
        return None
    return Payload(body=sent[0], content_type=sent[1] or JSON, delivery_id=last.pk)


def _newest(subscription_id: UUID) -> QuerySet[Delivery]:
    return Delivery.objects.filter(subscription_id=subscription_id).order_by("-pk")
