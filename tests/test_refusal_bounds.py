"""How many refusals are kept is bounded; a process looks after it once for every 64th of the bound that it kept."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from webhooks.deciders.arrival import Arrival
from webhooks.models import Refusal, Source
from webhooks.services import refuse as refusing
from webhooks.services.refuse import refuse
from webhooks.services.sources import create_source

pytestmark = pytest.mark.django_db


@pytest.fixture
def source() -> Source:
    return create_source(name="Shop", slug="shop", actor="test")


def keep(source: Source, body: bytes = b"{}") -> Refusal:
    arrival = Arrival(
        method="POST", headers={}, body=body, query="", remote_address="", received_at=datetime.now(UTC)
    )
    return refuse(source_id=source.pk, arrival=arrival, reason="signature-missing")


def fill(source: Source, number: int, size: int = 0) -> None:
    """With older ones, kept by who knows which process."""
    Refusal.objects.bulk_create(
        [Refusal(source=source, reason="x", headers=[], body=b"", size=size) for _ in range(number)]
    )


def number_of(source: Source) -> int:
    return Refusal.objects.filter(source=source).count()


def in_another_process(monkeypatch: Any) -> None:
    """It remembers nothing of what this one kept."""
    monkeypatch.setattr(refusing, "_unlooked", {})


class TestInNumber:
    def test_no_more_than_a_64th_is_kept_beyond_the_bound(self, source: Source, settings: Any) -> None:
        settings.HUB_REFUSALS_PER_SOURCE = 192
        fill(source, 200)
        kept: list[Refusal] = []
        numbers = []
        for _ in range(7):
            kept.append(keep(source))
            numbers.append(number_of(source))
        assert numbers == [192, 193, 194, 192, 193, 194, 192]
        assert list(Refusal.objects.order_by("-pk")[:7]) == kept[::-1]

    def test_the_oldest_go(self, source: Source, settings: Any) -> None:
        settings.HUB_REFUSALS_PER_SOURCE = 192
        fill(source, 192)
        oldest = list(Refusal.objects.order_by("pk").values_list("pk", flat=True)[:5])
        for _ in range(4):
            keep(source)
        assert Refusal.objects.earliest("pk").pk == oldest[4]

    @pytest.mark.parametrize("bound", [0, 1, 127])
    def test_a_small_bound_holds_exactly(self, source: Source, settings: Any, bound: int) -> None:
        settings.HUB_REFUSALS_PER_SOURCE = bound
        fill(source, bound)
        numbers = []
        for _ in range(3):
            keep(source)
            numbers.append(number_of(source))
        assert numbers == [bound] * 3

    def test_each_process_may_keep_a_64th_of_its_own(
        self, source: Source, settings: Any, monkeypatch: Any
    ) -> None:
        settings.HUB_REFUSALS_PER_SOURCE = 256
        fill(source, 256)
        ours: dict[Any, Any] = {}
        theirs: dict[Any, Any] = {}
        for memory in (ours, theirs):  # each looks at its first
            monkeypatch.setattr(refusing, "_unlooked", memory)
            keep(source)
        assert number_of(source) == 256
        numbers = []
        for _ in range(8):
            for memory in (ours, theirs):
                monkeypatch.setattr(refusing, "_unlooked", memory)
                keep(source)
                numbers.append(number_of(source))
        assert max(numbers) == 256 + 2 * 3 and numbers[7] == 256

    def test_a_process_looks_at_its_first_one(self, source: Source, settings: Any, monkeypatch: Any) -> None:
        fill(source, settings.HUB_REFUSALS_PER_SOURCE)
        for _ in range(5):  # it is started again and again
            in_another_process(monkeypatch)
            keep(source)
            assert number_of(source) == 1_000

    def test_another_source_is_left_alone(self, source: Source, settings: Any) -> None:
        settings.HUB_REFUSALS_PER_SOURCE = 3
        other = create_source(name="Other", slug="other", actor="test")
        fill(other, 10)
        fill(source, 10)
        keep(source)
        assert (number_of(other), number_of(source)) == (10, 3)


class TestInBytes:
    def test_no_more_than_a_64th_is_kept_beyond_the_bound(self, source: Source, settings: Any) -> None:
        bound = settings.HUB_REFUSAL_BYTES_PER_SOURCE = 64 * 1_000
        fill(source, 64, size=1_000)
        totals = []
        for _ in range(8):
            keep(source, b"x" * 400)
            totals.append(sum(Refusal.objects.values_list("size", flat=True)))
        size = Refusal.objects.latest("pk").size
        assert 400 <= size < 500
        assert max(totals) < bound + 1_000
        assert totals[3] == 62 * 1_000 + 4 * size  # after the third more it looked

    def test_a_large_one_makes_it_look_at_once(self, source: Source, settings: Any) -> None:
        settings.HUB_REFUSAL_BYTES_PER_SOURCE = 64 * 1_000
        fill(source, 64, size=1_000)
        assert keep(source) == Refusal.objects.latest("pk") and number_of(source) == 64
        large = keep(source, b"x" * 30_000)
        assert sum(Refusal.objects.values_list("size", flat=True)) <= 64_000
        assert Refusal.objects.latest("pk") == large

    def test_one_that_is_larger_than_the_bound_is_all_that_is_kept(
        self, source: Source, settings: Any
    ) -> None:
        settings.HUB_REFUSAL_BYTES_PER_SOURCE = 64 * 1_000
        fill(source, 10, size=1_000)
        large = keep(source, b"x" * 70_000)
        assert list(Refusal.objects.all()) == [large]


class TestWhatItCosts:
    def test_of_fifteen_one_looks_and_the_others_write_a_row_and_ask_nothing(self, source: Source) -> None:
        fill(source, 1_100)
        costs = []
        for _ in range(31):
            with CaptureQueriesContext(
                connection,
            ) as asked:
                keep(source)
            costs.append(len(asked))
        assert costs == [3, *[1] * 14, 3, *[1] * 14, 3]

    def test_where_little_is_kept_looking_deletes_nothing(self, source: Source) -> None:
        with CaptureQueriesContext(connection) as asked:
            keep(source)
        assert [each["sql"].split()[0] for each in asked] == ["INSERT", "SELECT"]


def test_a_look_that_failed_is_made_up_for_by_the_next(
    source: Source, settings: Any, monkeypatch: Any
) -> None:
    fill(source, settings.HUB_REFUSALS_PER_SOURCE)

    def locked(*_: Any) -> None:
        raise OperationalError("database is locked")

    with monkeypatch.context() as patched:
        patched.setattr(refusing, "_keep_the_latest", locked)
        with pytest.raises(OperationalError):
            keep(source)
    assert number_of(source) == 1_001
    keep(source)
    assert number_of(source) == 1_000
