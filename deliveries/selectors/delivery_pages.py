"""Reads deliveries as a query asks: a page by key, or a bounded count. It never skips and never counts a table."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import Q, QuerySet

from deliveries.deciders.delivery_query import DeliveryQuery
from deliveries.models import Delivery

from .delivery_filters import Filters, filters_of

COUNTED = 10_000  # more is shown as 10k+


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """`ids` in the order asked for; which neighbours there are."""

    ids: Sequence[UUID] = ()
    has_next: bool = False
    has_previous: bool = False


def matching(query: DeliveryQuery, now: datetime) -> QuerySet[Delivery]:
    """Everything that fits, whatever the cursor, as one set: for what acts on it all."""
    return Delivery.objects.filter(filters_of(query, now).whole())


def page(query: DeliveryQuery, now: datetime, size: int, filters: Filters | None = None) -> Page:
    """`before` and `after` mean older and newer, in both orders. One row more than `size` is read."""
    filters = filters or filters_of(query, now)
    is_back = (query.before if query.oldest_first else query.after) is not None
    descending = query.oldest_first is is_back
    ids = _ids(filters.branches(), _cursor(query), descending, size + 1)
    more, ids = len(ids) > size, ids[:size]
    if is_back:
        return Page(ids=ids[::-1], has_next=True, has_previous=more)
    return Page(ids=ids, has_next=more, has_previous=_is_later_page(query))


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
    # A range of ids alone is read by the key only when it is read in order; else from the table's oldest page on.
    order = ["-pk"] if len(filters.columns) <= 1 else []
    sql, values = _union([_branch(each).order_by(*order)[: most + 1] for each in filters.branches()])
    with connection.cursor() as cursor:
        limited = f"SELECT id FROM ({sql}) AS met LIMIT {most + 1}"  # noqa: S608 (built by Django; values apart)
        cursor.execute(f"SELECT count(*) FROM ({limited}) AS counted", values)  # noqa: S608
        return int(cursor.fetchone()[0])


def ids_sql(query: DeliveryQuery, now: datetime, size: int) -> tuple[str, Sequence[Any]]:
    """The statement that reads a page: so that a test can ask the database how it goes about it."""
    is_back = (query.before if query.oldest_first else query.after) is not None
    return _statement(
        filters_of(query, now).branches(), _cursor(query), query.oldest_first is is_back, size + 1
    )


def _is_later_page(query: DeliveryQuery) -> bool:
    return (query.after if query.oldest_first else query.before) is not None


def _cursor(query: DeliveryQuery) -> Q:
    if query.before:
        return Q(pk__lt=query.before)
    return Q(pk__gt=query.after) if query.after else Q()


def _ids(branches: Sequence[Q], cursor: Q, descending: bool, size: int) -> list[UUID]:
    sql, values = _statement(branches, cursor, descending, size)
    with connection.cursor() as database:
        database.execute(sql, values)
        return [each if isinstance(each, UUID) else UUID(each) for (each,) in database.fetchall()]


def _statement(branches: Sequence[Q], cursor: Q, descending: bool, size: int) -> tuple[str, Sequence[Any]]:
    order = "-pk" if descending else "pk"
    sql, values = _union([_branch(each & cursor).order_by(order)[:size] for each in branches])
    return f"SELECT id FROM ({sql}) AS met ORDER BY id {'DESC' if descending else ''} LIMIT {size}", values  # noqa: S608 (built by Django; values apart)


def _branch(condition: Q) -> QuerySet[Delivery, tuple[UUID]]:
    return Delivery.objects.filter(condition).values_list("id")


def _union(branches: Sequence[QuerySet[Delivery, tuple[UUID]]]) -> tuple[str, Sequence[Any]]:
    """Without repetition: a row may fit several branches. SQLite takes a limited SELECT only as a table."""
    parts: list[str] = []
    values: list[Any] = []
    for branch in branches:
        try:
            sql, given = branch.query.sql_with_params()
        except EmptyResultSet:
            continue
        parts.append(f"SELECT id FROM ({sql}) AS one")  # noqa: S608 (built by Django; values apart)
        values += given
    return " UNION ".join(parts) or "SELECT id FROM deliveries_delivery WHERE false", values
