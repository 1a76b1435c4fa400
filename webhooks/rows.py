"""Writes many rows in one statement, on PostgreSQL and SQLite alike. It knows models, never their meaning."""

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cache, cached_property
from typing import Any
from uuid import UUID

import orjson
from django.db import connection, models

Row = Sequence[Any]
PAGE_BYTES = 32 * 1024 * 1024  # bytes per statement, which as text are twice as many
PAGE = 1000  # rows per statement: well inside SQLite's 32,766 variables and a pleasant parse for PostgreSQL


class Columns:
    """The columns of a table of rows, in their order, each with a model's field of its type.

    `utf8` are those of bytes that are UTF-8 without a NUL for certain: they are told to PostgreSQL as text, which is
    half as long as their hex digits, and read in half the time.
    """

    def __init__(self, fields: Mapping[str, Any], *, utf8: Collection[str] = ()) -> None:
        self.names = tuple(fields)
        self._fields = tuple(fields.values())
        self.is_utf8 = tuple(name in utf8 for name in self.names)

    @cached_property
    def table(self) -> str:
        """On PostgreSQL: of one JSON array for each column. Its texts have no length yet, which the table checks."""
        arrays = ", ".join(["json_array_elements_text(%s)"] * len(self.names))
        typed = ", ".join(
            f'convert_to("{name}", \'UTF8\') AS "{name}"' if is_utf8 else f'"{name}"::{_type(field)}'
            for name, field, is_utf8 in zip(self.names, self._fields, self.is_utf8, strict=True)
        )
        names = ", ".join(f'"{name}"' for name in self.names)
        return f"(SELECT {typed} FROM ROWS FROM ({arrays}) AS told({names})) AS v"  # noqa: S608 (names of our own models)

    @cached_property
    def converters(self) -> tuple[Callable[[Any], Any] | None, ...]:
        """How SQLite is given each column's values; None: as they are.

        Not by each field's own preparation: asking it cell by cell took a third of a dispatcher's time.
        """
        return tuple(_converter(field) for field in self._fields)

    @cached_property
    def heavy(self) -> tuple[int, ...]:
        """The places of those that hold bytes."""
        return tuple(
            place for place, field in enumerate(self._fields) if isinstance(field, models.BinaryField)
        )


def insert(
    model: type[models.Model],
    columns: Sequence[str],
    rows: Sequence[Row],
    *,
    ignore: bool = False,
    returning: Sequence[str] = (),
) -> list[Row]:
    """Inserts `rows`, given in the order of `columns` (field names). `ignore` passes over what exists already.

    Returns the columns `returning` of what was inserted, as text: psycopg2 makes a UUID five times as slowly.
    """
    own = _columns(model, tuple(columns))
    tail = " ON CONFLICT DO NOTHING" if ignore else ""
    if returning:
        tail += " RETURNING " + ", ".join(f"CAST({name} AS text)" for name in returning)
    # Without the WHERE, SQLite would take ON CONFLICT for a join's condition.
    sql = f"INSERT INTO {model._meta.db_table} ({', '.join(own.names)}) SELECT * FROM %s WHERE true{tail}"  # noqa: S608 (names of our own models)
    return run(sql, own, rows)


def update(model: type[models.Model], *, sql: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
    """Runs `sql`, an UPDATE that holds `%s` where the table of the rows belongs, `v` with these columns."""
    run(sql, _columns(model, tuple(columns)), rows)


def run(sql: str, columns: Columns, rows: Sequence[Row]) -> list[Row]:
    """Runs `sql` once or, for many rows, several times, with the table of the rows, `v`, in the place of its `%s`.

    Returns what the statements told, where they tell anything.
    """
    told: list[Row] = []
    prepare = _arrays if connection.vendor == "postgresql" else _values
    with connection.cursor() as cursor:
        for page in _pages(columns, rows):
            table, values = prepare(columns, page)
            cursor.execute(sql.replace("%s", table, 1), values)
            if cursor.description:
                told += cursor.fetchall()
    return told


def _pages(columns: Columns, rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """In fewer rows a page where their bytes are many: PostgreSQL takes no value and no message of 1 GB."""
    if not columns.heavy:
        yield from (rows[start : start + PAGE] for start in range(0, len(rows), PAGE))
        return
    start = weight = 0
    for place, row in enumerate(rows):
        size = sum(len(row[each]) for each in columns.heavy)
        if place > start and (place - start == PAGE or weight + size > PAGE_BYTES):
            yield rows[start:place]
            start, weight = place, 0
        weight += size
    if rows:
        yield rows[start:]


def _arrays(columns: Columns, rows: Sequence[Row]) -> tuple[str, Sequence[Any]]:
    """Column by column: quoted value by value, a settle took twice as long here, and half as long again in
    PostgreSQL's parser; as one JSON object for each row, PostgreSQL read a batch of events in twice the time."""
    told = (
        [value.decode() for value in column] if is_utf8 else column
        for column, is_utf8 in zip(zip(*rows, strict=True), columns.is_utf8, strict=True)
    )
    return columns.table, [orjson.dumps(column, default=_bytea).decode() for column in told]


def _values(columns: Columns, rows: Sequence[Row]) -> tuple[str, Sequence[Any]]:
    names = ", ".join(f'"{name}"' for name in columns.names)
    group = "(" + ", ".join(["%s"] * len(columns.names)) + ")"
    values = [
        value if convert is None or value is None else convert(value)
        for row in rows
        for convert, value in zip(columns.converters, row, strict=True)
    ]
    table = f"(WITH given({names}) AS (VALUES {', '.join([group] * len(rows))}) SELECT * FROM given) AS v"  # noqa: S608
    return table, values


@cache
def _columns(model: type[models.Model], names: tuple[str, ...]) -> Columns:
    fields: Iterator[Any] = (model._meta.get_field(name) for name in names)
    return Columns({field.column: field for field in fields})


def _type(field: Any) -> str:
    """A text longer than its column is refused by the column; a cast to its length would cut it without a word."""
    return str(field.db_type(connection)).partition("(")[0]


def _converter(field: Any) -> Callable[[Any], Any] | None:
    field = getattr(field, "target_field", field)
    if isinstance(field, models.UUIDField):
        return _hex
    if isinstance(field, models.JSONField):
        return json.dumps
    return connection.ops.adapt_datetimefield_value if isinstance(field, models.DateTimeField) else None


def _hex(value: UUID) -> str:
    return value.hex


def _bytea(value: bytes | memoryview) -> str:
    return "\\x" + value.hex()
