"""Says which deliveries may be sent again, makes them pending again, and puts one back as it was.

Each is one update, conditional on what it needs. Whoever replays one, or previews, freezes and admits many, asks by
these same conditions. It never asks why.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
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
    ids: Collection[UUID],
    now: datetime,
    *,
    due_at: datetime | None = None,
    settled_before: datetime | None = None,
    is_free: bool = True,
) -> list[UUID]:
    """Makes settled deliveries due now, or then, with a fresh budget; returns those for which it could.

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
        due_at=due_at or now,
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


def as_it_is(delivery_id: UUID) -> dict[str, Any]:
    """What `rearm` changes, to be kept as JSON; locked, so that it is so until the caller's transaction ends."""
    its = Delivery.objects.select_for_update(no_key=True).filter(pk=delivery_id)
    return _as_texts(its.values("state", "phase", "settled_at", "budget_from", "budget_at").get())


def issue_as_it_is(delivery_id: UUID) -> dict[str, Any]:
    """The same of what `resolve_dead_letters` changes besides; empty where no dead letter of it waits."""
    letters = DeadLetter.objects.filter(delivery_id=delivery_id, resolved_at=None)
    issues = Issue.objects.select_for_update().filter(pk__in=list(letters.values_list("issue_id", flat=True)))
    return _as_texts(issues.values("state", "state_at", "state_by").first() or {})


def disarm(delivery_id: UUID, *, rearmed_at: datetime, was: Mapping[str, Any]) -> bool:
    """Puts back what that rearming changed, where the delivery still waits by it and nobody has taken it up."""
    waiting = Delivery.objects.filter(
        pk=delivery_id,
        state=DeliveryState.PENDING,
        phase=Phase.REPLAY,
        budget_at=rearmed_at,
        due_at__gt=F("budget_at"),
        attempts=F("budget_from"),
    )
    changed = waiting.update(
        state=was["state"],
        phase=was["phase"],
        due_at=None,
        budget_from=was["budget_from"],
        budget_at=_as_time(was["budget_at"]),
        settled_at=_as_time(was["settled_at"]),
    )
    return bool(changed)


def reopen_dead_letter(
    delivery_id: UUID, *, resolved_at: datetime, issue_was: Mapping[str, Any], now: datetime
) -> None:
    """Opens again what was closed then, and its issue where nothing else has moved it since."""
    letters = DeadLetter.objects.filter(
        delivery_id=delivery_id, resolved_at=resolved_at, resolution="replayed"
    )
    key = letters.values_list("issue_id", flat=True).first()
    if key is None:
        return
    issue = Issue.objects.select_for_update().get(pk=key)  # first, as whoever buries locks it
    letters.update(resolved_at=None, resolution="")
    if issue.state != IssueState.RESOLVED:
        return
    before = {"state": IssueState.OPEN, "state_at": now, "state_by": ""}
    if issue.state_at == resolved_at and issue_was:
        before = {**issue_was, "state_at": _as_time(issue_was["state_at"])}
    Issue.objects.filter(pk=key).update(**before)


def _as_texts(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items()
    }


def _as_time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
