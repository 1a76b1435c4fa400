"""The SQL of a fold: from the attempts that tallies name to what is added to rollups and totals. It runs none of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from deliveries.deciders.latency import BUCKETS, EDGES_MS, WAIT_EDGES_MS
from deliveries.deciders.outcome import ENDPOINT_FAULTS
from deliveries.models import Phase
from deliveries.models.rollup import EVERY, OTHER_TYPES, TYPES_A_DAY, WIDTHS
from deliveries.models.total import Spread

LAST_RETRY = 12  # the number that stands for all later retries
DAY_S = WIDTHS[-1]


@dataclass(frozen=True, kw_only=True, slots=True)
class Dialect:
    """How a database reads the tallies whose ids stand for CHOSEN, a minute of seconds, a moment and `EVERY`.

    `attempts` takes the column that lists their ids. `waited` is the time from an event's receipt, which its id
    tells (UUIDv7), to the beginning of an attempt, in milliseconds. `adds_at_once`: one statement may insert several
    times.
    """

    attempts: str
    deaths: str
    minute: str
    moment: str
    every: str
    waited: str
    adds_at_once: bool


POSTGRESQL = Dialect(
    # LIMIT 1 is what keeps the planner from reading the whole of both tables.
    attempts="""
        (SELECT f.id::uuid AS attempt_id FROM deliveries_tally t
         CROSS JOIN json_array_elements_text(t.{column}::json) AS f(id) WHERE t.id IN (CHOSEN)) AS i
        CROSS JOIN LATERAL (SELECT * FROM deliveries_attempt WHERE id = i.attempt_id LIMIT 1) AS a
        CROSS JOIN LATERAL
            (SELECT subscription_id, event_id, event_type
             FROM deliveries_delivery WHERE id = a.delivery_id LIMIT 1) AS d""",
    deaths="""
        (SELECT (f.death->>'lane')::uuid AS subscription_id, (f.death->>'second')::bigint AS second,
                COALESCE(f.death->>'type', '{other}') AS event_type,
                (f.death->>'attempt')::uuid AS attempt_id, f.death->>'outcome' AS outcome
         FROM deliveries_tally t CROSS JOIN json_array_elements(t.deaths::json) AS f(death)
         WHERE t.id IN (CHOSEN)) AS e""".replace("{other}", OTHER_TYPES),
    minute="EXTRACT(EPOCH FROM date_trunc('minute', a.started_at))::bigint",
    moment="to_timestamp({seconds})",
    every=f"'{EVERY}'::uuid",
    waited="""floor(EXTRACT(EPOCH FROM a.started_at) * 1000)::bigint
              - ('x' || left(replace(d.event_id::text, '-', ''), 12))::bit(48)::bigint""",
    adds_at_once=True,
)
_HEX = " + ".join(
    f"((instr('0123456789abcdef', substr(d.event_id, {digit}, 1)) - 1) << {48 - 4 * digit})"
    for digit in range(1, 13)
)
SQLITE = Dialect(
    attempts="""
        deliveries_tally t CROSS JOIN json_each(t.{column}) AS i
        CROSS JOIN deliveries_attempt a ON a.id = i.value
        CROSS JOIN deliveries_delivery d ON d.id = a.delivery_id AND t.id IN (CHOSEN)""",
    deaths="""
        (SELECT json_extract(f.value, '$.lane') AS subscription_id, json_extract(f.value, '$.second') AS second,
                COALESCE(json_extract(f.value, '$.type'), '{other}') AS event_type,
                json_extract(f.value, '$.attempt') AS attempt_id, json_extract(f.value, '$.outcome') AS outcome
         FROM deliveries_tally t CROSS JOIN json_each(t.deaths) AS f WHERE t.id IN (CHOSEN)) AS e""".replace(
        "{other}", OTHER_TYPES
    ),
    minute="CAST(strftime('%s', a.started_at) AS integer) / 60 * 60",
    moment="datetime({seconds}, 'unixepoch')",
    every=f"'{EVERY.hex}'",
    waited=f"""CAST(strftime('%s', a.started_at) AS integer) * 1000
               + CAST(substr(strftime('%f', a.started_at), 4) AS integer) - ({_HEX})""",
    adds_at_once=False,
)


def bucket_of(duration: str, edges: Iterable[int]) -> str:
    """An expression that says in which bucket a duration lies, as `deciders.latency.bucket` does."""
    within = list(edges)
    cases = " ".join(f"WHEN {duration} <= {edge} THEN {number}" for number, edge in enumerate(within))
    return f"CASE {cases} ELSE {len(within)} END"


BUCKET_OF = bucket_of("a.duration_ms", EDGES_MS)
_FAULTS = ", ".join(f"'{outcome.value}'" for outcome in sorted(ENDPOINT_FAULTS))
# A refused connection says nothing of how fast an endpoint is; one that ran out of time does.
IS_TIMED = "(a.status IS NOT NULL OR a.outcome = 'timeout')"
SUMS = {
    "attempts": "COUNT(number)",
    "replays": f"COUNT(*) FILTER (WHERE phase = {Phase.REPLAY.value})",
    "delivered_first": "COUNT(*) FILTER (WHERE outcome = 'ok' AND number = 1)",
    "delivered_retry": "COUNT(*) FILTER (WHERE outcome = 'ok' AND number > 1)",
    "retried": "COUNT(*) FILTER (WHERE outcome <> 'ok' AND NOT is_last)",
    "dead": "COUNT(*) FILTER (WHERE number IS NULL)",
    "faults": f"COUNT(*) FILTER (WHERE outcome IN ({_FAULTS}))",
    "latency_ms": "SUM(took_ms)",
} | {f"took_{number:02}": f"COUNT(*) FILTER (WHERE bucket = {number})" for number in range(BUCKETS)}
_TIMED = {"timed": "COUNT(bucket)"}
_TOTALS = (
    "attempts", "replays", "delivered_first", "delivered_retry", "retried", "dead", "faults", "timed",
    "latency_ms",
)  # fmt: skip


def of_attempts(dialect: Dialect) -> list[str]:
    """Statements that add what attempts and deaths come to."""
    facts = f"""
        SELECT d.subscription_id, d.event_type, {dialect.minute} AS minute, a.number, a.phase, a.outcome, a.duration_ms,
               CASE WHEN {IS_TIMED} THEN a.duration_ms ELSE 0 END AS took_ms,
               CASE WHEN {IS_TIMED} THEN {BUCKET_OF} END AS bucket, {dialect.waited} AS waited_ms,
               a.id IN (SELECT attempt_id FROM {dialect.deaths} WHERE attempt_id IS NOT NULL) AS is_last
        FROM {dialect.attempts.format(column="attempts")}
        UNION ALL
        SELECT subscription_id, event_type, second - second % 60, NULL, NULL, NULL, NULL, 0, NULL, NULL, NULL
        FROM {dialect.deaths}"""  # noqa: S608
    return _statements(
        dialect,
        facts=facts,
        sums=SUMS | _TIMED,
        types=_admitted(dialect),
        adds=[
            _rollup(dialect, table="deliveries_rollup", keys=(), sums=tuple(SUMS)),
            _type_rollup(dialect, table="deliveries_typerollup", keys=(), sums=tuple(SUMS)),
            _add(table="deliveries_total", keys=("subscription_id",), sums=_TOTALS, source="minutes"),
            _add(
                table="deliveries_spreadtotal",
                keys=("kind", "bucket"),
                sums=("number", "sum_ms"),
                source=f"({_spreads()}) AS spreads",
            ),
        ],
    )


def of_failures(dialect: Dialect) -> list[str]:
    """Statements that add failures by their kind."""
    facts = f"""
        SELECT d.subscription_id, d.event_type, {dialect.minute} AS minute, a.outcome,
               COALESCE(a.status, 0) AS status, 1 AS tries
        FROM {dialect.attempts.format(column="failed")}
        UNION ALL
        SELECT subscription_id, event_type, second - second % 60, outcome, 0, 0
        FROM {dialect.deaths} WHERE attempt_id IS NULL"""  # noqa: S608
    keys, sums = ("outcome", "status"), ("failures",)
    return _statements(
        dialect,
        facts=facts,
        sums={"failures": "COUNT(*)", "untried": "COUNT(*) FILTER (WHERE tries = 0)"},
        types=_known(dialect),
        keys=keys,
        adds=[
            _rollup(dialect, table="deliveries_rollupfailure", keys=keys, sums=sums),
            _type_rollup(dialect, table="deliveries_typefailure", keys=keys, sums=sums),
            _add(
                table="deliveries_failuretotal",
                keys=("subscription_id", *keys),
                sums=(*sums, "untried"),
                source="minutes",
            ),
        ],
    )


def _statements(
    dialect: Dialect,
    *,
    facts: str,
    sums: Mapping[str, str],
    types: str,
    adds: list[str],
    keys: tuple[str, ...] = (),
) -> list[str]:
    """Sums per minute first, so that the widths, and the sums over every subscription, add up few rows.

    Where a statement may insert more than once, the attempts are read once for all that is added.
    """
    summed = ", ".join(f"{sum_} AS {name}" for name, sum_ in sums.items())
    by, of_type = (", ".join((key, "minute", *keys)) for key in ("subscription_id", "event_type"))
    given = f"""
        WITH facts AS ({facts}), minutes AS (SELECT {by}, {summed} FROM facts GROUP BY {by}),
             of_types AS (SELECT {of_type}, {summed} FROM facts GROUP BY {of_type}), types AS ({types})"""  # noqa: S608
    if not dialect.adds_at_once:
        return [f"{given} {add}" for add in adds]
    first, *others = adds
    more = "".join(f", add_{number} AS ({add})" for number, add in enumerate(others))
    return [f"{given}{more} {first}"]


def _rollup(dialect: Dialect, *, table: str, keys: tuple[str, ...], sums: tuple[str, ...]) -> str:
    """Of every width, for the subscription and for every one together."""
    widths = " UNION ALL ".join(f"SELECT {width} AS width_s" for width in WIDTHS)
    starts_at = dialect.moment.format(seconds="m.minute - m.minute % w.width_s")
    rows = f"""
        (SELECT w.width_s, {starts_at} AS starts_at,
                CASE WHEN e.every = 1 THEN {dialect.every} ELSE m.subscription_id END AS subscription_id,
                {", ".join(f"m.{name}" for name in (*keys, *sums))}
         FROM minutes m CROSS JOIN ({widths}) AS w CROSS JOIN (SELECT 0 AS every UNION ALL SELECT 1) AS e) AS slices"""  # noqa: S608
    return _add(table=table, keys=("width_s", "starts_at", "subscription_id", *keys), sums=sums, source=rows)


def _type_rollup(dialect: Dialect, *, table: str, keys: tuple[str, ...], sums: tuple[str, ...]) -> str:
    """Of every width, for the type."""
    widths = " UNION ALL ".join(f"SELECT {width} AS width_s" for width in WIDTHS)
    starts_at = dialect.moment.format(seconds="t.minute - t.minute % w.width_s")
    rows = f"""
        (SELECT w.width_s, {starts_at} AS starts_at,
                CASE WHEN t.is_told_apart THEN t.event_type ELSE '{OTHER_TYPES}' END AS event_type,
                {", ".join(f"t.{name}" for name in (*keys, *sums))}
         FROM types t CROSS JOIN ({widths}) AS w) AS slices"""  # noqa: S608
    return _add(table=table, keys=("width_s", "starts_at", "event_type", *keys), sums=sums, source=rows)


def _admitted(dialect: Dialect) -> str:
    """A type is told apart that its day has already, and as many new ones as its day has room for.

    Two that fold at once may let in more, each its own: that costs rows, and no count.
    """
    starts_at = dialect.moment.format(seconds="day")
    return f"""
        SELECT k.*, has_slice = 1 OR known + DENSE_RANK() OVER (PARTITION BY k.day, has_slice ORDER BY event_type)
                    <= {TYPES_A_DAY} AS is_told_apart
        FROM (SELECT t.*, minute - minute % {DAY_S} AS day, COALESCE({_slice_of_day(dialect)}, 0) AS has_slice
              FROM of_types t) AS k
        JOIN (SELECT day, (SELECT COUNT(*) FROM deliveries_typerollup
                           WHERE width_s = {DAY_S} AND starts_at = {starts_at}) AS known
              FROM (SELECT DISTINCT minute - minute % {DAY_S} AS day FROM of_types) AS days) AS d ON d.day = k.day"""  # noqa: S608


def _known(dialect: Dialect) -> str:
    """A failure was counted as an attempt or a death before, which let its type in, or did not.

    Unless another fold has let it in just between; then the failure is with its type and its attempt with the others.
    """
    return f"SELECT t.*, {_slice_of_day(dialect)} IS NOT NULL AS is_told_apart FROM of_types t"  # noqa: S608


def _slice_of_day(dialect: Dialect) -> str:
    """1 if the type has one, else null. LIMIT 1 is what has each looked up in the index."""
    starts_at = dialect.moment.format(seconds=f"t.minute - t.minute % {DAY_S}")
    return f"""
        (SELECT 1 FROM deliveries_typerollup r WHERE r.width_s = {DAY_S} AND r.starts_at = {starts_at}
         AND r.event_type = t.event_type LIMIT 1)"""  # noqa: S608


def _spreads() -> str:
    """Clocks of two machines may differ, so what began before it was received waited no time."""
    done = "waited_ms + duration_ms"
    retry = f"CASE WHEN number > {LAST_RETRY} THEN {LAST_RETRY} ELSE number - 1 END"
    is_first = f"number = 1 AND phase = {Phase.FIRST.value}"
    is_done = f"outcome = 'ok' AND phase <> {Phase.REPLAY.value}"
    rows = (
        (Spread.TOOK, "bucket", "took_ms", "bucket IS NOT NULL"),
        (Spread.FIRST, bucket_of("waited_ms", WAIT_EDGES_MS), _at_least_0("waited_ms"), is_first),
        (Spread.DELIVERED, bucket_of(done, WAIT_EDGES_MS), _at_least_0(done), is_done),
        (Spread.RETRY, retry, "0", f"phase = {Phase.RETRY.value}"),
    )
    return " UNION ALL ".join(
        f"SELECT '{kind.value}' AS kind, {bucket} AS bucket, 1 AS number, {ms} AS sum_ms FROM facts WHERE {which}"  # noqa: S608
        for kind, bucket, ms, which in rows
    )


def _at_least_0(ms: str) -> str:
    return f"CASE WHEN {ms} > 0 THEN {ms} ELSE 0 END"


def _add(*, table: str, keys: tuple[str, ...], sums: tuple[str, ...], source: str) -> str:
    """In the order of the key, so that two that fold at once never wait for each other in a circle."""
    places = ", ".join(str(place) for place in range(1, 1 + len(keys)))
    return f"""
        INSERT INTO {table} ({", ".join((*keys, *sums))})
        SELECT {", ".join(keys)}, {", ".join(f"SUM({name})" for name in sums)} FROM {source}
        GROUP BY {places} ORDER BY {places}
        ON CONFLICT ({", ".join(keys)})
        DO UPDATE SET {", ".join(f"{name} = {table}.{name} + excluded.{name}" for name in sums)}"""  # noqa: S608
