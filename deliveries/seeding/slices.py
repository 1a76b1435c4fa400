"""Sums the made-up attempts up into the slices that dashboards read, as folding would have done day by day."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import connection

from deliveries.models.rollup import EVERY
from deliveries.services.folding_sql import BUCKET_OF, IS_TIMED, SUMS
from deliveries.services.retention import KEEP_ROLLUPS_DAYS

DAY_S = 86_400
# Each made-up death is the last attempt of what is dead now, or was looked at and let go.
_IS_LAST = "d.state IN ('dead', 'discarded') AND a.number = d.attempts"
_SUMS = SUMS | {"dead": "COUNT(*) FILTER (WHERE is_last)"}
_FAILURES = {"failures": "COUNT(*)"}
_FAILED = " AND a.outcome <> 'ok'"
_KIND = ("outcome", "status")


@dataclass(frozen=True, kw_only=True, slots=True)
class Dialect:
    """How a database says the second of a moment, the moment of a second, and an id."""

    second: str
    moment: str
    id: str


POSTGRESQL = Dialect(
    second="FLOOR(EXTRACT(EPOCH FROM {}))::bigint", moment="to_timestamp({})", id="'{}'::uuid"
)
SQLITE = Dialect(
    second="CAST(strftime('%s', {}) AS integer)", moment="datetime({}, 'unixepoch')", id="'{.hex}'"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sheet:
    """A table of slices: what besides time and subscription tells its rows apart, what is counted, and from what."""

    table: str
    keys: tuple[str, ...]
    sums: Mapping[str, str]
    facts: str

    @property
    def more(self) -> str:
        return "".join(f", {key}" for key in self.keys)

    @property
    def names(self) -> str:
        return ", ".join(self.sums)

    @property
    def added(self) -> str:
        return ", ".join(f"SUM({name})" for name in self.sums)


def sum_up(subscriptions: Iterable[UUID], *, now: float) -> None:
    """Slices of every width for these, who have none yet, and what they add to the slices of everyone."""
    dialect = POSTGRESQL if connection.vendor == "postgresql" else SQLITE
    whom = ", ".join(dialect.id.format(each) for each in subscriptions)
    with connection.cursor() as cursor:
        for sheet in _sheets(dialect):
            for width_s, days in KEEP_ROLLUPS_DAYS.items():
                since = int(now - days * DAY_S) // width_s * width_s
                narrow = _own(dialect, sheet, width_s, since) if width_s < DAY_S else _days(dialect, sheet)
                cursor.execute(narrow.replace("WHOM", whom))
                cursor.execute(_everyone(dialect, sheet, width_s).replace("WHOM", whom))
        for sheet in _type_sheets(dialect):
            for widths in ((60, 900), (3_600, DAY_S)):
                cursor.execute(_of_types(dialect, sheet, widths, now=now).replace("WHOM", whom))


def _sheets(dialect: Dialect) -> tuple[Sheet, Sheet]:
    facts = _facts(dialect)
    return (
        Sheet(table="deliveries_rollup", keys=(), sums=_SUMS, facts=facts),
        Sheet(table="deliveries_rollupfailure", keys=_KIND, sums=_FAILURES, facts=facts + _FAILED),
    )


def _type_sheets(dialect: Dialect) -> tuple[Sheet, Sheet]:
    facts = _facts(dialect)
    return (
        Sheet(table="deliveries_typerollup", keys=(), sums=_SUMS, facts=facts),
        Sheet(table="deliveries_typefailure", keys=_KIND, sums=_FAILURES, facts=facts + _FAILED),
    )


def _facts(dialect: Dialect) -> str:
    return f"""
        SELECT d.subscription_id, d.event_type, {dialect.second.format("a.started_at")} AS second, a.number, a.phase,
               a.outcome, COALESCE(a.status, 0) AS status,
               CASE WHEN {IS_TIMED} THEN a.duration_ms ELSE 0 END AS took_ms,
               CASE WHEN {IS_TIMED} THEN {BUCKET_OF} END AS bucket, {_IS_LAST} AS is_last
        FROM deliveries_attempt a JOIN deliveries_delivery d ON d.id = a.delivery_id
        WHERE d.subscription_id IN (WHOM)"""  # noqa: S608 (names of our own, and ids that we made)


def _own(dialect: Dialect, sheet: Sheet, width_s: int, since: int) -> str:
    """From the attempts themselves."""
    start = f"second - second % {width_s}"
    return f"""
        INSERT INTO {sheet.table} (width_s, starts_at, subscription_id{sheet.more}, {sheet.names})
        SELECT {width_s}, {dialect.moment.format(start)}, subscription_id{sheet.more}, {", ".join(sheet.sums.values())}
        FROM ({sheet.facts}) AS facts WHERE second >= {since}
        GROUP BY {start}, subscription_id{sheet.more}"""  # noqa: S608


def _days(dialect: Dialect, sheet: Sheet) -> str:
    """From the hours."""
    second = dialect.second.format("starts_at")
    start = dialect.moment.format(f"{second} - {second} % {DAY_S}")
    return f"""
        INSERT INTO {sheet.table} (width_s, starts_at, subscription_id{sheet.more}, {sheet.names})
        SELECT {DAY_S}, {start}, subscription_id{sheet.more}, {sheet.added}
        FROM {sheet.table} WHERE width_s = 3600 AND subscription_id IN (WHOM)
        GROUP BY {start}, subscription_id{sheet.more}"""  # noqa: S608


def _everyone(dialect: Dialect, sheet: Sheet, width_s: int) -> str:
    """From those slices."""
    return f"""
        INSERT INTO {sheet.table} (width_s, starts_at, subscription_id{sheet.more}, {sheet.names})
        SELECT width_s, starts_at, {dialect.id.format(EVERY)}{sheet.more}, {sheet.added}
        FROM {sheet.table} WHERE width_s = {width_s} AND subscription_id IN (WHOM)
        GROUP BY width_s, starts_at{sheet.more}
        ON CONFLICT (width_s, starts_at, subscription_id{sheet.more})
        DO UPDATE SET {", ".join(f"{name} = {sheet.table}.{name} + excluded.{name}" for name in sheet.sums)}"""  # noqa: S608


def _of_types(dialect: Dialect, sheet: Sheet, widths: Sequence[int], *, now: float) -> str:
    """From the attempts themselves, summed by the narrower width first. A month has few types, so each has its own."""
    narrow, start = widths[0], "narrow.second - narrow.second % w.width_s"
    kept = {width_s: int(now - KEEP_ROLLUPS_DAYS[width_s] * DAY_S) // width_s * width_s for width_s in widths}
    chosen = " UNION ALL ".join(
        f"SELECT {width_s} AS width_s, {since} AS since" for width_s, since in kept.items()
    )
    summed = ", ".join(f"{count} AS {name}" for name, count in sheet.sums.items())
    key = f"width_s, starts_at, event_type{sheet.more}"
    return f"""
        WITH narrow AS (
            SELECT second - second % {narrow} AS second, event_type{sheet.more}, {summed}
            FROM ({sheet.facts}) AS facts WHERE second >= {min(kept.values())}
            GROUP BY second - second % {narrow}, event_type{sheet.more})
        INSERT INTO {sheet.table} ({key}, {sheet.names})
        SELECT w.width_s, {dialect.moment.format(start)} AS starts_at, event_type{sheet.more}, {sheet.added}
        FROM narrow CROSS JOIN ({chosen}) AS w WHERE narrow.second >= w.since
        GROUP BY w.width_s, {start}, event_type{sheet.more}
        ON CONFLICT ({key})
        DO UPDATE SET {", ".join(f"{name} = {sheet.table}.{name} + excluded.{name}" for name in sheet.sums)}"""  # noqa: S608
