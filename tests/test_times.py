"""Whatever leaves the hub says a time in one way: ISO 8601, in UTC, with a Z."""

import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from webhooks.deciders.times import zulu

ROOT = Path(__file__).resolve().parent.parent
AT = datetime(2026, 1, 31, 12, 0, 0, 123_456, tzinfo=UTC)


@pytest.mark.parametrize(
    ("to", "said"),
    [
        ("seconds", "2026-01-31T12:00:00Z"),
        ("milliseconds", "2026-01-31T12:00:00.123Z"),
        ("auto", "2026-01-31T12:00:00.123456Z"),
    ],
)
def test_a_time_is_said_in_utc_wherever_it_was_measured(to: str, said: str) -> None:
    assert zulu(AT, to=to) == said
    assert zulu(AT.astimezone(timezone(timedelta(hours=5, minutes=30))), to=to) == said


def test_without_a_word_it_is_to_the_millisecond_as_ids_tell_the_time() -> None:
    assert zulu(AT.replace(microsecond=0)) == "2026-01-31T12:00:00.000Z"


def test_it_is_said_so_at_one_place() -> None:
    product = (path for name in ("webhooks", "deliveries", "hub") for path in (ROOT / name).rglob("*.py"))
    by_hand = {
        str(path.relative_to(ROOT)) for path in product if re.search(r'\+00:00", ?"Z"', path.read_text())
    }
    assert by_hand == {"webhooks/deciders/times.py"}
