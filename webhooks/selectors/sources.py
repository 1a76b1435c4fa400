"""Reads how sources are doing: when each was last heard, what came of a day's requests, what waits. It writes nothing.

The last event is one look into an index for each source; what came of requests is read from rollups.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Count, OuterRef, QuerySet, Subquery, Sum

from webhooks.models import Event, ReceiptRollup, Refusal, Source

HOURS = 24
VERDICTS = ("accepted", "duplicate", "conflict", "refused", "handshake")


@dataclass(frozen=True, kw_only=True, slots=True)
class Day:
    """What came of a source's requests in the last 24 hours, the one under way included."""

    verdicts: Mapping[str, int] = field(default_factory=dict)
    reasons: Mapping[str, int] = field(default_factory=dict)  # of those that were refused

    def of(self, verdict: str) -> int:
        return self.verdicts.get(verdict, 0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Hour:
    starts_at: datetime
    counts: Mapping[str, int]


def with_last_event(sources: QuerySet[Source]) -> QuerySet[Any]:
    """Each with `last_event_at`: when its latest event came, or None once retention took the last one."""
    latest = Event.objects.filter(source_id=OuterRef("pk")).order_by("-pk").values("received_at")[:1]
    return sources.annotate(last_event_at=Subquery(latest))


def silent_since(source: Source, last_event_at: datetime | None, now: datetime) -> datetime | None:
    """Since when a source owes us an event; None while it is not silent, or may be."""
    if not source.is_enabled or not source.expected_every_s:
        return None
    owed_at = max(last_event_at or source.created_at, source.created_at) + timedelta(
        seconds=source.expected_every_s
    )
    return owed_at if owed_at < now else None


def silent_sources(*, now: datetime) -> list[tuple[Source, datetime]]:
    """The enabled sources that have been silent for longer than they may, with since when. For alerts."""
    expected = with_last_event(Source.objects.filter(is_enabled=True, expected_every_s__isnull=False))
    found = [(each, silent_since(each, each.last_event_at, now)) for each in expected.order_by("name", "pk")]
    return [(source, since) for source, since in found if since]


def days(source_ids: Collection[UUID], *, now: datetime) -> dict[UUID, Day]:
    rows = ReceiptRollup.objects.filter(source_id__in=source_ids, starts_at__gt=now - timedelta(hours=HOURS))
    summed = rows.values_list("source_id", "verdict", "reason").order_by().annotate(Sum("count"))
    verdicts: dict[UUID, dict[str, int]] = {each: {} for each in source_ids}
    reasons: dict[UUID, dict[str, int]] = {each: {} for each in source_ids}
    for source_id, verdict, reason, count in summed:
        verdicts[source_id][verdict] = verdicts[source_id].get(verdict, 0) + count
        if verdict == "refused":
            reasons[source_id][reason] = count
    return {each: Day(verdicts=verdicts[each], reasons=_most_first(reasons[each])) for each in source_ids}


def hours(source_ids: Collection[UUID], *, now: datetime) -> dict[UUID, list[Hour]]:
    """24 of each, oldest first; the last one is under way."""
    last = datetime.fromtimestamp(now.timestamp() // 3_600 * 3_600, UTC)
    starts = [last - timedelta(hours=each) for each in reversed(range(HOURS))]
    rows = ReceiptRollup.objects.filter(source_id__in=source_ids, starts_at__gte=starts[0])
    summed = rows.values_list("source_id", "starts_at", "verdict").order_by().annotate(Sum("count"))
    counts: dict[tuple[UUID, datetime], dict[str, int]] = {}
    for source_id, start, verdict, count in summed:
        counts.setdefault((source_id, start), {})[verdict] = count
    return {
        each: [Hour(starts_at=start, counts=counts.get((each, start), {})) for start in starts]
        for each in source_ids
    }


def waiting(source_ids: Iterable[UUID] | None = None) -> dict[UUID, dict[str, int]]:
    """How many refusals wait, by source and reason; at most so many of a source are ever kept."""
    rows = Refusal.objects.filter(accepted_at=None)
    if source_ids is not None:
        rows = rows.filter(source_id__in=list(source_ids))
    found: dict[UUID, dict[str, int]] = {}
    for source_id, reason, count in rows.values_list("source_id", "reason").order_by().annotate(Count("pk")):
        found.setdefault(source_id, {})[reason] = count
    return {source_id: _most_first(reasons) for source_id, reasons in found.items()}


def _most_first(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda each: (-each[1], each[0])))
