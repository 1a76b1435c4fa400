"""What became of requests is counted beside the receipt, added up by every process, and never overwritten."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import OperationalError, connections
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests import make
from tests.callers import with_key
from webhooks.models import NO_SOURCE, ReceiptRollup, Source, SourceSecret
from webhooks.selectors.sources import days, hours, silent_sources, with_last_event
from webhooks.services import rollups
from webhooks.services.sources import add_secret, create_source, update_source

AT = datetime(2026, 1, 1, 10, 59, 59, tzinfo=UTC)


@pytest.fixture(autouse=True)
def nothing_waits() -> Iterator[None]:
    rollups.stop()
    yield
    rollups.stop()


def send(key: str = "", body: bytes = make.BODY, slug: str = "shop") -> int:
    headers = {"x-api-key": key} if key else {}
    return int(Client().post(f"/in/{slug}", body, content_type="text/plain", headers=headers).status_code)


def counted() -> dict[tuple[str, str], int]:
    rollups.flush()
    rows = ReceiptRollup.objects.values_list("verdict", "reason", "count")
    return {(verdict, reason): count for verdict, reason, count in rows}


@pytest.mark.django_db
class TestCounted:
    def test_every_verdict_is_told_apart_and_refusals_by_their_reason(self) -> None:
        create_source(name="S", slug="shop", scheme="api-key", secret="k1", actor="test")
        for body in (b'{"id":"a"}', b'{"id":"a"}', b'{"id":"a","x":1}', b'{"id":"b"}'):
            send("k1", body)
        send("wrong")
        send()
        Client().put("/in/shop", b"", content_type="text/plain")
        assert counted() == {
            ("accepted", ""): 2,
            ("duplicate", ""): 1,
            ("conflict", ""): 1,
            ("refused", "token-mismatch"): 1,
            ("refused", "token-missing"): 1,
            ("refused", "method-not-allowed"): 1,
        }

    def test_what_is_published_is_counted_by_event_too_one_by_one_and_in_batches(self) -> None:
        make.source()
        caller = with_key()
        said = {"source": "shop", "event_type": "t", "data": 1}
        for event_id, data in (
            ("a", 1),
            ("a", 1),
            ("a", 2),
            ("b", 1),
            ("c", 1),
        ):  # the later by copies in memory
            caller.post("/api/v1/events", {**said, "event_id": event_id, "data": data})
        assert counted() == {("accepted", ""): 3, ("duplicate", ""): 1, ("conflict", ""): 1}
        batch = [{**said, "event_id": event_id} for event_id in ("c", "d", "e", "e")]
        caller.post("/api/v1/events/batch", {"events": batch})
        caller.post("/api/v1/events/batch", {"events": [{**said, "event_id": ""}]})  # which is refused
        assert counted() == {("accepted", ""): 5, ("duplicate", ""): 3, ("conflict", ""): 1}

    def test_requests_to_no_source_are_counted_and_not_kept(self) -> None:
        send(slug="nobody")
        send(slug="else")
        assert counted() == {("refused", "unknown-source"): 2}
        assert ReceiptRollup.objects.get().source_id == NO_SOURCE

    def test_a_receipt_writes_nothing_for_it(self) -> None:
        create_source(name="S", slug="shop", scheme="api-key", secret="k1", actor="test")
        send("k1", b'{"id":"a"}')
        connection = connections["default"]
        with CaptureQueriesContext(connection) as captured:
            send("k1", b'{"id":"b"}')
        assert not [each for each in captured if "rollup" in each["sql"] or "secret" in each["sql"]]

    def test_which_secret_matched_is_counted_with_its_last_time(self) -> None:
        made = create_source(name="S", slug="shop", scheme="api-key", secret="old-key", actor="test")
        add_secret(source_id=made.pk, secret="new-key", actor="test")
        for number, key in enumerate(("old-key", "new-key", "new-key")):
            send(key, b'{"id":%d}' % number)
        rollups.flush()
        found = {each.sealed: (each.matches, each.last_matched_at) for each in SourceSecret.objects.all()}
        assert (found["old-key"][0], found["new-key"][0]) == (1, 2)
        assert found["old-key"][1] < found["new-key"][1]

    def test_a_batch_is_one_match_and_many_events(self) -> None:
        create_source(name="S", slug="shop", scheme="microsoft-graph", secret="t", actor="test")
        send(body=b'{"value":[{"id":"a","clientState":"t"},{"id":"b","clientState":"t"}]}')
        assert counted() == {("accepted", ""): 2}
        assert SourceSecret.objects.get().matches == 1


def note(at: datetime = AT, source_id: UUID = NO_SOURCE, **more: Any) -> None:
    rollups.note(source_id=source_id, verdict="accepted", at=at, **more)


@pytest.mark.django_db
class TestAdded:
    def test_hours_are_kept_apart_and_the_latest_time_stays(self) -> None:
        for seconds in (0, 1, -5):
            note(AT + timedelta(seconds=seconds))
            rollups.flush()
        found = ReceiptRollup.objects.order_by("starts_at").values_list("starts_at", "count", "last_at")
        assert list(found) == [
            (AT.replace(minute=0, second=0), 2, AT),
            (AT + timedelta(seconds=1), 1, AT + timedelta(seconds=1)),
        ]

    def test_with_the_database_away_they_wait_and_are_not_lost(self, monkeypatch: Any) -> None:
        def away(*args: Any) -> None:
            raise OperationalError("away")

        note()
        with monkeypatch.context() as patch:
            patch.setattr(rollups, "_add_receipts", away)
            with pytest.raises(OperationalError):
                rollups.flush()
        note()
        assert counted() == {("accepted", ""): 2}

    def test_what_was_added_is_not_added_again(self) -> None:
        note()
        assert counted() == counted() == {("accepted", ""): 1}


@pytest.mark.django_db(transaction=True)
class TestTogether:
    def test_8_that_add_at_once_lose_nothing(self) -> None:
        source = make.source()
        secret = SourceSecret.objects.create(source=source, sealed="x", hint="x")
        start = threading.Barrier(8)

        def one(_: int) -> None:
            try:
                start.wait()
                for number in range(5):
                    note(AT + timedelta(hours=number), secret_id=secret.pk)
                    rollups.flush()
            finally:
                connections.close_all()

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(one, range(8)))
        rollups.flush()
        assert list(ReceiptRollup.objects.values_list("count", flat=True)) == [8] * 5
        assert SourceSecret.objects.get().matches == 40

    def test_a_web_process_adds_by_itself(self, settings: Any) -> None:
        settings.HUB_ADD_UP_S = 0.02
        note()
        deadline = time.monotonic() + 10
        while not ReceiptRollup.objects.exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert ReceiptRollup.objects.get().count == 1


@pytest.mark.django_db
class TestRead:
    def test_a_day_adds_up_24_hours_by_verdict_and_reason(self) -> None:
        source, now = make.source(), AT + timedelta(hours=24)
        for hour in range(30):
            note(AT + timedelta(hours=hour - 5), source.pk)
        rollups.note(source_id=source.pk, verdict="refused", reason="token-missing", at=now)
        rollups.flush()
        day = days([source.pk], now=now)[source.pk]
        assert (day.of("accepted"), day.of("refused"), day.of("conflict")) == (24, 1, 0)
        assert dict(day.reasons) == {"token-missing": 1}
        drawn = hours([source.pk], now=now)[source.pk]
        assert len(drawn) == 24
        assert drawn[-1].counts == {"accepted": 1, "refused": 1} and drawn[0].counts == {"accepted": 1}

    def test_the_last_event_is_read_from_the_index_and_not_by_scanning(self) -> None:
        source, other = make.source("shop"), make.source("other")
        make.event(source=source)
        last = make.event(source=source)
        found = with_last_event(Source.objects.order_by("slug"))
        assert [(each.slug, each.last_event_at) for each in found] == [
            ("other", None), ("shop", last.received_at),
        ]  # fmt: skip
        assert other.pk != source.pk


@pytest.mark.django_db
class TestSilence:
    def test_a_source_is_silent_once_an_event_was_due(self) -> None:
        made = create_source(name="S", slug="shop", expected_every_s=60, actor="test")
        event = make.event(source=made)
        due = event.received_at + timedelta(seconds=60)
        assert silent_sources(now=due) == []
        assert silent_sources(now=due + timedelta(seconds=1)) == [(made, due)]

    def test_one_that_never_spoke_is_silent_from_when_it_was_made(self) -> None:
        made = create_source(name="S", slug="shop", expected_every_s=60, actor="test")
        assert silent_sources(now=made.created_at + timedelta(seconds=61)) == [
            (made, made.created_at + timedelta(seconds=60))
        ]

    def test_neither_a_disabled_source_nor_one_without_a_promise_is_silent(self) -> None:
        create_source(name="A", slug="a", actor="test")
        off = create_source(name="B", slug="b", expected_every_s=60, actor="test")
        update_source(source_id=off.pk, is_enabled=False, actor="test")
        assert silent_sources(now=make.now() + timedelta(days=1)) == []
