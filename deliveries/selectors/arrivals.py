"""Reads what became of something that was, or should have been, sent to us: "did it arrive at all?". Never a change."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Count, Max, OuterRef, Q, Subquery, Sum

from webhooks.models import NO_SOURCE, Event, EventKey, KeyKind, ReceiptRollup, Refusal, Source

from .event_pages import CONFLICTED, REPEATED

MOST_SOURCES = 50
KEPT_NOTHING = ("unknown-source", "too-large", "unreadable", "method-not-allowed", "unavailable")


@dataclass(frozen=True, kw_only=True, slots=True)
class Repeats:
    duplicates: int = 0
    conflicts: int = 0
    last_at: datetime | None = None  # the last time it came again


@dataclass(frozen=True, kw_only=True, slots=True)
class Reason:
    """Why requests were not accepted, how many, and the latest. `kept`: they can be looked at."""

    slug: str
    count: int
    last_at: datetime

    @property
    def words(self) -> str:
        return self.slug.replace("-", " ").capitalize()

    @property
    def is_kept(self) -> bool:
        return self.slug not in KEPT_NOTHING


def repeats_of(ids: Sequence[UUID]) -> Repeats:
    """How often these came again, with the same body and with another."""
    keys = EventKey.objects.filter(event_id__in=ids).order_by()
    found = {
        row["pk"]: row
        for condition in (REPEATED, CONFLICTED)  # each by its own small index
        for row in keys.filter(condition).values("pk", "duplicates", "conflicts", "last_seen_at")
    }
    return Repeats(
        duplicates=sum(row["duplicates"] for row in found.values()),
        conflicts=sum(row["conflicts"] for row in found.values()),
        last_at=max((row["last_seen_at"] for row in found.values()), default=None),
    )


def outlived_keys(search: str) -> list[EventKey]:
    """Ids that are still known, though their events are past retention."""
    digest = hashlib.sha256(search.encode()).digest()
    keys = EventKey.objects.filter(
        source__in=Source.objects.all(), kind__in=[KeyKind.ID, KeyKind.OPERATION], digest=digest
    )
    found = list(keys.select_related("source")[:MOST_SOURCES])
    alive = set(Event.objects.filter(pk__in=[key.event_id for key in found]).values_list("pk", flat=True))
    return [key for key in found if key.event_id not in alive]


def refused_with(search: str, ids: Sequence[UUID]) -> list[Reason]:
    """Requests that were refused and claim this id, or conflict with one of these events."""
    claims = Q(claimed_id=search) & ~Q(claimed_id="")
    rows = Refusal.objects.filter(claims | Q(event_id__in=ids)).order_by().values("reason")
    return _reasons(rows.annotate(total=Count("pk"), last=Max("received_at")))


def refused_by_reason(since: datetime | None, slugs: Sequence[str] = ()) -> list[Reason]:
    """As the door added them up by the hour; the hour in which the span begins is counted whole."""
    rows = ReceiptRollup.objects.filter(verdict__in=["refused", "conflict"]).order_by()
    if since is not None:
        rows = rows.filter(starts_at__gte=since - timedelta(hours=1))
    if slugs:
        rows = rows.filter(source_id__in=Source.objects.filter(slug__in=slugs).values("pk"))
    by_reason: dict[str, Reason] = {}
    for row in rows.values("verdict", "reason").annotate(total=Sum("count"), last=Max("last_at")):
        slug = row["reason"] or ("id-conflict" if row["verdict"] == "conflict" else "refused")
        by_reason[slug] = Reason(slug=slug, count=row["total"], last_at=row["last"])
    return sorted(by_reason.values(), key=lambda each: (-each.count, each.slug))


def unknown_sources(since: datetime) -> Reason | None:
    """Requests to addresses that no source has, which is where a slip in an address ends."""
    rows = ReceiptRollup.objects.filter(source_id=NO_SOURCE, starts_at__gte=since, reason="unknown-source")
    found = rows.aggregate(total=Sum("count"), last=Max("last_at"))
    return (
        Reason(slug="unknown-source", count=found["total"], last_at=found["last"]) if found["total"] else None
    )


def last_signs() -> list[Source]:
    """Sources with when each was last heard, and last refused: one look into an index for each."""
    heard = Event.objects.filter(source=OuterRef("pk")).order_by("-pk").values("received_at")[:1]
    refused = Refusal.objects.filter(source=OuterRef("pk")).order_by("-pk").values("received_at")[:1]
    return list(
        Source.objects.annotate(last_event=Subquery(heard), last_refused=Subquery(refused)).order_by("name")[
            :MOST_SOURCES
        ]
    )


def has_business_keys() -> bool:
    return Source.objects.exclude(business_keys={}).exists()


def kept_since(now: datetime) -> datetime:
    """What came earlier is deleted, so that nobody can say whether it came."""
    return now - timedelta(days=settings.HUB_KEEP_ROWS_DAYS)


def _reasons(rows: Any) -> list[Reason]:
    found = [Reason(slug=row["reason"], count=row["total"], last_at=row["last"]) for row in rows]
    return sorted(found, key=lambda each: (-each.count, each.slug))
