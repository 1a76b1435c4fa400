"""Reads what one delivery's page tells: its attempts, its siblings, who replayed it. Bounded and by index."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from deliveries.models import (
    Attempt,
    Delivery,
    DeliveryBody,
    DeliveryState,
    Exchange,
    ReplayItem,
    SubscriptionSecret,
)
from deliveries.models.replay import ItemState
from webhooks.ids import public_id
from webhooks.models import AuditEntry, EventBody

MOST_ATTEMPTS = 100  # of the newest; replays may add any number
MOST_SIBLINGS = 20
SAME_FAILURE = 1_000  # counted; more is shown as 1k+


def attempts_of(delivery_id: UUID) -> list[Attempt]:
    """The newest so many, oldest first."""
    return list(Attempt.objects.filter(delivery_id=delivery_id).order_by("-number")[:MOST_ATTEMPTS])[::-1]


def attempt_of(delivery_id: UUID, number: int) -> Attempt | None:
    return Attempt.objects.filter(delivery_id=delivery_id, number=number).first()


def exchange_of(attempt: Attempt) -> Exchange | None:
    """Nothing when retention has dropped it."""
    return Exchange.objects.filter(pk=attempt.pk).first()


def pairs_of(headers: Any) -> list[tuple[str, str]]:
    """An exchange's headers by name and value; they are stored as an object or as pairs."""
    each: Iterable[Any] = headers.items() if isinstance(headers, dict) else headers
    return [(str(name), str(value)) for name, value in each]


def sent_body(delivery: Delivery) -> tuple[bytes, str] | None:
    """What every attempt sends, and its type: the transform's result, or the bytes that came."""
    came = EventBody.objects.filter(pk=delivery.event_id).values_list("body", "content_type").first()
    made = DeliveryBody.objects.filter(pk=delivery.pk).values_list("body", flat=True).first()
    if made is not None:
        return bytes(made), came[1] if came else ""
    return (bytes(came[0]), came[1]) if came else None


def siblings_of(delivery: Delivery) -> list[Delivery]:
    """The same event to other subscriptions."""
    others = Delivery.objects.filter(event_id=delivery.event_id).exclude(pk=delivery.pk)
    return list(brief(others).order_by("pk")[:MOST_SIBLINGS])


def replays_of(delivery_id: UUID) -> list[tuple[datetime, str]]:
    """When people had it sent again, and who; the newest first, without those that were undone."""
    acts = AuditEntry.objects.filter(
        object_kind="delivery", object_id=public_id("delivery", delivery_id), verb__in=["replay", "undo"]
    )
    found = list(acts.order_by("-pk").values_list("verb", "at", "actor")[:MOST_ATTEMPTS])
    later = ["", *(verb for verb, _, _ in found)]
    return [
        (at, who)
        for (verb, at, who), after in zip(found, later, strict=False)
        if verb == "replay" and after != "undo"
    ]


def sent_by_replays(delivery_id: UUID) -> list[ReplayItem]:
    """What replays of many have sent of it, each with its replay; the newest first."""
    items = ReplayItem.objects.filter(
        delivery_id=delivery_id, settled_at__isnull=False, state__in=[ItemState.DELIVERED, ItemState.FAILED]
    )
    return list(items.select_related("replay").order_by("-settled_at", "-pk")[:MOST_ATTEMPTS])


def newest_secret_at(subscription_id: UUID) -> datetime | None:
    secrets = SubscriptionSecret.objects.filter(subscription_id=subscription_id)
    return secrets.order_by("-created_at").values_list("created_at", flat=True).first()


def same_failure(fingerprint: str) -> int:
    """Dead letters that share it; one more than counted when there are more."""
    if not fingerprint:
        return 0
    dead = Delivery.objects.filter(~Q(fingerprint=""), fingerprint=fingerprint, state=DeliveryState.DEAD)
    return len(dead.order_by("-pk").values_list("pk", flat=True)[: SAME_FAILURE + 1])


def rows_of(ids: Sequence[UUID]) -> list[Delivery]:
    """Rows of a list, in the order of their ids given; one table besides the subscriptions' names."""
    found = brief(Delivery.objects.filter(pk__in=ids)).in_bulk() if ids else {}
    return [found[each] for each in ids if each in found]


def brief(rows: QuerySet[Delivery]) -> QuerySet[Delivery]:
    return rows.select_related("subscription").only(*_SHOWN)


_SHOWN = (
    "event_id", "source_id", "event_type", "external_id", "state", "phase", "due_at", "created_at", "attempts",
    "budget_from", "budget_at", "last_outcome", "last_status", "last_latency_ms", "last_error", "subscription__name",
)  # fmt: skip
