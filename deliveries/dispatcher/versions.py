"""Remembers the highest version of each entity a latest-only lane was owed. It sends nothing and settles nothing.

A version only ever rises, and an event's own never changes: who was older once stays older.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol, TypeVar
from uuid import UUID

from django.db import transaction

from deliveries.deciders import versions
from deliveries.deciders.versions import Sifted, Versioned
from deliveries.models import Delivery, DeliveryState, EntityVersion
from deliveries.services.telling import tell_settled
from webhooks import rows

from . import verdicts
from .seats import Holding, fence

Subject = tuple[UUID, str]  # a lane and an entity: what a version is counted by

_RAISE = """
INSERT INTO deliveries_entityversion AS known (subscription_id, entity, version, seen_at)
SELECT v.subscription_id, v.entity, v.version, v.seen_at FROM %s WHERE true
ON CONFLICT (subscription_id, entity) DO UPDATE SET version = excluded.version, seen_at = excluded.seen_at
WHERE known.version < excluded.version"""


class Row(Versioned, Protocol):
    """A delivery with what its event says of its subject."""

    @property
    def delivery_id(self) -> UUID: ...
    @property
    def lane_id(self) -> UUID: ...


R = TypeVar("R", bound=Row)


def raise_to(seen: Mapping[Subject, int], now: datetime) -> None:
    """Each version becomes the highest unless a higher one is known already. In the caller's transaction."""
    # Sorted, so that two who raise the same entities never deadlock.
    raised = [(lane, entity, version, now) for (lane, entity), version in sorted(seen.items())]
    rows.update(
        EntityVersion, sql=_RAISE, columns=("subscription", "entity", "version", "seen_at"), rows=raised
    )


def highest(subjects: Collection[Subject]) -> dict[Subject, int]:
    """The highest known version of each; absent: none is known."""
    if not subjects:
        return {}
    known = EntityVersion.objects.filter(
        subscription_id__in={lane for lane, _ in subjects}, entity__in={entity for _, entity in subjects}
    )
    found = known.values_list("subscription_id", "entity", "version")
    return {(lane, entity): version for lane, entity, version in found if (lane, entity) in subjects}


def seen_in(each: Iterable[tuple[UUID, Versioned]]) -> dict[Subject, int]:
    """The highest version of each subject among these."""
    seen: dict[Subject, int] = {}
    for lane, told in each:
        if told.entity and told.entity_version is not None:
            subject = (lane, told.entity)
            seen[subject] = max(told.entity_version, seen.get(subject, told.entity_version))
    return seen


def in_hand(ids: Collection[UUID]) -> dict[Subject, int]:
    """The subjects of deliveries that are buffered, in flight or unsettled."""
    if not ids:
        return {}
    held = Delivery.objects.filter(id__in=ids).exclude(event__entity="")
    found = held.values_list("subscription_id", "event__entity", "event__entity_version")
    busy: dict[Subject, int] = {}
    for lane, entity, version in found:
        if version is not None:
            busy[lane, entity] = max(version, busy.get((lane, entity), version))
    return busy


def sift(
    *, holding: Holding, found: Mapping[UUID, Sequence[R]], busy: Mapping[Subject, int], now: datetime
) -> dict[UUID, Sifted[R]]:
    """Of each lane's due deliveries, those that may be sent; the outdated become superseded at once.

    What was owed before the lane wanted the latest only is taken note of here.
    """
    seen = seen_in((lane, row) for lane, due in found.items() for row in due)
    for subject, version in busy.items():
        seen[subject] = max(version, seen.get(subject, version))
    known = highest(seen.keys())
    news = {
        subject: version for subject, version in seen.items() if version > known.get(subject, version - 1)
    }
    newest, taken = _by_lane(known | news), _by_lane(busy)
    sifted = {
        lane: versions.sift(due, highest=newest.get(lane, {}), busy=taken.get(lane, {}))
        for lane, due in found.items()
    }
    outdated = [row.delivery_id for each in sifted.values() for row in each.outdated]
    if news or outdated:
        with transaction.atomic():
            fence(holding)
            raise_to(news, now)
            supersede(outdated, now)
    return sifted


def _by_lane(versions: Mapping[Subject, int]) -> dict[UUID, dict[str, int]]:
    grouped: dict[UUID, dict[str, int]] = {}
    for (lane, entity), version in versions.items():
        grouped.setdefault(lane, {})[entity] = version
    return grouped


def supersede(ids: Collection[UUID], now: datetime) -> None:
    """Those that are still pending will never be sent."""
    if ids:
        Delivery.objects.filter(id__in=ids, state=DeliveryState.PENDING).update(
            state=DeliveryState.SUPERSEDED, due_at=None, settled_at=now
        )
        verdicts.skip_superseded(ids, now)
        tell_settled("superseded", ids, now)


def outdated(each: Iterable[R]) -> set[UUID]:
    """Those of the deliveries that a newer version has overtaken by now."""
    told = [row for row in each if row.entity and row.entity_version is not None]
    known = highest({(row.lane_id, row.entity) for row in told})
    return {
        row.delivery_id for row in told if versions.is_outdated(row, known.get((row.lane_id, row.entity)))
    }
