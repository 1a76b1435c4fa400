"""Gives events that say what caused them their place in a cascade: its trace and their depth. It stops none.

A cause is a claim of the sender's until it is found here; what is not found is taken back, and depth is counted from
the cause's own, never believed.
"""

from collections.abc import Iterable
from uuid import UUID

from django.db.models import Count, Exists, F, IntegerField, Max, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from deliveries.models import Cascade, Delivery
from webhooks.models import Event

DEEPEST = 32_767  # what the column counts up to


def place(events: Iterable[UUID]) -> None:
    """In the router's transaction, so that no two do it at once. Without events it asks nothing."""
    ids = list(events)
    if not ids:
        return
    claiming = Event.objects.filter(pk__in=ids, cause_id__isnull=False)
    cause = Delivery.objects.filter(pk=OuterRef("cause_id"))
    claiming.filter(~Exists(cause)).update(cause_id=None)
    claiming.filter(Exists(cause.filter(event__depth__lt=DEEPEST))).update(
        trace_id=Subquery(cause.values("event__trace_id")), depth=Subquery(cause.values("event__depth")) + 1
    )
    _count(claiming)


def _count(placed: QuerySet[Event]) -> None:
    """A cascade begins with the first event that another caused."""
    causes = dict(placed.values_list("trace_id", "cause_id").order_by("pk"))
    roots = dict(
        Delivery.objects.filter(pk__in=list(causes.values()))
        .values_list("event__trace_id", "event_id")
        .order_by("pk")
    )
    Cascade.objects.bulk_create(
        [Cascade(trace_id=trace, root_id=root) for trace, root in roots.items()], ignore_conflicts=True
    )
    members = Event.objects.filter(trace_id=OuterRef("trace_id"), cause_id__isnull=False).order_by()
    Cascade.objects.filter(pk__in=list(roots)).update(
        events=1 + Coalesce(_sum(members, Count("pk")), 0),
        depth=Coalesce(_sum(members, Max("depth")), F("depth")),
    )


def _sum(members: QuerySet[Event], what: Count | Max) -> Subquery:
    return Subquery(members.values("trace_id").annotate(sum=what).values("sum"), output_field=IntegerField())
