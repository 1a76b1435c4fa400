"""Sends a delivery again, or lets it rest, because a person said so. It never sends anything itself.

A replay re-arms the delivery with a fresh attempt budget; attempt numbers go on. Both are one conditional
update, so of two clicks the second is told that it came too late.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from deliveries.models import (
    DeadLetter,
    Delivery,
    DeliveryBody,
    DeliveryState,
    EntityVersion,
    Hold,
    Issue,
    Lane,
    Phase,
    ReplayItem,
    Subscription,
)
from deliveries.models.dead_letter import IssueState
from deliveries.models.replay import ItemState
from webhooks.models import EventBody
from webhooks.services import audit

from .lanes import hold_lanes, ring_on_commit, wake_sleeping


class Answer(StrEnum):
    DONE = "done"
    MISSING = "missing"  # no such delivery
    PENDING = "pending"  # owed already, or chosen by a replay that has not reached it
    FINAL = "final"  # delivered, discarded or superseded: there is nothing left to discard
    SUPERSEDED = "superseded"  # a newer version is known, and this subscription wants the latest only
    EMPTY = "empty"  # retention dropped the body


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplayVerdict:
    answer: Answer
    sentence: str

    @property
    def is_done(self) -> bool:
        return self.answer is Answer.DONE


def replay_delivery(
    *, delivery_id: UUID, actor: str, reason: str = "", user: User | None = None
) -> ReplayVerdict:
    """Makes a settled delivery due now, whatever became of it before."""
    found = Delivery.objects.filter(pk=delivery_id).values_list("subscription_id", "state").first()
    if found is None:
        return _missing()
    lane_id, before = found
    now = timezone.now()
    with transaction.atomic():
        hold_lanes(connection, [lane_id])
        if not _rearm(delivery_id, now):
            return _why_not_replayed(delivery_id)
        # The lane before the issue, as a router locks them when it numbers and buries at once.
        wake_sleeping([lane_id], now)
        _resolve_dead_letter(delivery_id, now, "replayed")
        _record("replay", delivery_id, actor, reason, user, before, DeliveryState.PENDING)
        ring_on_commit()
    return ReplayVerdict(answer=Answer.DONE, sentence=_promise(lane_id))


def discard_delivery(
    *, delivery_id: UUID, actor: str, reason: str = "", user: User | None = None
) -> ReplayVerdict:
    """Decides that a delivery which is still owed, or dead, need not arrive."""
    found = Delivery.objects.filter(pk=delivery_id).values_list("subscription_id", "state").first()
    if found is None:
        return _missing()
    lane_id, before = found
    now = timezone.now()
    with transaction.atomic():
        hold_lanes(connection, [lane_id])
        open_ones = Delivery.objects.filter(
            pk=delivery_id, state__in=[DeliveryState.PENDING, DeliveryState.DEAD]
        )
        if not open_ones.update(state=DeliveryState.DISCARDED, due_at=None, settled_at=now):
            return _why_not_discarded(delivery_id)
        # In a strictly ordered lane the others may have slept until this one's next try.
        wake_sleeping([lane_id], now)
        _resolve_dead_letter(delivery_id, now, "discarded")
        _record("discard", delivery_id, actor, reason, user, before, DeliveryState.DISCARDED)
        ring_on_commit()
    return ReplayVerdict(answer=Answer.DONE, sentence="It is discarded and will not be sent.")


def _rearm(delivery_id: UUID, now: datetime) -> bool:
    # No joins here: Django would hide the state inside a subquery, which PostgreSQL does not read again
    # after waiting for a rival, and a double click would replay twice.
    wants_latest = Subscription.objects.filter(pk=OuterRef("subscription_id"), latest_only=True)
    is_outdated = Q(state=DeliveryState.SUPERSEDED) | Q(Exists(_newer_than(delivery_id)))
    settled = Delivery.objects.filter(
        ~Q(state=DeliveryState.PENDING),
        ~is_outdated | ~Exists(wants_latest),
        _has_body(),
        ~Exists(_waiting_items()),
        pk=delivery_id,
    )
    return bool(
        settled.update(
            state=DeliveryState.PENDING,
            phase=Phase.REPLAY,
            due_at=now,
            budget_from=F("attempts"),
            budget_at=now,
            settled_at=None,
        )
    )


def _newer_than(delivery_id: UUID) -> QuerySet[EntityVersion]:
    """What its lane knows of its event's entity, if that is a newer version."""
    told = Delivery.objects.filter(pk=delivery_id).values_list("event__entity", "event__entity_version")
    entity, version = told.get()
    if not entity or version is None:
        return EntityVersion.objects.none()
    return EntityVersion.objects.filter(
        subscription_id=OuterRef("subscription_id"), entity=entity, version__gt=version
    )


def _has_body() -> Q:
    came = EventBody.objects.filter(event_id=OuterRef("event_id"))
    rendered = DeliveryBody.objects.filter(delivery_id=OuterRef("pk"))
    return Q(Exists(came)) | Q(Exists(rendered))


def _waiting_items() -> QuerySet[ReplayItem]:
    return ReplayItem.objects.filter(
        event_id=OuterRef("event_id"), subscription_id=OuterRef("subscription_id"), state=ItemState.WAITING
    )


def _why_not_replayed(delivery_id: UUID) -> ReplayVerdict:
    delivery = (
        Delivery.objects.select_related("subscription")
        .annotate(has_body=_has_body(), is_overtaken=Exists(_newer_than(delivery_id)))
        .get(pk=delivery_id)
    )
    if delivery.state == DeliveryState.PENDING:
        due = f"{delivery.due_at:%Y-%m-%d %H:%M:%S} UTC"
        return ReplayVerdict(
            answer=Answer.PENDING, sentence=f"It is pending already; its next attempt is due at {due}."
        )
    is_outdated = delivery.state == DeliveryState.SUPERSEDED or delivery.is_overtaken
    if is_outdated and delivery.subscription.latest_only:
        return ReplayVerdict(
            answer=Answer.SUPERSEDED,
            sentence="A newer version is known, and this subscription wants the latest only.",
        )
    if not delivery.has_body:
        return ReplayVerdict(
            answer=Answer.EMPTY, sentence="Its body is past retention, so there is nothing to send."
        )
    return ReplayVerdict(
        answer=Answer.PENDING, sentence="A replay that is still running has chosen it already."
    )


def _why_not_discarded(delivery_id: UUID) -> ReplayVerdict:
    state = Delivery.objects.values_list("state", flat=True).get(pk=delivery_id)
    return ReplayVerdict(
        answer=Answer.FINAL,
        sentence=f"It is {DeliveryState(state).label.lower()}, so there is nothing to discard.",
    )


def _missing() -> ReplayVerdict:
    return ReplayVerdict(answer=Answer.MISSING, sentence="There is no such delivery.")


def _promise(lane_id: UUID) -> str:
    hold = Lane.objects.values_list("hold", flat=True).get(pk=lane_id)
    if hold == Hold.NONE:
        return "It is due now."
    return f"It is pending, and waits because its subscription is {Hold(hold).label.lower()}."


def _resolve_dead_letter(delivery_id: UUID, now: datetime, resolution: str) -> None:
    letter = DeadLetter.objects.filter(delivery_id=delivery_id, resolved_at=None)
    issue_id = letter.values_list("issue_id", flat=True).first()
    if issue_id is None:
        return
    letter.update(resolved_at=now, resolution=resolution)
    # Locked first: a settlement that adds a letter to this issue must come wholly before or after the look.
    Issue.objects.select_for_update().get(pk=issue_id)
    still_open = DeadLetter.objects.filter(issue_id=OuterRef("pk"), resolved_at=None)
    Issue.objects.filter(~Exists(still_open), pk=issue_id).exclude(state=IssueState.IGNORED).update(
        state=IssueState.RESOLVED, state_at=now, state_by=""
    )


def _record(
    verb: str,
    delivery_id: UUID,
    actor: str,
    reason: str,
    user: User | None,
    before: str,
    after: str,
) -> None:
    audit.record(
        actor=actor,
        user=user,
        verb=verb,
        object_kind="delivery",
        object_id=delivery_id,
        reason=reason,
        before={"state": str(before)},
        after={"state": str(after)},
    )
