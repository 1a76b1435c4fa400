"""When a cascade has gone too far: by depth, and by its events in a window. And which causes are doubted."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from deliveries.deciders.cascade_guard import Limits, Spent, Why, admit
from deliveries.deciders.causes import Doubt, Known, doubt
from webhooks.ids import first_id_at

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
MINUTES = timedelta(minutes=1)
LIMITS = Limits(depth=16, budget=1_000, window=10 * MINUTES)


@pytest.mark.parametrize(
    ("depth", "since", "events", "why", "after"),
    [
        (1, None, 0, None, (NOW, 1)),  # the first begins its window
        (16, NOW, 5, None, (NOW, 6)),
        (17, NOW, 5, Why.DEPTH, (NOW, 5)),  # what is set aside spends nothing
        (1, NOW - 9 * MINUTES, 999, None, (NOW - 9 * MINUTES, 1_000)),
        (1, NOW - 9 * MINUTES, 1_000, Why.BUDGET, (NOW - 9 * MINUTES, 1_000)),
        (1, NOW - 10 * MINUTES, 1_000, None, (NOW, 1)),  # a new window
        (17, NOW - 10 * MINUTES, 1_000, Why.DEPTH, (NOW - 10 * MINUTES, 1_000)),
    ],
)
def test_what_exceeds_depth_or_budget_is_set_aside(
    depth: int, since: datetime | None, events: int, why: Why | None, after: tuple[datetime, int]
) -> None:
    verdict = admit(depth=depth, spent=Spent(since=since, events=events), limits=LIMITS, now=NOW)
    assert (verdict.why, (verdict.spent.since, verdict.spent.events)) == (why, after)


OURS, THEIRS = UUID(int=1), UUID(int=2)
OLDEST = first_id_at(NOW - 90 * 24 * 60 * MINUTES)
FRESH, OLD = first_id_at(NOW), first_id_at(NOW - 91 * 24 * 60 * MINUTES)


@pytest.mark.parametrize(
    ("claimed", "known", "owner", "expected"),
    [
        (FRESH, OURS, OURS, None),
        (FRESH, THEIRS, None, None),  # a source of nobody's may follow from anything
        (FRESH, THEIRS, OURS, Doubt.FOREIGN),
        (FRESH, None, OURS, Doubt.UNKNOWN),
        (OLD, OURS, OURS, Doubt.EXPIRED),  # retention has only not come by yet
        (OLD, None, OURS, Doubt.EXPIRED),
        (UUID("00000000-0000-4000-8000-000000000001"), None, None, Doubt.UNKNOWN),  # its id tells no time
    ],
)
def test_a_cause_is_doubted(
    claimed: UUID, known: UUID | None, owner: UUID | None, expected: Doubt | None
) -> None:
    found = Known(subscriber_id=known) if known else None
    assert doubt(claimed=claimed, known=found, owner=owner, oldest=OLDEST) == expected
