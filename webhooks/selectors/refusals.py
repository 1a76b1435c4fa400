"""Reads refusals: a page by key, what waits of a source, and one with what it takes to judge it. It writes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q, QuerySet

from webhooks.deciders.refusal_query import Kept, RefusalQuery
from webhooks.models import Refusal, Source


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    rows: Sequence[Refusal] = ()
    has_next: bool = False
    has_previous: bool = False


def page(query: RefusalQuery, size: int) -> Page:
    """Newest first; neither bodies nor credentials are read. One row more than `size` is."""
    rows = matching(query)
    if query.after:
        found = list(rows.filter(pk__gt=query.after).order_by("pk")[: size + 1])
        return Page(rows=found[:size][::-1], has_next=True, has_previous=len(found) > size)
    rows = rows.filter(pk__lt=query.before) if query.before else rows
    found = list(rows.order_by("-pk")[: size + 1])
    return Page(rows=found[:size], has_next=len(found) > size, has_previous=query.before is not None)


def matching(query: RefusalQuery, among: QuerySet[Refusal] | None = None) -> QuerySet[Refusal]:
    """Everything that fits, whatever the cursor, without bodies, credentials and headers."""
    rows = Refusal.objects.all() if among is None else among
    return _briefs(rows.filter(_condition(query)))


def oldest_waiting(query: RefusalQuery, most: int) -> list[UUID]:
    rows = Refusal.objects.filter(_condition(query), accepted_at=None)
    return list(rows.order_by("pk").values_list("pk", flat=True)[:most])


def whole(ids: Sequence[UUID]) -> list[Refusal]:
    """With all that judging takes, oldest first: senders' facts follow each other."""
    return list(Refusal.objects.filter(pk__in=ids).select_related("source").order_by("pk"))


def _briefs(rows: QuerySet[Refusal]) -> QuerySet[Refusal]:
    return rows.select_related("source").defer("body", "credentials", "headers")


def _condition(query: RefusalQuery) -> Q:
    condition = Q()
    if query.kept is not Kept.ALL:
        condition &= Q(accepted_at__isnull=query.kept is Kept.WAITING)
    if query.sources:
        ids = list(Source.objects.filter(slug__in=query.sources).values_list("pk", flat=True))
        condition &= Q(source_id__in=ids or [UUID(int=0)])
    if query.reasons:
        condition &= Q(reason__in=query.reasons)
    return condition
