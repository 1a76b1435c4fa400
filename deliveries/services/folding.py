"""Folds tallies into the slices that dashboards read and the totals that counters are: the one place that writes both.

A fold takes tallies away and adds what they say in one transaction, so that each counts exactly once, whoever
is killed when. All widths are added to at once: a wider slice never waits for a narrower one to close.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import Max
from django.utils import timezone

from deliveries.models import Tally

from .folding_sql import POSTGRESQL, SQLITE, of_attempts, of_failures

BATCH = 200  # tallies in one transaction,
ATTEMPTS = 5_000  # or as many as name so many attempts,
ATTEMPTS_ON_SQLITE = 1_000  # where all other writers wait for it: under 50 ms
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
    total, most = 0, ATTEMPTS if connection.vendor == "postgresql" else min(ATTEMPTS, ATTEMPTS_ON_SQLITE)
    for tally, length in tallies:
        total += length
        if total > most and total > length:
            return
        yield tally


def _add(tallies: Sequence[int]) -> None:
    chosen = ", ".join(str(tally) for tally in tallies)
    dialect = POSTGRESQL if connection.vendor == "postgresql" else SQLITE
    with connection.cursor() as cursor:
        for statement in (*of_attempts(dialect), *of_failures(dialect)):
            cursor.execute(statement.replace("CHOSEN", chosen))
