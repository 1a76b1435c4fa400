"""Adds to totals that only grow, in the caller's transaction. It says nothing of what they mean."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import connection

from deliveries.models import CircuitTotal, EventTotal

_KEYS: dict[Any, tuple[str, str]] = {
    CircuitTotal: ("subscription_id", "after"),
    EventTotal: ("source_id", "state"),
}


def add(model: type[CircuitTotal] | type[EventTotal], counts: Mapping[tuple[UUID, str], int]) -> None:
    """`counts` by the two columns that a row is known by. Beside the ORM, whose upsert overwrites and cannot add."""
    if not counts:
        return
    table, keys = model._meta.db_table, ", ".join(_KEYS[model])
    # In one order, or two who add at once would wait for each other.
    values = [each for (owner, name), number in sorted(counts.items()) for each in (owner.hex, name, number)]
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({keys}, number) VALUES {', '.join(['(%s, %s, %s)'] * len(counts))}"  # noqa: S608
            f" ON CONFLICT ({keys}) DO UPDATE SET number = {table}.number + excluded.number",
            values,
        )
