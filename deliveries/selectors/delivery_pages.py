"""Reads deliveries as a query asks: a page by key, or a bounded count. It never skips and never counts a table."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from deliveries.deciders.delivery_query import DeliveryQuery
from deliveries.models import Delivery

from .columns import Filters
from .delivery_filters import filters_of
from .keyset import COUNTED, Page, bounded_count, page_sql, read_page

__all__ = ["COUNTED", "Page", "count", "each_page", "ids_sql", "matching", "page"]


def matching(query: DeliveryQuery, now: datetime) -> QuerySet[Delivery]:
    """Everything that fits, whatever the cursor, as one set: for what acts on it all."""
    return Delivery.objects.filter(filters_of(query, now).whole())


def page(query: DeliveryQuery, now: datetime, size: int, filters: Filters | None = None) -> Page:
    filters = filters or filters_of(query, now)
    return read_page(Delivery, filters.branches(), query, size)


def each_page(query: DeliveryQuery, now: datetime, size: int) -> Iterator[Sequence[UUID]]:
    """From its first page to its last; each is a question of its own, so that none holds a snapshot open."""
    filters = filters_of(query, now)
    while True:
        found = page(query, now, size, filters)
        if found.ids:
            yield found.ids
        if not found.has_next:
            return
        query = query.following(found.ids[-1])


def count(query: DeliveryQuery, now: datetime, most: int = COUNTED) -> int:
    """How many fit; `most` + 1 when there are more."""
    filters = filters_of(query.first_page(), now)
    return bounded_count(Delivery, filters.branches(), most, order=filters.counting_order)


def ids_sql(query: DeliveryQuery, now: datetime, size: int) -> tuple[str, Sequence[Any]]:
    """The statement that reads a page: so that a test can ask the database how it goes about it."""
    return page_sql(Delivery, filters_of(query, now).branches(), query, size)
