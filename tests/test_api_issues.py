"""Issues over the API: listed with what waits in them, moved by a word, never resolved by one."""

from datetime import timedelta

import pytest

from deliveries.models import Issue
from tests import make
from tests.answers import fields, sentence
from tests.callers import Caller, with_key
from tests.replaying import dead
from webhooks.ids import first_id_at, public_id
from webhooks.models import AuditEntry

pytestmark = pytest.mark.django_db

HOME = "/api/v1/issues"


@pytest.fixture
def caller() -> Caller:
    return with_key()


def issue(name: str = "hook", count: int = 2, fingerprint: str = "v1:a") -> Issue:
    (first, *_) = dead(make.subscription(name=name), count, fingerprint=fingerprint)
    return Issue.objects.get(subscription_id=first.subscription_id)


def name_of(issue: Issue) -> str:
    return public_id("issue", issue.pk)


def test_it_tells_what_waits_in_it_and_how_its_endpoint_does(caller: Caller) -> None:
    made = issue(count=3)
    told = caller.get(f"{HOME}/{name_of(made)}").json()
    assert (told["state"], told["dead"], told["status"]) == ("open", 3, 503)
    assert told["subscription"] == public_id("subscription", made.subscription_id)
    assert told["endpoint"] == {
        "mood": "no_traffic",
        "sentence": "Nothing was sent there in the last 30 minutes.",
        "lately": "",
    }


def test_the_list_narrows_by_state_subscription_and_fingerprint(caller: Caller) -> None:
    mine, other = issue("a"), issue("b", fingerprint="v1:b")
    Issue.objects.filter(pk=mine.pk).update(state="regressed")
    Issue.objects.filter(pk=other.pk).update(state="acknowledged")
    for query in (
        "state=open",
        f"subscription={public_id('subscription', mine.subscription_id)}",
        "fingerprint=v1:a",
    ):
        found = caller.get(f"{HOME}?{query}").json()["results"]
        assert [each["id"] for each in found] == [name_of(mine)], query
    assert len(caller.get(HOME).json()["results"]) == 2
    assert list(fields(caller.get(f"{HOME}?state=lost"))) == ["state"]


def test_the_list_narrows_by_when_they_were_first_seen_too(caller: Caller) -> None:
    to = make.subscription()
    made = {
        days: Issue.objects.create(
            id=first_id_at(make.now() - timedelta(days=days)),
            subscription=to,
            fingerprint=f"v1:{days}",
            state="regressed" if days == 1 else "acknowledged",
            reason="exhausted",
        )
        for days in (9, 3, 1)
    }

    def found(query: str) -> list[str]:
        return [each["id"] for each in caller.get(f"{HOME}?{query}").json()["results"]]

    assert found("since=7d") == [name_of(made[1]), name_of(made[3])]
    assert found("since=7d&until=2d") == [name_of(made[3])]
    assert found("since=7d&state=open") == [name_of(made[1])]
    assert found("until=2d&state=open") == []


def test_what_was_ignored_until_now_is_open(caller: Caller) -> None:
    made = issue()
    Issue.objects.update(state="ignored", ignored_until=make.now() - timedelta(seconds=1))
    assert [each["id"] for each in caller.get(f"{HOME}?state=open").json()["results"]] == [name_of(made)]
    assert caller.get(f"{HOME}/{name_of(made)}").json()["state"] == "open"


@pytest.mark.parametrize(
    ("verb", "before", "after", "said"),
    [
        ("acknowledge", "open", "acknowledged", "Acknowledged."),
        ("ignore", "regressed", "ignored", "Ignored for 24 h."),
        ("reopen", "acknowledged", "open", "Reopened."),
    ],
)
def test_a_word_moves_it(caller: Caller, verb: str, before: str, after: str, said: str) -> None:
    made = issue()
    Issue.objects.update(state=before)
    answer = caller.post(f"{HOME}/{name_of(made)}/{verb}", {"reason": "at it", "seen": before})
    assert (answer.status_code, answer.json()["state"], answer.json()["detail"]) == (200, after, said)
    entry = AuditEntry.objects.get(verb=verb)
    assert (entry.reason, entry.actor) == ("at it", Issue.objects.get().state_by)


def test_another_state_than_was_seen_leaves_it_as_it_is(caller: Caller) -> None:
    made = issue()
    Issue.objects.update(state="acknowledged")
    answer = caller.post(f"{HOME}/{name_of(made)}/ignore", {"seen": "open"})
    assert (answer.status_code, sentence(answer)) == (409, "It is acknowledged meanwhile.")
    assert Issue.objects.get().state == "acknowledged"
    assert not AuditEntry.objects.exclude(verb="create").exists()


def test_nobody_resolves_one_by_a_word(caller: Caller) -> None:
    made = issue()
    assert caller.post(f"{HOME}/{name_of(made)}/resolve").status_code == 404
    Issue.objects.update(state="resolved")
    answer = caller.post(f"{HOME}/{name_of(made)}/acknowledge")
    assert (answer.status_code, sentence(answer)) == (409, "It is resolved: no dead letter of it waits.")
