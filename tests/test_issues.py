"""What becomes of an issue: by people's word, by its dead letters, and by the time it was ignored for."""

import threading
from datetime import datetime, timedelta

import pytest
from django.db import IntegrityError, connection, transaction

from deliveries.models import Delivery, Issue, Subscription
from deliveries.services.dead_letters import Death, bury
from deliveries.services.issues import end_ignoring, move_issue
from deliveries.services.replay import discard_delivery, replay_delivery
from deliveries.tasks import contain
from tests import make
from webhooks.ids import public_id, uuid7
from webhooks.models import AuditEntry

pytestmark = pytest.mark.django_db

NAMES = ("open", "acknowledged", "ignored", "resolved", "regressed")


def dead(to: Subscription, fingerprint: str = "v1:a") -> Delivery:
    made = make.delivery(
        to, make.event(type="order.paid", state="routed"), state="dead", attempts=12, fingerprint=fingerprint,
        last_outcome="server_error", last_status=503,
    )  # fmt: skip
    again(made)
    return made


def again(delivery: Delivery, at: datetime | None = None) -> None:
    """It dies, as a dispatcher tells."""
    Delivery.objects.filter(pk=delivery.pk).update(state="dead", due_at=None)
    death = Death(
        delivery_id=delivery.pk, subscription_id=delivery.subscription_id, reason="exhausted", status=503, error="",
        fingerprint=delivery.fingerprint, outcome="server_error",
    )  # fmt: skip
    bury(deaths=[death], now=at or make.now())


def an_issue(state: str = "open") -> Issue:
    dead(make.subscription())
    issue = Issue.objects.get()
    until = make.now() + timedelta(hours=1) if state == "ignored" else None
    Issue.objects.update(state=state, ignored_until=until)
    return issue


def move(issue: Issue, verb: str, **options: object) -> tuple[bool, str]:
    asked = {"actor": "ada", "now": make.now()} | options
    verdict = move_issue(issue_id=issue.pk, verb=verb, **asked)  # type: ignore[arg-type]
    return verdict.is_done, verdict.sentence


@pytest.mark.parametrize(
    ("verb", "after", "starts"),
    [
        ("acknowledge", "acknowledged", {"open", "regressed", "ignored"}),
        ("ignore", "ignored", {"open", "regressed", "acknowledged"}),
        ("reopen", "open", {"acknowledged", "ignored"}),
    ],
)
@pytest.mark.parametrize("before", NAMES)
def test_a_word_moves_it_from_where_that_makes_sense(
    verb: str, after: str, starts: set[str], before: str
) -> None:
    issue, now = an_issue(before), make.now()
    is_done, said = move(issue, verb, now=now)
    issue.refresh_from_db()
    if before in starts:
        assert (is_done, issue.state, issue.state_by, issue.state_at) == (True, after, "ada", now)
        assert issue.ignored_until == (now + timedelta(hours=24) if after == "ignored" else None)
        entry = AuditEntry.objects.get()
        assert (entry.actor, entry.verb, entry.object_id) == ("ada", verb, public_id("issue", issue.pk))
        assert (entry.before, entry.after["state"]) == ({"state": before}, after)
    else:
        assert (is_done, issue.state, issue.state_by) == (False, before, "")
        assert said.startswith("It is ")
        assert not AuditEntry.objects.exists()


def test_who_comes_second_is_told_and_changes_nothing() -> None:
    issue = an_issue()
    assert move(issue, "acknowledge", actor="ada") == (True, "Acknowledged.")
    assert move(issue, "acknowledge", actor="bob") == (False, "It is acknowledged already, by ada.")
    assert move(issue, "ignore", actor="bob", seen="open") == (False, "It is acknowledged meanwhile, by ada.")
    issue.refresh_from_db()
    assert (issue.state, issue.state_by) == ("acknowledged", "ada")
    assert AuditEntry.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_two_people_at_once_one_acts() -> None:
    issue, now = an_issue(), make.now()
    gate, done = threading.Barrier(2), []

    def press(actor: str) -> None:
        try:
            gate.wait()
            done.append(move(issue, "acknowledge", actor=actor, now=now)[0])
        finally:
            connection.close()

    people = [threading.Thread(target=press, args=(name,)) for name in ("ada", "bob")]
    for each in people:
        each.start()
    for each in people:
        each.join()
    assert sorted(done) == [False, True]
    assert AuditEntry.objects.count() == 1


def test_it_is_resolved_by_itself_when_no_dead_letter_remains_and_regresses_when_it_recurs() -> None:
    to = make.subscription()
    first, second = dead(to), dead(to)
    issue = Issue.objects.get()
    move(issue, "acknowledge")
    replay_delivery(delivery_id=first.pk, actor="ada")
    issue.refresh_from_db()
    assert issue.state == "acknowledged"
    discard_delivery(delivery_id=second.pk, actor="ada")
    issue.refresh_from_db()
    assert (issue.state, issue.state_by, issue.state_at is None) == ("resolved", "", False)
    assert move(issue, "reopen") == (False, "It is resolved: no dead letter of it waits.")
    at = make.now()
    again(first, at)
    issue.refresh_from_db()
    assert (issue.state, issue.state_by, issue.state_at) == ("regressed", "", at)


def test_what_is_acknowledged_stays_so_while_more_die_of_it() -> None:
    issue = an_issue("acknowledged")
    dead(issue.subscription)
    issue.refresh_from_db()
    assert issue.state == "acknowledged"


@pytest.mark.parametrize(("is_replayed", "after"), [(False, "open"), (True, "resolved")])
def test_what_was_ignored_comes_back_by_itself_afterwards(is_replayed: bool, after: str) -> None:
    delivery = dead(make.subscription())
    issue, now = Issue.objects.get(), make.now()
    move(issue, "ignore", now=now)
    if is_replayed:
        replay_delivery(delivery_id=delivery.pk, actor="ada")
    until = now + timedelta(hours=24)
    assert end_ignoring(now=until - timedelta(microseconds=1)) == 0
    issue.refresh_from_db()
    assert issue.state == "ignored"
    assert end_ignoring(now=until) == 1
    issue.refresh_from_db()
    assert (issue.state, issue.state_by, issue.state_at, issue.ignored_until) == (after, "", until, None)
    assert end_ignoring(now=until) == 0


def test_the_schedule_of_every_minute_looks_for_them() -> None:
    an_issue("ignored")
    Issue.objects.update(ignored_until=make.now() - timedelta(seconds=1))
    contain()
    assert Issue.objects.get().state == "open"


def test_a_word_counts_though_the_time_of_being_ignored_is_over_and_nobody_wrote_so_yet() -> None:
    issue = an_issue("ignored")
    past = make.now() - timedelta(hours=1)
    Issue.objects.update(ignored_until=past)
    assert move(issue, "reopen") == (False, "It is open already.")
    assert move(issue, "ignore", seen="open") == (True, "Ignored for 24 h.")
    issue.refresh_from_db()
    assert issue.ignored_until > make.now()


def test_an_issue_that_nobody_has_is_said() -> None:
    verdict = move_issue(issue_id=uuid7(), verb="ignore", actor="ada", now=make.now())
    assert (verdict.is_done, verdict.sentence) == (False, "There is no such issue.")


def test_the_schema_refuses_to_ignore_for_ever() -> None:
    an_issue()
    with pytest.raises(IntegrityError), transaction.atomic():
        Issue.objects.update(state="ignored")
    with pytest.raises(IntegrityError), transaction.atomic():
        Issue.objects.update(ignored_until=make.now())


def test_one_failure_at_two_subscriptions_is_two_issues_and_it_keeps_what_failed() -> None:
    one, other = make.subscription(name="one"), make.subscription(name="other")
    dead(one, "v1:a")
    dead(one, "v1:a")
    dead(other, "v1:b")
    rows = Issue.objects.order_by("fingerprint").values_list("fingerprint", "outcome", "status")
    assert list(rows) == [("v1:a", "server_error", 503), ("v1:b", "server_error", 503)]
