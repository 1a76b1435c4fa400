"""The SQL of a receipt. It checks nothing but that the id is free and the source as the caller knew it.

On PostgreSQL a receipt is one autocommit statement: it claims the id, and only with the claim in hand
inserts the event and its bytes. The claim also compares the source's revision, so that callers may keep
sources in memory without ever acting on an old one.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID
from weakref import WeakSet

from django.db import (
    DEFAULT_DB_ALIAS,
    InterfaceError,
    OperationalError,
    connection,
    connections,
    transaction,
)
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model

from webhooks.models import BusinessKey, Event, EventBody, EventKey, EventState, KeyKind, Source

# What a receipt tells the database, each value once, with the field that says its type.
PARAMETERS: dict[str, Any] = {
    "key_id": EventKey._meta.pk,
    "event_id": Event._meta.pk,
    "trace_id": Event._meta.get_field("trace_id"),
    "window_start": EventKey._meta.get_field("first_seen_at"),
    "source_id": Event._meta.get_field("source"),
    "source_revision": Source._meta.get_field("revision"),
    "kind": EventKey._meta.get_field("kind"),
    "key_digest": EventKey._meta.get_field("digest"),
    "external_id": Event._meta.get_field("external_id"),
    "event_type": Event._meta.get_field("event_type"),
    "occurred_at": Event._meta.get_field("occurred_at"),
    "received_at": Event._meta.get_field("received_at"),
    "body": EventBody._meta.get_field("body"),
    "body_digest": EventKey._meta.get_field("body_digest"),
    "content_type": EventBody._meta.get_field("content_type"),
    "headers": EventBody._meta.get_field("headers"),
    "tracestate": EventBody._meta.get_field("tracestate"),
    "verified_by": Event._meta.get_field("verified_by"),
    "operation_id": Event._meta.get_field("operation_id"),
    "entity": Event._meta.get_field("entity"),
    "entity_version": Event._meta.get_field("entity_version"),
    "cause_id": Event._meta.get_field("cause_id"),
    "target_id": Event._meta.get_field("target"),
    "deliver_at": Event._meta.get_field("deliver_at"),
}

# Every column of the three tables, and what goes into it: a parameter in braces, or SQL.
KEY_COLUMNS = {
    "id": "{key_id}",
    "source_id": "{source_id}",
    "kind": "{kind}",
    "digest": "{key_digest}",
    "event_id": "{event_id}",
    "body_digest": "{body_digest}",
    "first_seen_at": "{received_at}",
    "last_seen_at": "{received_at}",
    "duplicates": "0",
    "conflicts": "0",
}
EVENT_COLUMNS = {
    "id": "{event_id}",
    "source_id": "{source_id}",
    "external_id": "{external_id}",
    "event_type": "{event_type}",
    "state": f"CASE WHEN {{deliver_at}} IS NULL THEN '{EventState.RECEIVED}' ELSE '{EventState.SCHEDULED}' END",
    "received_at": "{received_at}",
    "routed_at": "NULL",
    "occurred_at": "{occurred_at}",
    "size": "length({body})",
    "verified_by": "{verified_by}",
    "operation_id": "{operation_id}",
    "entity": "{entity}",
    "entity_version": "{entity_version}",
    "trace_id": "{trace_id}",
    "cause_id": "{cause_id}",
    "depth": "0",
    "target_id": "{target_id}",
    "deliver_at": "{deliver_at}",
}
BODY_COLUMNS = {
    "event_id": "{event_id}",
    "body": "{body}",
    "content_type": "{content_type}",
    "headers": "{headers}",
    "tracestate": "{tracestate}",
}

NAME_COLUMNS = {"event_id": "{event_id}", "name": "{name}", "value": "{value}"}


def _insert_into(model: type[Model], columns: Mapping[str, str], source: str = "") -> str:
    # All of it is written in this module; no request has a say in it.
    names, values = ", ".join(columns), ", ".join(columns.values())
    return f"INSERT INTO {model._meta.db_table} ({names}) SELECT {values} {source}"  # noqa: S608


# Takes the id if it is free, or if it is a fingerprint that was last taken before the window.
_CLAIM = _insert_into(
    EventKey,
    KEY_COLUMNS,
    "FROM webhooks_source s WHERE s.id = {source_id} AND s.revision = {source_revision} AND s.is_enabled "
    "ON CONFLICT (source_id, kind, digest) DO UPDATE SET event_id = excluded.event_id, "
    "first_seen_at = excluded.first_seen_at, last_seen_at = excluded.last_seen_at, "
    "duplicates = 0, conflicts = 0 "
    f"WHERE webhooks_eventkey.kind = '{KeyKind.FINGERPRINT}' "
    "AND webhooks_eventkey.first_seen_at < {window_start} RETURNING event_id",
)
_STORED = (
    f"WITH claimed AS ({_CLAIM}), "  # noqa: S608
    f"stored AS ({_insert_into(Event, EVENT_COLUMNS, 'FROM claimed')} RETURNING id), "
    f"content AS ({_insert_into(EventBody, BODY_COLUMNS, 'FROM stored')})"
)
_NAMED = _insert_into(BusinessKey, NAME_COLUMNS)


class _Statement:
    """One that each connection plans once; `extra` are the types of what it takes beside PARAMETERS."""

    def __init__(self, name: str, sql: str, extra: Sequence[str] = ()) -> None:
        self.name, self.sql, self.extra = name, sql, extra
        given = [*PARAMETERS, *(f"extra_{number}" for number in range(len(extra)))]
        self.execution = f"EXECUTE {name} ({', '.join(f'%({each})s' for each in given)})"
        self.sessions: WeakSet[Any] = WeakSet()  # those that have planned it


# A row or none says it all, and nobody has to read an id from it.
_PLAIN = _Statement("weir_store", f"{_STORED} SELECT 1 FROM claimed")  # noqa: S608
_GIVEN = f"FROM stored, unnest(${len(PARAMETERS) + 1}, ${len(PARAMETERS) + 2}) AS given(name, value)"
_NAMES = _insert_into(
    BusinessKey, {"event_id": "stored.id", "name": "given.name", "value": "given.value"}, _GIVEN
)
# Apart, so that sources without business keys pay nothing for those that have some.
_WITH_NAMES = _Statement(
    "weir_store_named",
    f"{_STORED}, named AS ({_NAMES}) SELECT 1 FROM claimed",  # noqa: S608
    extra=("text[]", "text[]"),
)


def insert(values: Mapping[str, Any], business_keys: Sequence[tuple[str, str]] = ()) -> bool:
    """Whether the id was free and the source unchanged, so that the event now exists."""
    if connection.vendor == "postgresql":
        return _insert_in_postgresql(values, business_keys)
    # SQLite has no INSERT inside WITH. The transaction is as short as three statements can be.
    with transaction.atomic():
        if is_free := claim(values):
            keep(values, business_keys)
    return is_free


def claim(values: Mapping[str, Any]) -> bool:
    """Takes the id alone, in the caller's transaction, who then keeps the event or names another one."""
    with connection.cursor() as cursor:
        cursor.execute(_apart(_CLAIM), _adapted(values))
        return cursor.fetchone() is not None


def keep(values: Mapping[str, Any], business_keys: Sequence[tuple[str, str]]) -> None:
    """The event and its bytes, once its id was claimed in the same transaction."""
    with connection.cursor() as cursor:
        for model, columns in ((Event, EVENT_COLUMNS), (EventBody, BODY_COLUMNS)):
            cursor.execute(_apart(_insert_into(model, columns)), _adapted(values))
        for name, value in business_keys:
            cursor.execute(_apart(_NAMED), {**_adapted(values), "name": name, "value": value})


def _insert_in_postgresql(values: Mapping[str, Any], business_keys: Sequence[tuple[str, str]]) -> bool:
    """Over a new connection, once, when ours turns out to have died: nothing is stored twice by asking twice."""
    ours = connections[DEFAULT_DB_ALIAS]  # looked up once; each use of `connection` would look it up again
    # The statement itself tells whether the connection lives; asking before each was a tenth of a receipt's time.
    ours.health_check_done = True  # type: ignore[attr-defined]  # unknown to Django's stubs
    try:
        return _execute(ours, values, business_keys)
    except (OperationalError, InterfaceError):
        is_ours_to_close = ours.connection is not None and not ours.in_atomic_block
        if not is_ours_to_close or ours.is_usable():
            raise
    ours.close()
    return _execute(ours, values, business_keys)


def _execute(
    ours: BaseDatabaseWrapper, values: Mapping[str, Any], business_keys: Sequence[tuple[str, str]]
) -> bool:
    # As text: psycopg2 quotes a str some five times as fast as a UUID.
    adapted = {name: value.hex if isinstance(value, UUID) else value for name, value in values.items()}
    statement = _PLAIN
    if business_keys:
        names, texts = (list(each) for each in zip(*business_keys, strict=True))
        statement, adapted = _WITH_NAMES, {**adapted, "extra_0": names, "extra_1": texts}
    with ours.cursor() as cursor:
        _prepare(ours, cursor, statement)
        cursor.execute(statement.execution, adapted)
        return bool(cursor.rowcount == 1)


def _prepare(ours: BaseDatabaseWrapper, cursor: Any, statement: _Statement) -> None:
    """Planning three inserts takes as long as doing them, so each connection plans once."""
    session = ours.connection
    if session not in statement.sessions:
        types = [field.db_type(ours) for field in PARAMETERS.values()]
        numbers = {name: f"${number}" for number, name in enumerate(PARAMETERS, 1)}
        sql = statement.sql.format_map(numbers)
        cursor.execute(f"PREPARE {statement.name} ({', '.join([*types, *statement.extra])}) AS {sql}")
        statement.sessions.add(session)


@lru_cache
def _apart(sql: str) -> str:
    """For statements that are executed one by one, their values beside them."""
    return sql.format_map({name: f"%({name})s" for name in (*PARAMETERS, *NAME_COLUMNS)})


def _adapted(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _plain(value) for name, value in values.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, UUID):
        return value.hex
    return connection.ops.adapt_datetimefield_value(value) if isinstance(value, datetime) else value
