"""Reads audit entries as a query asks: a page by key, or page after page. It never skips and never counts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from django.db.models import Q

from webhooks.deciders.audit_query import AuditQuery
from webhooks.ids import first_id_at
from webhooks.models import AuditEntry

from .distinct import distinct


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditPage:
    """The newest first."""

    entries: Sequence[AuditEntry] = ()
    has_older: bool = False
    has_newer: bool = False


def audit_page(query: AuditQuery, now: datetime, size: int) -> AuditPage:
    """One row more than `size` is read, to know whether another page follows."""
    rows = AuditEntry.objects.filter(_asked(query, now))
    if query.after is not None:
        found = list(rows.filter(pk__gt=query.after).order_by("pk")[: size + 1])
        return AuditPage(entries=found[:size][::-1], has_older=True, has_newer=len(found) > size)
    if query.before is not None:
        rows = rows.filter(pk__lt=query.before)
    found = list(rows.order_by("-pk")[: size + 1])
    return AuditPage(entries=found[:size], has_older=len(found) > size, has_newer=query.before is not None)


def each_audit_page(query: AuditQuery, now: datetime, size: int) -> Iterator[Sequence[AuditEntry]]:
    """From the newest on; each is a question of its own, so that none holds a snapshot open."""
    while True:
        found = audit_page(query, now, size)
        if found.entries:
            yield found.entries
        if not found.has_older:
            return
        query = replace(query, before=found.entries[-1].pk)


def audit_choices() -> dict[str, list[str]]:
    """Who did something, which verbs and which kinds there are."""
    columns = {"who": "actor", "verb": "verb", "kind": "object_kind"}
    return {
        name: distinct("webhooks_auditentry", column, f"{column} <> ''") for name, column in columns.items()
    }


def _asked(query: AuditQuery, now: datetime) -> Q:
    """Ids tell when they were made, so that no index on a time is needed."""
    asked, begins = Q(), query.begins(now)
    if begins is not None:
        asked &= Q(pk__gte=first_id_at(begins))
    if query.end is not None:
        asked &= Q(pk__lt=first_id_at(query.end))
    equal = {"actor": query.who, "verb": query.verb, "object_kind": query.kind, "object_id": query.object_id}
    return asked & Q(**{column: value for column, value in equal.items() if value})
