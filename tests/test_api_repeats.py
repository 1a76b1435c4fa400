"""A POST with an Idempotency-Key has one effect, however often and by however many it is sent."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from unittest.mock import patch
from uuid import uuid4

import pytest
from cryptography.fernet import Fernet
from django.db import OperationalError, connection
from pytest_django import Settings

from deliveries.models import Subscription
from deliveries.services.retention import drop_expired
from tests import make
from tests.callers import Caller, with_key
from webhooks.deciders.idempotency import fingerprint, read_key
from webhooks.ids import first_id_at, public_id, uuid7
from webhooks.models import Event, EventType, KeptAnswer, Subscriber
from webhooks.services import publish, subscribers
from webhooks.services.kept_answers import KEPT_FOR, LEASE

pytestmark = pytest.mark.django_db

HOME = "/api/v1/subscribers"


def send(caller: Caller, key: str = "k1", path: str = HOME, **body: Any) -> Any:
    return caller.post(path, body or {"name": "billing"}, headers={"Idempotency-Key": key})


@pytest.mark.parametrize(
    ("header", "key"),
    [
        ("8e03978e-40d5", "8e03978e-40d5"),
        ('"8e03978e-40d5"', "8e03978e-40d5"),
        ('"a \\"b\\" \\\\"', 'a "b" \\'),
        ("x" * 255, "x" * 255),
    ],
)
def test_a_key_may_be_quoted_or_bare(header: str, key: str) -> None:
    assert read_key(header) == key


@pytest.mark.parametrize("header", ["", '""', '"', '"a', '"a\\"', '"a"b"', "x" * 256, "é", "a\tb", "a\x00"])
def test_what_is_no_key_is_refused(header: str) -> None:
    with pytest.raises(ValueError):
        read_key(header)


def test_requests_differ_by_method_address_and_body() -> None:
    asked: dict[str, Any] = {"method": "POST", "address": "/a", "body": b"bc"}
    others = [{**asked, "method": "PUT"}, {**asked, "address": "/ab", "body": b"c"}, {**asked, "body": b""}]
    assert fingerprint(**asked) == fingerprint(**asked)
    assert fingerprint(**asked) not in [fingerprint(**other) for other in others]


def test_a_repeat_gets_the_first_answer_and_has_no_effect() -> None:
    caller = with_key()
    first, again = send(caller), send(caller, key='"k1"')
    assert (again.status_code, again.content, again["Content-Type"]) == (
        201,
        first.content,
        "application/json",
    )
    assert ("Idempotent-Replayed" in first, again["Idempotent-Replayed"]) == (False, "true")
    assert Subscriber.objects.count() == 1


def test_a_refusal_is_repeated_too() -> None:
    caller = with_key()
    first, again = send(caller, name=""), send(caller, name="")
    assert (again.status_code, again.json()) == (400, first.json())
    assert again["Content-Type"] == "application/problem+json"


def test_another_body_or_address_under_the_same_key_is_refused() -> None:
    caller = with_key()
    send(caller)
    for answer in (send(caller, name="other"), send(caller, path=f"{HOME}?x=1")):
        assert (answer.status_code, answer.json()["code"]) == (422, "key-reused")
    assert Subscriber.objects.count() == 1


def test_the_same_key_of_another_api_key_is_another() -> None:
    assert [send(with_key()).status_code for _ in range(2)] == [201, 201]
    assert Subscriber.objects.count() == 2


@pytest.mark.parametrize("key", ["", "x" * 256, '"open'])
def test_a_key_that_is_none_is_400_and_nothing_is_done(key: str) -> None:
    answer = send(with_key(), key=key)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")
    assert not Subscriber.objects.exists() and not KeptAnswer.objects.exists()


def test_without_a_key_nothing_is_kept() -> None:
    with_key().post(HOME, {"name": "x"})
    assert not KeptAnswer.objects.exists()


def test_a_request_that_is_not_let_in_takes_no_key() -> None:
    assert send(with_key("viewer")).status_code == 403
    assert not KeptAnswer.objects.exists()


def under_way(caller: Caller) -> KeptAnswer:
    """A request that began and has not been answered."""
    send(caller)
    Subscriber.objects.all().delete()
    KeptAnswer.objects.update(status=None, content="")
    return KeptAnswer.objects.get()


@pytest.mark.parametrize(("began_s_ago", "told"), [(0, 1), (7.5, 8), (40.5, 20)])
def test_while_the_first_is_under_way_a_repeat_is_told_to_wait_as_long_as_it_took_or_may_take(
    began_s_ago: float, told: int
) -> None:
    caller = with_key()
    under_way(caller)
    ends_at = make.now() - timedelta(seconds=began_s_ago) + LEASE
    KeptAnswer.objects.update(leased_until=ends_at)
    answer = send(caller)
    assert (answer.status_code, answer.json()["code"]) == (409, "in-flight")
    assert int(answer["Retry-After"]) - told in (0, 1)  # a second may pass while it is asked
    assert not Subscriber.objects.exists()


def test_a_request_that_died_stands_in_the_way_for_its_lease_alone() -> None:
    caller = with_key()
    row = under_way(caller)
    KeptAnswer.objects.update(leased_until=make.now() - timedelta(seconds=1))
    assert [send(caller).status_code for _ in range(2)] == [201, 201]
    assert (Subscriber.objects.count(), KeptAnswer.objects.get().pk) == (1, row.pk)


def test_who_comes_back_from_the_dead_keeps_nothing() -> None:
    caller = with_key()

    def slow(**given: Any) -> Subscriber:
        KeptAnswer.objects.update(token=uuid4())  # somebody took over meanwhile
        return Subscriber.objects.create(name=given["name"])

    with patch.object(subscribers, "create_subscriber", side_effect=slow):
        assert send(caller).status_code == 201
    assert KeptAnswer.objects.get().status is None


def test_an_event_without_an_id_published_again_after_a_crash_is_a_duplicate() -> None:
    caller = with_key()
    make.source("shop")
    told: dict[str, Any] = {"source": "shop", "event_type": "t", "data": 1}
    first = send(caller, path="/api/v1/events", **told)
    KeptAnswer.objects.update(status=None, content="", leased_until=make.now() - timedelta(seconds=1))
    again = send(caller, path="/api/v1/events", **told)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]
    assert Event.objects.count() == 1


def test_a_failure_of_ours_is_not_kept() -> None:
    caller = with_key()
    with patch.object(Subscriber.objects, "create", side_effect=OperationalError):
        assert send(caller).status_code == 503
    assert send(caller).status_code == 201


def test_what_was_done_before_a_failure_is_found_again_by_the_repeat() -> None:
    caller = with_key()
    make.source("shop")
    said = {"source": "shop", "event_type": "t"}
    assert caller.post("/api/v1/events", {**said, "event_id": "a1", "data": 1}).status_code == 201
    batch = [{**said, "data": 1}, {**said, "event_id": "a1", "data": 2}]
    with patch.object(publish, "refuse", side_effect=OperationalError):  # once the batch is stored
        assert send(caller, path="/api/v1/events/batch", events=batch).status_code == 503
    stored = set(Event.objects.values_list("external_id", flat=True))
    answer = send(caller, path="/api/v1/events/batch", events=batch)
    assert [each["status"] for each in answer.json()["events"]] == ["duplicate", "conflict"]
    assert {answer.json()["events"][0]["event_id"], "a1"} == stored
    assert Event.objects.count() == 2


def test_another_request_under_the_key_of_one_that_failed_is_refused() -> None:
    caller = with_key()
    with patch.object(Subscriber.objects, "create", side_effect=OperationalError):
        assert send(caller).status_code == 503
    assert send(caller, name="other").status_code == 422
    assert not Subscriber.objects.exists()


def test_a_row_that_retention_takes_at_this_moment_is_made_again() -> None:
    caller = with_key()
    first = under_way(caller)
    create, seen = KeptAnswer.objects.bulk_create, list[Any]()

    def taken(*rows: Any, **how: Any) -> Any:
        made = create(*rows, **how)
        if not seen:
            KeptAnswer.objects.all().delete()
        seen.append(made)
        return made

    with patch.object(KeptAnswer.objects, "bulk_create", side_effect=taken):
        assert send(caller).status_code == 201
    row = KeptAnswer.objects.get()
    assert (len(seen), row.status, row.pk == first.pk) == (2, 201, False)


def test_that_something_is_deprecated_is_told_again() -> None:
    caller = with_key()
    make.source("shop")
    kind = EventType.objects.create(name="t", state="deprecated", deprecated_at=make.now())
    told = [send(caller, path="/api/v1/events", source="shop", event_type="t", data=1) for _ in range(2)]
    assert {each["Deprecation"] for each in told} == {f"@{int(kind.deprecated_at.timestamp())}"}
    assert told[1]["Idempotent-Replayed"] == "true"


def test_a_secret_in_an_answer_is_kept_sealed_and_repeated() -> None:
    caller = with_key()
    body: dict[str, Any] = {
        "subscriber": public_id("subscriber", make.subscriber().pk),
        "name": "hook",
        "url": "https://example.com/",
        "event_types": ["*"],
    }
    first, again = (send(caller, path="/api/v1/subscriptions", **body) for _ in range(2))
    assert first.json()["secret"] == again.json()["secret"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT content FROM webhooks_keptanswer")
        assert first.json()["secret"] not in cursor.fetchone()[0]
    assert Subscription.objects.count() == 1


def test_an_answer_sealed_with_a_key_that_is_gone_is_not_given_and_nothing_is_done_again(
    settings: Settings,
) -> None:
    caller = with_key()
    send(caller)
    settings.HUB_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    answer = send(caller)
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert Subscriber.objects.count() == 1


def test_after_a_day_a_key_is_free_again_and_its_row_goes() -> None:
    caller = with_key()
    send(caller)
    old = first_id_at(make.now() - KEPT_FOR - timedelta(seconds=1))
    KeptAnswer.objects.update(id=old)
    assert send(caller).status_code == 201
    assert Subscriber.objects.count() == 2
    assert KeptAnswer.objects.get().pk > old
    KeptAnswer.objects.update(id=old)
    assert drop_expired(now=make.now())["kept answers"] == 1


def test_an_answer_of_today_is_kept_by_retention() -> None:
    send(with_key())
    assert drop_expired(now=make.now() + KEPT_FOR - timedelta(minutes=1))["kept answers"] == 0


@pytest.mark.django_db(transaction=True)
def test_32_at_once_have_one_effect() -> None:
    caller = with_key()

    def one(_: int) -> int:
        another = Caller()
        another.credentials(HTTP_AUTHORIZATION=caller.authorization)
        try:
            return int(send(another).status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(one, range(32)))
    assert set(answers) <= {201, 409}
    assert 201 in answers
    assert Subscriber.objects.count() == 1
    assert one(0) == 201


def test_ids_tell_when_an_answer_was_kept() -> None:
    assert first_id_at(make.now() - KEPT_FOR) < uuid7()
