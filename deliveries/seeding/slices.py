"""Sums the made-up attempts up into the slices that dashboards read, as folding would have done day by day."""

from collections.abc import Iterable, Mapping
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


def _sheets(dialect: Dialect) -> tuple[Sheet, Sheet]:
    raw = f"""
        SELECT d.subscription_id, {dialect.second.format("a.started_at")} AS second, a.number, a.phase, a.outcome,
               COALESCE(a.status, 0) AS status, CASE WHEN {IS_TIMED} THEN a.duration_ms ELSE 0 END AS took_ms,
               CASE WHEN {IS_TIMED} THEN {BUCKET_OF} END AS bucket, {_IS_LAST} AS is_last
        FROM deliveries_attempt a JOIN deliveries_delivery d ON d.id = a.delivery_id
        WHERE d.subscription_id IN (WHOM)"""  # noqa: S608 (names of our own, and ids that we made)
    return (
        Sheet(table="deliveries_rollup", keys=(), sums=_SUMS, facts=raw),
        Sheet(
            table="deliveries_rollupfailure",
            keys=("outcome", "status"),
            sums=_FAILURES,
            facts=f"{raw} AND a.outcome <> 'ok'",
        ),
    )


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
