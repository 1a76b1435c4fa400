"""Folds tallies into the slices that dashboards read: the one place that writes rollups. It changes nothing else.

A fold takes tallies away and adds what they say in one transaction, so that each counts exactly once, whoever
is killed when. All widths are added to at once: a wider slice never waits for a narrower one to close.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import Max
from django.utils import timezone

from deliveries.deciders.latency import BUCKETS, EDGES_MS
from deliveries.deciders.outcome import ENDPOINT_FAULTS
from deliveries.models import Phase, Tally
from deliveries.models.rollup import EVERY, WIDTHS

BATCH = 200  # tallies in one transaction,
ATTEMPTS = 5_000  # or as many as name so many attempts: SQLite's other writers wait under 50 ms for that
YOUNG_S = 1.5  # tallies gather this long, however many dispatchers look: a fold costs the same for few


def fold_if_old() -> int:
    """Folds all that waits, unless another dispatcher has just done so; says how many tallies it folded."""
    oldest = Tally.objects.order_by("id").values_list("settled_at", flat=True).first()
    if oldest is None or timedelta(0) <= timezone.now() - oldest < timedelta(seconds=YOUNG_S):
        return 0
    return fold()


def fold() -> int:
    """Everything that waits now, in batches; says how many tallies that were."""
    newest = Tally.objects.aggregate(id=Max("id"))["id"]
    folded, last = 0, 0
    while newest is not None and last < newest:
        taken = _fold_batch(newest)
        if not taken:
            break
        folded, last = folded + len(taken), taken[-1]
    return folded


def folded_until(*, now: datetime) -> datetime:
    """What was settled before this is in the slices."""
    return Tally.objects.order_by("id").values_list("settled_at", flat=True).first() or now


def _fold_batch(newest: int) -> list[int]:
    with transaction.atomic():
        # Of two that fold at once, each takes what the other has not.
        waiting = Tally.objects.select_for_update(skip_locked=True).filter(id__lte=newest)
        taken = list(_few(waiting.order_by("id").values_list("id", "length")[:BATCH]))
        if taken:
            _add(taken)
            Tally.objects.filter(id__in=taken).delete()
    return taken


def _few(tallies: Iterable[tuple[int, int]]) -> Iterator[int]:
    total = 0
    for tally, length in tallies:
        total += length
        if total > ATTEMPTS and total > length:
            return
        yield tally


def _add(tallies: Sequence[int]) -> None:
    chosen = ", ".join(str(tally) for tally in tallies)
    dialect = POSTGRESQL if connection.vendor == "postgresql" else SQLITE
    with connection.cursor() as cursor:
        cursor.execute(_sums(dialect).replace("CHOSEN", chosen))
        cursor.execute(_failures(dialect).replace("CHOSEN", chosen))


@dataclass(frozen=True, kw_only=True, slots=True)
class Dialect:
    """How a database reads the tallies whose ids stand for CHOSEN, a minute of seconds, a moment and `EVERY`.

    `attempts` takes the column that lists their ids.
    """

    attempts: str
    deaths: str
    minute: str
    moment: str
    every: str


POSTGRESQL = Dialect(
    # LIMIT 1 is what keeps the planner from reading the whole of both tables.
    attempts="""
        (SELECT f.id::uuid AS attempt_id FROM deliveries_tally t
         CROSS JOIN json_array_elements_text(t.{column}::json) AS f(id) WHERE t.id IN (CHOSEN)) AS i
        CROSS JOIN LATERAL (SELECT * FROM deliveries_attempt WHERE id = i.attempt_id LIMIT 1) AS a
        CROSS JOIN LATERAL (SELECT subscription_id FROM deliveries_delivery WHERE id = a.delivery_id LIMIT 1) AS d""",
    deaths="""
        (SELECT (f.death->>'lane')::uuid AS subscription_id, (f.death->>'second')::bigint AS second,
                (f.death->>'attempt')::uuid AS attempt_id, f.death->>'outcome' AS outcome
         FROM deliveries_tally t CROSS JOIN json_array_elements(t.deaths::json) AS f(death)
         WHERE t.id IN (CHOSEN)) AS e""",
    minute="EXTRACT(EPOCH FROM date_trunc('minute', a.started_at))::bigint",
    moment="to_timestamp({seconds})",
    every=f"'{EVERY}'::uuid",
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
)

BUCKET_OF = (
    "CASE "
    + " ".join(f"WHEN a.duration_ms <= {edge} THEN {number}" for number, edge in enumerate(EDGES_MS))
    + f" ELSE {len(EDGES_MS)} END"
)
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


def _sums(dialect: Dialect) -> str:
    facts = f"""
        SELECT d.subscription_id, {dialect.minute} AS minute, a.number, a.phase, a.outcome,
               CASE WHEN {IS_TIMED} THEN a.duration_ms ELSE 0 END AS took_ms,
               CASE WHEN {IS_TIMED} THEN {BUCKET_OF} END AS bucket,
               a.id IN (SELECT attempt_id FROM {dialect.deaths} WHERE attempt_id IS NOT NULL) AS is_last
        FROM {dialect.attempts.format(column="attempts")}
        UNION ALL
        SELECT subscription_id, second - second % 60, NULL, NULL, NULL, 0, NULL, NULL FROM {dialect.deaths}"""  # noqa: S608
    return _upsert(dialect, table="deliveries_rollup", keys=(), facts=facts, sums=SUMS)


def _failures(dialect: Dialect) -> str:
    facts = f"""
        SELECT d.subscription_id, {dialect.minute} AS minute, a.outcome, COALESCE(a.status, 0) AS status
        FROM {dialect.attempts.format(column="failed")}
        UNION ALL
        SELECT subscription_id, second - second % 60, outcome, 0 FROM {dialect.deaths} WHERE attempt_id IS NULL"""  # noqa: S608
    keys, sums = ("outcome", "status"), {"failures": "COUNT(*)"}
    return _upsert(dialect, table="deliveries_rollupfailure", keys=keys, facts=facts, sums=sums)


def _upsert(
    dialect: Dialect, *, table: str, keys: tuple[str, ...], facts: str, sums: Mapping[str, str]
) -> str:
    """Per minute first, so that the widths, and the sum over every subscription, add up few rows.

    In the order of the key, so that two that fold at once never wait for each other in a circle.
    """
    more = "".join(f", {key}" for key in keys)
    widths = " UNION ALL ".join(f"SELECT {width} AS width_s" for width in WIDTHS)
    starts_at = dialect.moment.format(seconds="m.minute - m.minute % w.width_s")
    order = ", ".join(str(place) for place in range(1, 4 + len(keys)))
    return f"""
        INSERT INTO {table} (width_s, starts_at, subscription_id{more}, {", ".join(sums)})
        SELECT w.width_s, {starts_at}, CASE WHEN e.every = 1 THEN {dialect.every} ELSE m.subscription_id END{more},
               {", ".join(f"SUM({name})" for name in sums)}
        FROM (SELECT subscription_id, minute{more}, {", ".join(f"{sum_} AS {name}" for name, sum_ in sums.items())}
              FROM ({facts}) AS facts GROUP BY subscription_id, minute{more}) AS m
        CROSS JOIN ({widths}) AS w CROSS JOIN (SELECT 0 AS every UNION ALL SELECT 1) AS e
        GROUP BY {order} ORDER BY {order}
        ON CONFLICT (width_s, starts_at, subscription_id{more})
        DO UPDATE SET {", ".join(f"{name} = {table}.{name} + excluded.{name}" for name in sums)}"""  # noqa: S608
