"""Dead letters over the API: listed, narrowed, replayed and discarded one at a time."""

from datetime import timedelta
from typing import Any

import pytest

from deliveries.models import DeadLetter, Delivery
from tests import make
from tests.answers import fields, sentence
from tests.callers import Caller, with_key
from tests.replaying import dead
from webhooks.ids import first_id_at, public_id
from webhooks.models import AuditEntry, EventBody

pytestmark = pytest.mark.django_db

HOME = "/api/v1/dead-letters"


@pytest.fixture
def caller() -> Caller:
    return with_key()


def letter(**options: Any) -> DeadLetter:
    (delivery,) = dead(make.subscription(**options.pop("to", {})), **options)
    return delivery.dead_letter


def name_of(letter: DeadLetter) -> str:
    return public_id("deadletter", letter.pk)


def ids(caller: Caller, query: str = "") -> list[str]:
    answer = caller.get(f"{HOME}?{query}")
    assert answer.status_code == 200, answer.json()
    return [row["id"] for row in answer.json()["results"]]


def test_it_tells_what_was_given_up_and_why(caller: Caller) -> None:
    made = letter(last_error="503 from the endpoint")
    delivery = made.delivery
    assert caller.get(f"{HOME}/{name_of(made)}").json() == {
        "id": name_of(made),
        "delivery": public_id("delivery", delivery.pk),
        "event": public_id("event", delivery.event_id),
        "event_id": delivery.external_id,
        "event_type": "user.created",
        "source": "shop",
        "subscription": public_id("subscription", delivery.subscription_id),
        "issue": public_id("issue", made.issue_id),
        "reason": "exhausted",
        "attempt_count": 12,
        "last_outcome": "server_error",
        "last_status": 503,
        "last_error": "503 from the endpoint",
        "died_at": f"{made.died_at:%Y-%m-%dT%H:%M:%S.%f}Z",
        "resolved_at": None,
        "resolution": "",
    }


def test_the_list_narrows_by_each_filter(caller: Caller) -> None:
    mine = letter(
        to={"name": "a", "subscriber": make.subscriber("mine")},
        of=make.event(type="order.paid", source=make.source("till"), state="routed"),
        last_outcome="timeout",
        fingerprint="v1:b",
    )
    then = make.now() - timedelta(days=2)
    DeadLetter.objects.filter(pk=mine.pk).update(id=first_id_at(then), reason="gone", died_at=then)
    mine = DeadLetter.objects.get(reason="gone")
    letter(to={"name": "b"})
    ago = (make.now() - timedelta(days=1)).isoformat().replace("+00:00", "Z")
    for query in (
        "reason=gone",
        "outcome=timeout",
        f"subscription={public_id('subscription', mine.subscription_id)}",
        f"subscriber={public_id('subscriber', mine.subscription.subscriber_id)}",
        "source=till",
        "event_type=order.paid",
        f"issue={public_id('issue', mine.issue_id)}",
        f"until={ago}",
        f"source=till&resolved=false&until={ago}",
    ):
        assert ids(caller, query) == [name_of(mine)], query
    assert len(ids(caller, f"since={ago}")) == 1
    assert (len(ids(caller)), ids(caller, "resolved=true")) == (2, [])


def test_what_died_again_lies_in_the_window_of_its_last_death(caller: Caller) -> None:
    old = letter()
    since = make.now().isoformat().replace("+00:00", "Z")
    DeadLetter.objects.filter(pk=old.pk).update(died_at=make.now())
    assert ids(caller, f"since={since}") == [name_of(old)]


@pytest.mark.parametrize(
    "query",
    [
        "reason=%00",
        "outcome=odd",
        "issue=x",
        "resolved=perhaps",
        "since=noon",
        "until=0607-12-19T16:52:58Z",
        "colour=red",
        "source=no",
    ],
)
def test_a_filter_that_makes_no_sense_is_named(caller: Caller, query: str) -> None:
    answer = caller.get(f"{HOME}?{query}")
    assert (answer.status_code, list(fields(answer))) == (400, [query.partition("=")[0]])


def test_one_is_replayed(caller: Caller) -> None:
    made = letter()
    answer = caller.post(f"{HOME}/{name_of(made)}/replay", {"reason": "mended"})
    assert (answer.status_code, answer.json()["resolution"]) == (202, "replayed")
    assert answer.json()["detail"] == "It is due now."
    assert Delivery.objects.get().state == "pending"
    assert ids(caller, "resolved=true") == [name_of(made)]
    entry = AuditEntry.objects.get(verb="replay")
    assert (entry.object_id, entry.reason) == (public_id("delivery", made.delivery_id), "mended")


def test_one_is_discarded_with_a_reason(caller: Caller) -> None:
    made = letter()
    answer = caller.post(f"{HOME}/{name_of(made)}/discard", {"reason": "obsolete"})
    assert (answer.status_code, answer.json()["resolution"]) == (202, "discarded")
    assert Delivery.objects.get().state == "discarded"
    assert AuditEntry.objects.get(verb="discard").reason == "obsolete"


def test_discarding_without_a_reason_changes_nothing(caller: Caller) -> None:
    made = letter()
    answer = caller.post(f"{HOME}/{name_of(made)}/discard")
    assert (answer.status_code, fields(answer)) == (400, {"reason": ["Say why: a reason is needed."]})
    assert (Delivery.objects.get().state, DeadLetter.objects.get().resolved_at) == ("dead", None)


@pytest.mark.parametrize("verb", ["replay", "discard"])
def test_what_is_resolved_is_left_alone(caller: Caller, verb: str) -> None:
    made = letter()
    caller.post(f"{HOME}/{name_of(made)}/replay")
    made.refresh_from_db()
    answer = caller.post(f"{HOME}/{name_of(made)}/{verb}", {"reason": "again"})
    assert answer.status_code == 409
    assert sentence(answer) == f"It was replayed already, at {made.resolved_at:%Y-%m-%d %H:%M:%S} UTC."
    assert AuditEntry.objects.exclude(verb="create").count() == 1


def test_without_a_body_there_is_nothing_to_replay(caller: Caller) -> None:
    made = letter()
    EventBody.objects.all().delete()
    answer = caller.post(f"{HOME}/{name_of(made)}/replay")
    assert (answer.status_code, sentence(answer)) == (
        409, "Its body is past retention, so there is nothing to send.",
    )  # fmt: skip
    assert (Delivery.objects.get().state, DeadLetter.objects.get().resolved_at) == ("dead", None)
