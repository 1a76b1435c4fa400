"""The SQL of a fold: from the attempts that tallies name to what is added to rollups and totals. It runs none of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from deliveries.deciders.latency import BUCKETS, EDGES_MS, WAIT_EDGES_MS
from deliveries.deciders.outcome import ENDPOINT_FAULTS
from deliveries.models import Phase
from deliveries.models.rollup import EVERY, WIDTHS
from deliveries.models.total import Spread

LAST_RETRY = 12  # the number that stands for all later retries


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
            (SELECT subscription_id, event_id FROM deliveries_delivery WHERE id = a.delivery_id LIMIT 1) AS d""",
    deaths="""
        (SELECT (f.death->>'lane')::uuid AS subscription_id, (f.death->>'second')::bigint AS second,
                (f.death->>'attempt')::uuid AS attempt_id, f.death->>'outcome' AS outcome
         FROM deliveries_tally t CROSS JOIN json_array_elements(t.deaths::json) AS f(death)
         WHERE t.id IN (CHOSEN)) AS e""",
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
                json_extract(f.value, '$.attempt') AS attempt_id, json_extract(f.value, '$.outcome') AS outcome
         FROM deliveries_tally t CROSS JOIN json_each(t.deaths) AS f WHERE t.id IN (CHOSEN)) AS e""",
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
        SELECT d.subscription_id, {dialect.minute} AS minute, a.number, a.phase, a.outcome, a.duration_ms,
               CASE WHEN {IS_TIMED} THEN a.duration_ms ELSE 0 END AS took_ms,
               CASE WHEN {IS_TIMED} THEN {BUCKET_OF} END AS bucket, {dialect.waited} AS waited_ms,
               a.id IN (SELECT attempt_id FROM {dialect.deaths} WHERE attempt_id IS NOT NULL) AS is_last
        FROM {dialect.attempts.format(column="attempts")}
        UNION ALL
        SELECT subscription_id, second - second % 60, NULL, NULL, NULL, NULL, 0, NULL, NULL, NULL
        FROM {dialect.deaths}"""  # noqa: S608
    return _statements(
        dialect,
        facts=facts,
        minutes=SUMS | _TIMED,
        adds=[
            _rollup(dialect, table="deliveries_rollup", keys=(), sums=tuple(SUMS)),
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
        SELECT d.subscription_id, {dialect.minute} AS minute, a.outcome, COALESCE(a.status, 0) AS status, 1 AS tries
        FROM {dialect.attempts.format(column="failed")}
        UNION ALL
        SELECT subscription_id, second - second % 60, outcome, 0, 0 FROM {dialect.deaths} WHERE attempt_id IS NULL"""  # noqa: S608
    keys, sums = ("outcome", "status"), ("failures",)
    return _statements(
        dialect,
        facts=facts,
        minutes={"failures": "COUNT(*)", "untried": "COUNT(*) FILTER (WHERE tries = 0)"},
        keys=keys,
        adds=[
            _rollup(dialect, table="deliveries_rollupfailure", keys=keys, sums=sums),
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
    minutes: Mapping[str, str],
    adds: list[str],
    keys: tuple[str, ...] = (),
) -> list[str]:
    """Sums per minute first, so that the widths, and the sums over every subscription, add up few rows.

    Where a statement may insert more than once, the attempts are read once for all that is added.
    """
    by = ", ".join(("subscription_id", "minute", *keys))
    summed = ", ".join(f"{sum_} AS {name}" for name, sum_ in minutes.items())
    given = f"WITH facts AS ({facts}), minutes AS (SELECT {by}, {summed} FROM facts GROUP BY {by})"  # noqa: S608
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
