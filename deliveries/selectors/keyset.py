"""Reads a page by key, or a bounded count, from branches that are each in order. It never skips, never counts a table.

A branch is a condition that one index serves in the order of ids; the page is the best of all branches together.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import Model, Q

from deliveries.deciders.list_query import ListQuery

COUNTED = 10_000  # more is shown as 10k+

Sql = tuple[str, Sequence[Any]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """`ids` in the order asked for; which neighbours there are."""

    ids: Sequence[UUID] = ()
    has_next: bool = False
    has_previous: bool = False


def read_page(model: type[Model], branches: Sequence[Q], query: ListQuery, size: int) -> Page:
    """`before` and `after` mean older and newer, in both orders. One row more than `size` is read."""
    sql, values = page_sql(model, branches, query, size)
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        found = [each if isinstance(each, UUID) else UUID(each) for (each,) in cursor.fetchall()]
    more, ids = len(found) > size, found[:size]
    if _is_back(query):
        return Page(ids=ids[::-1], has_next=True, has_previous=more)
    is_later = (query.after if query.oldest_first else query.before) is not None
    return Page(ids=ids, has_next=more, has_previous=is_later)


def page_sql(model: type[Model], branches: Sequence[Q], query: ListQuery, size: int) -> Sql:
    descending = query.oldest_first is _is_back(query)
    order, cursor = "-pk" if descending else "pk", _cursor(query)
    sql, values = _union(model, [each & cursor for each in branches], order, size + 1)
    return (
        f"SELECT id FROM ({sql}) AS met ORDER BY id {'DESC' if descending else ''} LIMIT {size + 1}",  # noqa: S608
        values,
    )


def bounded_count(model: type[Model], branches: Sequence[Q], most: int = COUNTED, *, order: str = "") -> int:
    """How many fit; `most` + 1 when there are more. An order says which index to read them by."""
    sql, values = _union(model, branches, order, most + 1)
    with connection.cursor() as cursor:
        limited = f"SELECT id FROM ({sql}) AS met LIMIT {most + 1}"  # noqa: S608 (built by Django; values apart)
        cursor.execute(f"SELECT count(*) FROM ({limited}) AS counted", values)  # noqa: S608
        return int(cursor.fetchone()[0])


def _is_back(query: ListQuery) -> bool:
    return (query.before if query.oldest_first else query.after) is not None


def _cursor(query: ListQuery) -> Q:
    if query.before:
        return Q(pk__lt=query.before)
    return Q(pk__gt=query.after) if query.after else Q()


def _union(model: type[Model], branches: Sequence[Q], order: str, most: int) -> Sql:
    """Without repetition: a row may fit several branches. SQLite takes a limited SELECT only as a table."""
    parts: list[str] = []
    values: list[Any] = []
    for branch in branches:
        rows = model._default_manager.filter(branch).order_by(*([order] if order else [])).values_list("id")
        try:
            sql, given = rows[:most].query.sql_with_params()
        except EmptyResultSet:
            continue
        parts.append(f"SELECT id FROM ({sql}) AS one")  # noqa: S608 (built by Django; values apart)
        values += given
    none = f"SELECT id FROM {model._meta.db_table} WHERE false"  # noqa: S608 (a name of our own)
    return " UNION ".join(parts) or none, values
