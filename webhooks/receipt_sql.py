"""The SQL of a receipt. It checks nothing but that the id is free, and that what the caller went by is so still.

On PostgreSQL a receipt is one autocommit statement: it claims the id, and only with the claim in hand
inserts the event and its bytes. The claim also compares the source's revision, so that callers may keep
sources in memory without ever acting on an old one; and, of a publication, whether the key that it came with
opens at this moment, and whether its event type is as it was, so that these may be kept in memory, too.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import cache, lru_cache
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

from webhooks import rows
from webhooks.models import (
    ApiKey,
    BusinessKey,
    Event,
    EventBody,
    EventKey,
    EventState,
    EventType,
    KeyKind,
    Role,
    Source,
)

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
# And what it tells besides, of a publication that was decided by what is in memory.
PROOF: dict[str, Any] = {
    "api_key_digest": ApiKey._meta.get_field("digest"),
    "type_changed_at": EventType._meta.get_field("updated_at"),
    "type_state": EventType._meta.get_field("state"),
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
_BOUND = ApiKey.sources.through._meta.db_table


def _insert_into(model: type[Model], columns: Mapping[str, str], source: str = "") -> str:
    # All of it is written in this module; no request has a say in it.
    names, values = ", ".join(columns), ", ".join(columns.values())
    return f"INSERT INTO {model._meta.db_table} ({names}) SELECT {values} {source}"  # noqa: S608


# A key that may publish, to this source, now. A publisher's that is bound to sources is bound to this one, too.
_KEY_OPENS = (
    f"EXISTS (SELECT 1 FROM {ApiKey._meta.db_table} k WHERE k.digest = {{api_key_digest}} "  # noqa: S608
    "AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > {received_at}) "
    f"AND (k.role = '{Role.OPERATOR}' OR k.role = '{Role.PUBLISHER}' AND ("
    f"EXISTS (SELECT 1 FROM {_BOUND} b WHERE b.apikey_id = k.id AND b.source_id = s.id) "
    f"OR NOT EXISTS (SELECT 1 FROM {_BOUND} b WHERE b.apikey_id = k.id))))"
)
_TYPE = f"EXISTS (SELECT 1 FROM {EventType._meta.db_table} t WHERE t.name = {{event_type}}"  # noqa: S608
_TYPE_IS_THE_SAME = (
    f"CASE WHEN {{type_state}} IS NULL THEN NOT {_TYPE}) "
    f"ELSE {_TYPE} AND t.state = {{type_state}} AND t.updated_at = {{type_changed_at}}) END"
)


@cache
def _claim(*, is_proved: bool) -> str:
    """Takes the id if it is free, or if it is a fingerprint that was last taken before the window."""
    proof = f"AND {_KEY_OPENS} AND {_TYPE_IS_THE_SAME} " if is_proved else ""
    return _insert_into(
        EventKey,
        KEY_COLUMNS,
        "FROM webhooks_source s WHERE s.id = {source_id} AND s.revision = {source_revision} AND s.is_enabled "
        f"{proof}ON CONFLICT (source_id, kind, digest) DO UPDATE SET event_id = excluded.event_id, "
        "first_seen_at = excluded.first_seen_at, last_seen_at = excluded.last_seen_at, "
        "duplicates = 0, conflicts = 0 "
        f"WHERE webhooks_eventkey.kind = '{KeyKind.FINGERPRINT}' "
        "AND webhooks_eventkey.first_seen_at < {window_start} RETURNING event_id",
    )


def _stored(*, is_proved: bool) -> str:
    return (
        f"WITH claimed AS ({_claim(is_proved=is_proved)}), "  # noqa: S608
        f"stored AS ({_insert_into(Event, EVENT_COLUMNS, 'FROM claimed')} RETURNING id), "
        f"content AS ({_insert_into(EventBody, BODY_COLUMNS, 'FROM stored')})"
    )


# Of one among many: all that a receipt tells, but what is compared, which was done before.
GIVEN = rows.Columns(
    {name: field for name, field in PARAMETERS.items() if name not in {"window_start", "source_revision"}},
    utf8={"body"},  # it was written here
)
_OF_ROW = {name: f"v.{name}" for name in GIVEN.names}
_CLAIM_MANY = (
    # In one order everywhere, so that two who share ids never wait for each other in a ring; of one id, the first.
    f"{_insert_into(EventKey, KEY_COLUMNS, 'FROM %s WHERE true').format_map(_OF_ROW)} "
    "ORDER BY v.source_id, v.key_digest, v.event_id ON CONFLICT DO NOTHING "
)
_KEEP_MANY = tuple(
    _insert_into(model, columns, "FROM %s WHERE true").format_map(_OF_ROW)
    for model, columns in ((Event, EVENT_COLUMNS), (EventBody, BODY_COLUMNS))
)
_STORE_MANY = (
    "WITH given AS MATERIALIZED (SELECT * FROM %s), "  # noqa: S608
    f"claimed AS ({_CLAIM_MANY.replace('%s', 'given AS v')} RETURNING event_id), "
    "free AS (SELECT given.* FROM given JOIN claimed USING (event_id) ORDER BY event_id), "
    + ", ".join(
        f"kept{number} AS ({sql.replace('%s', 'free AS v')})" for number, sql in enumerate(_KEEP_MANY, 1)
    )
    + " SELECT CAST(event_id AS text) FROM claimed"
)


def insert_many(given: Sequence[rows.Row]) -> Collection[str]:
    """Of many, each with a value for each of GIVEN, those whose id was free exist now. Returns their event ids.

    In the caller's transaction; on PostgreSQL in one statement.
    """
    if connection.vendor == "postgresql":
        return [event_id for (event_id,) in rows.run(_STORE_MANY, GIVEN, given)]
    claimed = {event_id for (event_id,) in rows.run(f"{_CLAIM_MANY} RETURNING event_id", GIVEN, given)}
    place = GIVEN.names.index("event_id")
    free = [row for row in given if row[place].hex in claimed]
    for sql in _KEEP_MANY:
        rows.run(sql, GIVEN, free)
    return claimed


_NAMED = _insert_into(BusinessKey, NAME_COLUMNS)
_NAMES = _insert_into(
    BusinessKey,
    {"event_id": "stored.id", "name": "given.name", "value": "given.value"},
    "FROM stored, unnest({names}, {texts}) AS given(name, value)",
)


class _Statement:
    """One that each connection plans once. Those without names, or a proof, pay nothing for those that have some."""

    def __init__(self, *, is_proved: bool, has_names: bool) -> None:
        self.name = f"weir_store{'_proved' if is_proved else ''}{'_named' if has_names else ''}"
        fields = PARAMETERS | (PROOF if is_proved else {})
        self._types = {name: field.db_type for name, field in fields.items()}
        self._more = {"names": "text[]", "texts": "text[]"} if has_names else {}
        given = [*self._types, *self._more]
        names = f", named AS ({_NAMES})" if has_names else ""
        # A row or none says it all, and nobody has to read an id from it.
        sql = f"{_stored(is_proved=is_proved)}{names} SELECT 1 FROM claimed"  # noqa: S608
        self._sql = sql.format_map({each: f"${number}" for number, each in enumerate(given, 1)})
        self.execution = f"EXECUTE {self.name} ({', '.join(f'%({each})s' for each in given)})"
        self.sessions: WeakSet[Any] = WeakSet()  # those that have planned it

    def preparation(self, ours: BaseDatabaseWrapper) -> str:
        types = [*(db_type(ours) for db_type in self._types.values()), *self._more.values()]
        return f"PREPARE {self.name} ({', '.join(types)}) AS {self._sql}"


_STATEMENTS = {
    (is_proved, has_names): _Statement(is_proved=is_proved, has_names=has_names)
    for is_proved in (False, True)
    for has_names in (False, True)
}


def insert(
    values: Mapping[str, Any],
    business_keys: Sequence[tuple[str, str]] = (),
    proof: Mapping[str, Any] | None = None,
) -> bool:
    """Whether the id was free and the source unchanged, so that the event now exists.

    With a proof, which has a value for each of PROOF, whether its key may publish this, and the type is unchanged, too.
    """
    if connection.vendor == "postgresql":
        return _insert_in_postgresql(values, business_keys, proof)
    # SQLite has no INSERT inside WITH. The transaction is as short as three statements can be.
    with transaction.atomic():
        if is_free := claim(values, proof):
            keep(values, business_keys)
    return is_free


def claim(values: Mapping[str, Any], proof: Mapping[str, Any] | None = None) -> bool:
    """Takes the id alone, in the caller's transaction, who then keeps the event or names another one."""
    with connection.cursor() as cursor:
        cursor.execute(_apart(_claim(is_proved=proof is not None)), _adapted({**values, **(proof or {})}))
        return cursor.fetchone() is not None


def keep(values: Mapping[str, Any], business_keys: Sequence[tuple[str, str]]) -> None:
    """The event and its bytes, once its id was claimed in the same transaction."""
    with connection.cursor() as cursor:
        for model, columns in ((Event, EVENT_COLUMNS), (EventBody, BODY_COLUMNS)):
            cursor.execute(_apart(_insert_into(model, columns)), _adapted(values))
        for name, value in business_keys:
            cursor.execute(_apart(_NAMED), {**_adapted(values), "name": name, "value": value})


def _insert_in_postgresql(*given: Any) -> bool:
    """Over a new connection, once, when ours turns out to have died: nothing is stored twice by asking twice."""
    ours = connections[DEFAULT_DB_ALIAS]  # looked up once; each use of `connection` would look it up again
    # The statement itself tells whether the connection lives; asking before each was a tenth of a receipt's time.
    ours.health_check_done = True  # type: ignore[attr-defined]  # unknown to Django's stubs
    try:
        return _execute(ours, *given)
    except (OperationalError, InterfaceError):
        is_ours_to_close = ours.connection is not None and not ours.in_atomic_block
        if not is_ours_to_close or ours.is_usable():
            raise
    ours.close()
    return _execute(ours, *given)


def _execute(
    ours: BaseDatabaseWrapper,
    values: Mapping[str, Any],
    business_keys: Sequence[tuple[str, str]],
    proof: Mapping[str, Any] | None,
) -> bool:
    # As text: psycopg2 quotes a str some five times as fast as a UUID.
    adapted = {name: value.hex if isinstance(value, UUID) else value for name, value in values.items()}
    adapted.update(proof or {})
    if business_keys:
        adapted["names"], adapted["texts"] = (list(each) for each in zip(*business_keys, strict=True))
    statement = _STATEMENTS[proof is not None, bool(business_keys)]
    with ours.cursor() as cursor:
        _prepare(ours, cursor, statement)
        cursor.execute(statement.execution, adapted)
        return bool(cursor.rowcount == 1)


def _prepare(ours: BaseDatabaseWrapper, cursor: Any, statement: _Statement) -> None:
    """Planning three inserts takes as long as doing them, so each connection plans once."""
    session = ours.connection
    if session not in statement.sessions:
        cursor.execute(statement.preparation(ours))
        statement.sessions.add(session)


@lru_cache
def _apart(sql: str) -> str:
    """For statements that are executed one by one, their values beside them."""
    return sql.format_map({name: f"%({name})s" for name in (*PARAMETERS, *PROOF, *NAME_COLUMNS)})


def _adapted(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _plain(value) for name, value in values.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, UUID):
        return value.hex
    return connection.ops.adapt_datetimefield_value(value) if isinstance(value, datetime) else value
