"""How the doors of deliveries and events list: by the console's own queries, so that each filter has its index.

An address that the console would excuse is refused here, by the parameter's name.
"""

from abc import ABCMeta, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.db.models import Model, Q, QuerySet
from rest_framework.serializers import SerializerMetaclass

from deliveries.deciders.list_query import ListQuery
from deliveries.selectors.columns import Column
from deliveries.selectors.columns import Filters as Conditions
from deliveries.selectors.keyset import read_page
from webhooks.rest import Cursor, MadeBetween, Rows

M = TypeVar("M", bound=Model)

MOST_LANES = 100  # of one subscriber, each read by itself


class _Abstract(SerializerMetaclass, ABCMeta):
    """Of serializers that cannot be made until they say what they leave open."""


class QueryFilters(MadeBetween, metaclass=_Abstract):
    """A query string that becomes one of the console's queries, and what it asks for besides."""

    @abstractmethod
    def columns(self, now: datetime) -> Sequence[Column]:
        """The conditions, each with the index that serves it."""


class Queried(Generic[M]):
    """For a Door whose `filters` are QueryFilters. `own` narrows the reading to the key's owner."""

    def filter_queryset(self, queryset: QuerySet[M, Any]) -> QuerySet[M, Any]:
        self.asked: QueryFilters = self.read(self.filters, self.given)  # type: ignore[attr-defined]
        return queryset

    def own(self) -> Column | None:
        return None

    def read_page(self, queryset: QuerySet[M, Any], cursor: Cursor, size: int) -> Rows:
        query = replace(_PLACE, before=cursor.before, after=cursor.after)
        columns = [*self.asked.columns(datetime.now(UTC)), *([own] if (own := self.own()) else [])]
        page = read_page(queryset.model, Conditions(columns=columns).branches(), query, size)
        found = queryset.in_bulk(page.ids) if page.ids else {}
        rows = [found[each] for each in page.ids if each in found]
        return Rows(rows=rows, has_next=page.has_next, has_previous=page.has_previous)


_PLACE = ListQuery(since="all")


def one(lookup: str, value: Any) -> Column:
    """A value that so few rows have that they are read once."""
    whole = Q((lookup, value))
    return Column(whole=whole, alternatives=[whole], leads=True)


def among(lookup: str, ids: Sequence[UUID]) -> Column:
    """Each by its own index; of whoever has very many, nearly every row fits, and they are read by the key."""
    several = [Q((lookup, each)) for each in ids] if len(ids) <= MOST_LANES else []
    return Column(whole=Q((f"{lookup}__in", ids)), alternatives=several, leads=True)
