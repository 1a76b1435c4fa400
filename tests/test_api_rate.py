"""An API key may ask so often in a minute, over all web processes; what it has left is said in every answer."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from tests.callers import Caller, with_key
from webhooks.models import ApiKey, ApiUsage
from webhooks.services import api_rate
from webhooks.services.api_rate import Allowance, spend
from webhooks.services.keys import create_api_key

pytestmark = pytest.mark.django_db

MINUTE = 29_000_000 * 60.0


@pytest.fixture(autouse=True)
def nothing_in_hand() -> Iterator[None]:
    api_rate._blocks.clear()
    yield
    api_rate._blocks.clear()


@pytest.fixture
def key() -> ApiKey:
    return create_api_key(role="viewer")[0]


def another_process() -> None:
    """Has taken nothing yet."""
    api_rate._blocks.clear()


def test_so_many_are_allowed_in_a_minute_and_no_more(key: ApiKey) -> None:
    told = [spend(api_key_id=key.pk, limit=3, now_s=MINUTE + second) for second in range(5)]
    assert [each.is_allowed for each in told] == [True, True, True, False, False]
    assert [each.remaining for each in told] == [2, 1, 0, 0, 0]
    assert [each.reset_s for each in told] == [60, 59, 58, 57, 56]


def test_the_next_minute_begins_anew(key: ApiKey) -> None:
    for _ in range(4):
        spend(api_key_id=key.pk, limit=3, now_s=MINUTE)
    assert spend(api_key_id=key.pk, limit=3, now_s=MINUTE + 60) == Allowance(
        is_allowed=True, limit=3, remaining=2, reset_s=60
    )


def test_each_key_has_its_own(key: ApiKey) -> None:
    other = create_api_key(role="viewer")[0]
    assert [spend(api_key_id=each.pk, limit=1, now_s=MINUTE).is_allowed for each in (key, other)] == [
        True,
        True,
    ]


def test_several_processes_share_one_limit(key: ApiKey) -> None:
    allowed = 0
    for _ in range(8):
        another_process()
        allowed += sum(spend(api_key_id=key.pk, limit=20, now_s=MINUTE).is_allowed for _ in range(5))
    assert allowed == 20


def test_of_a_large_limit_a_block_is_taken_at_a_time(key: ApiKey) -> None:
    spend(api_key_id=key.pk, limit=1_000, now_s=MINUTE)
    assert ApiUsage.objects.get().taken == 10
    with CaptureQueriesContext(connection) as asked:
        told = [spend(api_key_id=key.pk, limit=1_000, now_s=MINUTE) for _ in range(9)]
    assert (len(asked), told[-1].remaining) == (0, 990)
    spend(api_key_id=key.pk, limit=1_000, now_s=MINUTE)
    assert ApiUsage.objects.get().taken == 20


def test_once_it_is_enough_nobody_asks_the_database_again(key: ApiKey) -> None:
    for _ in range(2):
        spend(api_key_id=key.pk, limit=1, now_s=MINUTE)
    with CaptureQueriesContext(connection) as asked:
        assert not spend(api_key_id=key.pk, limit=1, now_s=MINUTE).is_allowed
    assert len(asked) == 0


def test_a_process_whose_clock_is_behind_counts_in_the_minute_of_the_others(key: ApiKey) -> None:
    spend(api_key_id=key.pk, limit=3, now_s=MINUTE)
    another_process()
    assert spend(api_key_id=key.pk, limit=3, now_s=MINUTE - 1).is_allowed
    assert ApiUsage.objects.get().taken == 2


def test_what_another_thread_took_meanwhile_is_spent_though_there_is_no_more_to_take(
    key: ApiKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(*_: object) -> int:
        """Another thread took the last five before this one could."""
        monkeypatch.setattr(api_rate, "_take", take)
        ApiUsage.objects.create(api_key=key, minute=int(MINUTE) // 60, taken=10)
        api_rate._blocks[key.pk] = api_rate._Block(minute=int(MINUTE) // 60, left=5, taken=10)
        return take(key.pk, int(MINUTE) // 60, 10, 1)

    take = api_rate._take
    monkeypatch.setattr(api_rate, "_take", late)
    told = [spend(api_key_id=key.pk, limit=10, now_s=MINUTE) for _ in range(6)]
    assert [each.is_allowed for each in told] == [True] * 5 + [False]
    assert [each.remaining for each in told] == [4, 3, 2, 1, 0, 0]


@pytest.mark.parametrize(
    ("passed", "reset_s"), [(0.0, 60), (0.4, 60), (0.6, 60), (58.7, 2), (59.2, 1), (59.999, 1)]
)
def test_who_comes_when_they_are_told_is_not_too_early(key: ApiKey, passed: float, reset_s: int) -> None:
    spend(api_key_id=key.pk, limit=1, now_s=MINUTE + passed)
    told = spend(api_key_id=key.pk, limit=1, now_s=MINUTE + passed)
    assert (told.is_allowed, told.reset_s) == (False, reset_s)
    assert spend(api_key_id=key.pk, limit=1, now_s=MINUTE + passed + told.reset_s).is_allowed


@pytest.mark.django_db(transaction=True)
def test_32_at_once_are_no_more_than_one_after_another(key: ApiKey) -> None:
    def one(_: int) -> bool:
        try:
            return spend(api_key_id=key.pk, limit=10, now_s=MINUTE).is_allowed
        finally:
            connection.close()

    with ThreadPoolExecutor(32) as pool:
        assert list(pool.map(one, range(32))).count(True) == 10


def asked(caller: Caller) -> Any:
    return caller.get("/api/v1/sources")


def test_every_answer_tells_what_is_left_and_429_says_when_to_come_again(settings: Settings) -> None:
    settings.HUB_API_RATE = 2
    caller = with_key()
    answers = [asked(caller) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert {answer["RateLimit-Policy"] for answer in answers} == {'"key";q=2;w=60'}
    assert [answer["RateLimit"].partition(";t=")[0] for answer in answers] == [
        '"key";r=1',
        '"key";r=0',
        '"key";r=0',
    ]
    assert answers[2].json()["code"] == "too-many-requests"
    assert int(answers[2]["Retry-After"]) >= int(answers[2]["RateLimit"].partition(";t=")[2])


def test_the_receipt_door_is_not_slowed(settings: Settings) -> None:
    settings.HUB_API_RATE = 1
    assert [Caller().post("/in/nowhere", {}).status_code for _ in range(3)] == [404, 404, 404]
    assert not ApiUsage.objects.exists()


def test_without_a_limit_nothing_is_counted_or_told(settings: Settings) -> None:
    settings.HUB_API_RATE = 0
    assert "RateLimit" not in asked(with_key())
    assert not ApiUsage.objects.exists()
