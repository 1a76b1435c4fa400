"""Says which deliveries may be sent again, and makes them pending again: one update, conditional on what it needs.

Whoever replays one, or previews, freezes and admits many, asks by these same conditions. It never asks why.
"""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from django.db.models import Exists, F, OuterRef, Q

from deliveries.models import (
    DeadLetter,
    Delivery,
    DeliveryBody,
    DeliveryState,
    EntityVersion,
    Issue,
    Phase,
    ReplayItem,
    Subscription,
)
from deliveries.models.dead_letter import IssueState
from deliveries.models.replay import ItemState
from webhooks.models import Event, EventBody

ACTIVE = (ItemState.WAITING, ItemState.ADMITTED)


def has_body() -> Q:
    """Retention has left something to send."""
    came = EventBody.objects.filter(event_id=OuterRef("event_id"))
    rendered = DeliveryBody.objects.filter(delivery_id=OuterRef("pk"))
    return Q(Exists(came)) | Q(Exists(rendered))


def is_chosen(*states: ItemState) -> Exists:
    """A replay that is not over has it among its items."""
    return Exists(
        ReplayItem.objects.filter(
            event_id=OuterRef("event_id"),
            subscription_id=OuterRef("subscription_id"),
            state__in=states or ACTIVE,
        )
    )


def is_outdated() -> Q:
    """A newer version of its entity is known; that matters only where the latest alone is wanted."""
    newer = EntityVersion.objects.filter(
        subscription_id=OuterRef(OuterRef("subscription_id")),
        entity=OuterRef("entity"),
        version__gt=OuterRef("entity_version"),
    )
    overtaken = Event.objects.filter(Exists(newer), pk=OuterRef("event_id")).exclude(entity="")
    return Q(state=DeliveryState.SUPERSEDED) | Q(Exists(overtaken))


def rearm(
    ids: Collection[UUID], now: datetime, *, settled_before: datetime | None = None, is_free: bool = True
) -> list[UUID]:
    """Makes settled deliveries due now with a fresh budget; returns those for which it could.

    `settled_before`: not what has begun another budget since. `is_free`: not what a replay has yet to reach.
    """
    # No joins here: Django would hide the state inside a subquery, which PostgreSQL does not read again
    # after waiting for a rival, and a double click would replay twice.
    wants_latest = Subscription.objects.filter(pk=OuterRef("subscription_id"), latest_only=True)
    settled = Delivery.objects.filter(
        ~Q(state=DeliveryState.PENDING), ~is_outdated() | ~Exists(wants_latest), has_body(), pk__in=ids
    )
    if settled_before is not None:
        settled = settled.filter(budget_at__lte=settled_before)
    if is_free:
        settled = settled.filter(~is_chosen(ItemState.WAITING))
    changed = settled.update(
        state=DeliveryState.PENDING,
        phase=Phase.REPLAY,
        due_at=now,
        budget_from=F("attempts"),
        budget_at=now,
        settled_at=None,
    )
    if not changed:
        return []
    armed = Delivery.objects.filter(pk__in=ids, state=DeliveryState.PENDING, budget_at=now)
    return list(armed.values_list("pk", flat=True))


def resolve_dead_letters(deliveries: Collection[UUID], now: datetime, resolution: str) -> None:
    """Closes their open dead letters, and the issues that have none left."""
    letters = DeadLetter.objects.filter(delivery_id__in=deliveries, resolved_at=None)
    issues = sorted(set(letters.values_list("issue_id", flat=True)))
    if not issues:
        return
    letters.update(resolved_at=now, resolution=resolution)
    # Locked first: a settlement that adds a letter to such an issue must come wholly before or after the look.
    list(Issue.objects.select_for_update().filter(pk__in=issues).order_by("pk").values_list("pk"))
    still_open = DeadLetter.objects.filter(issue_id=OuterRef("pk"), resolved_at=None)
    Issue.objects.filter(~Exists(still_open), pk__in=issues).exclude(state=IssueState.IGNORED).update(
        state=IssueState.RESOLVED, state_at=now, state_by=""
    )
