"""Reads what came of requests in a window, from rollups: by source, verdict and reason. It writes nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.db.models import Sum

from webhooks.models import NO_SOURCE, ReceiptRollup, Source


@dataclass(frozen=True, kw_only=True, slots=True)
class ReceiptsOfSource:
    """`slug` is empty where the requests named no source that there is."""

    slug: str
    verdicts: Mapping[str, int] = field(default_factory=dict)
    reasons: Mapping[str, int] = field(default_factory=dict)  # of those that were refused


def receipts_by_source(since: datetime, until: datetime) -> Sequence[ReceiptsOfSource]:
    """Of the hours that begin in the window. Two statements, however many requests."""
    rows = ReceiptRollup.objects.filter(starts_at__gte=since, starts_at__lt=until).order_by()
    verdicts: dict[UUID, dict[str, int]] = {}
    reasons: dict[UUID, dict[str, int]] = {}
    for source, verdict, reason, count in rows.values_list("source_id", "verdict", "reason").annotate(
        Sum("count")
    ):
        sums = verdicts.setdefault(source, {})
        sums[verdict] = sums.get(verdict, 0) + count
        if verdict == "refused":
            reasons.setdefault(source, {})[reason] = count
    slugs = dict(Source.objects.filter(pk__in=verdicts).values_list("pk", "slug")) | {NO_SOURCE: ""}
    told = [
        ReceiptsOfSource(slug=slugs[key], verdicts=sums, reasons=reasons.get(key, {}))
        for key, sums in verdicts.items()
        if key in slugs
    ]
    return sorted(told, key=lambda each: (-sum(each.verdicts.values()), each.slug))
