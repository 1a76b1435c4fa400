"""An event that waits for its time is cancelled over the API, by operators and by who may publish for its source."""

from datetime import timedelta

import pytest
from django.test import Client

from tests import make
from tests.answers import sentence
from tests.callers import Caller, with_key
from webhooks.ids import public_id
from webhooks.models import ApiKey, AuditEntry, Event

pytestmark = pytest.mark.django_db


@pytest.fixture
def event() -> Event:
    """It waits for its time."""
    at = make.now() + timedelta(hours=1)
    return make.event(state="scheduled", routed_at=None, deliver_at=at, external_id="o-1")


def home(event: Event) -> str:
    return f"/api/v1/events/{public_id('event', event.pk)}"


def publisher(*slugs: str) -> Caller:
    return with_key("publisher", sources=[make.source(slug) for slug in slugs])


def is_cancelled() -> bool:
    return Event.objects.get().state == "cancelled"


def test_an_operator_cancels_it_and_is_told_what_it_is_now(event: Event) -> None:
    caller = with_key()
    answer = caller.post(f"{home(event)}/cancel", {"reason": "a mistake"})
    listed = caller.get("/api/v1/events?state=cancelled").json()["results"]
    assert (answer.status_code, answer.json()) == (
        200, {**listed[0], "detail": "It is cancelled and will not be routed."},
    )  # fmt: skip
    assert (answer.json()["id"], answer.json()["state"]) == (public_id("event", event.pk), "cancelled")
    assert caller.get(home(event)).json()["state"] == "cancelled"
    entry = AuditEntry.objects.get(verb="cancel")
    assert (entry.actor, entry.reason) == (str(ApiKey.objects.get()), "a mistake")


def test_no_reason_is_needed_and_nothing_else_is_taken(event: Event) -> None:
    assert with_key().post(f"{home(event)}/cancel", {"why": "x"}).status_code == 400
    assert not is_cancelled()
    assert with_key().post(f"{home(event)}/cancel").status_code == 200


@pytest.mark.parametrize("slugs", [(), ("shop",), ("till", "shop")])
def test_a_publisher_cancels_what_is_of_its_sources(event: Event, slugs: tuple[str, ...]) -> None:
    answer = publisher(*slugs).post(f"{home(event)}/cancel")
    assert (answer.status_code, is_cancelled()) == (200, True)
    assert "body" not in answer.json()


def test_to_a_publisher_what_is_of_other_sources_does_not_exist(event: Event) -> None:
    answer = publisher("till").post(f"{home(event)}/cancel")
    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
    assert (is_cancelled(), AuditEntry.objects.filter(verb="cancel").exists()) == (False, False)


@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("subscriber", 404)])
def test_who_only_looks_or_consumes_cancels_nothing(event: Event, role: str, status: int) -> None:
    owner = {"subscriber": make.subscriber()} if role == "subscriber" else {}
    assert with_key(role, **owner).post(f"{home(event)}/cancel").status_code == status
    assert not is_cancelled()


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("cancelled", "It was cancelled already."),
        ("received", "Its time had come first, so it cannot be cancelled any more."),
    ],
)
def test_what_does_not_wait_any_more_is_a_conflict_of_its_own_type(
    event: Event, state: str, said: str
) -> None:
    Event.objects.update(state=state)
    answer = with_key().post(f"{home(event)}/cancel")
    assert (answer.status_code, answer["Content-Type"]) == (409, "application/problem+json")
    told = answer.json()
    assert (told["code"], sentence(answer)) == ("not-scheduled", said)
    assert told["type"].endswith("/api/problems/not-scheduled")
    assert told["title"] in Client().get(told["type"]).content.decode()
    assert Event.objects.get().state == state


def test_a_repeat_by_the_same_idempotency_key_gets_the_first_answer(event: Event) -> None:
    caller, once = with_key(), {"Idempotency-Key": "c-1"}
    first, again = (caller.post(f"{home(event)}/cancel", headers=once) for _ in range(2))
    assert (first.status_code, again.status_code, again.content) == (200, 200, first.content)
    assert again["Idempotent-Replayed"] == "true"
    assert caller.post(f"{home(event)}/cancel").status_code == 409
    assert AuditEntry.objects.filter(verb="cancel").count() == 1


def test_it_is_known_by_its_public_id_alone(event: Event) -> None:
    for name in (event.external_id, public_id("event", make.source().pk)):
        assert with_key().post(f"/api/v1/events/{name}/cancel").status_code == 404
    assert not is_cancelled()
