"""A pause for a time: nothing is sent until it is over, then it ends by itself, once, whoever else looks or acts."""

from collections.abc import Callable
from datetime import datetime, timedelta
from ipaddress import ip_network

import pytest
from django.db import IntegrityError, transaction
from pytest_django import Settings

from deliveries.models import Delivery, Lane, Subscription
from deliveries.services import holds
from tests import make
from tests.endpoints import Endpoint, answers
from tests.running import dispatchers, until
from webhooks.models import AuditEntry

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


@pytest.fixture
def loopback(settings: Settings) -> None:
    settings.HUB_EGRESS_ALLOW = [ip_network("127.0.0.0/8")]


def paused(to: Subscription, end: datetime | None) -> Lane:
    assert holds.pause(subscription_id=to.pk, actor="ada", reason="night", until=end)
    return Lane.objects.get(pk=to.pk)


def verbs() -> list[tuple[str, str]]:
    return list(AuditEntry.objects.order_by("pk").values_list("actor", "verb"))


def test_it_is_kept_until_its_time_and_resumed_after_it() -> None:
    to, end = make.subscription(), make.now() + HOUR
    lane = paused(to, end)
    assert (lane.hold, lane.hold_until, lane.hold_reason) == ("paused", end, "night")
    assert holds.resume_due(now=end - timedelta(microseconds=1)) == 0
    assert Lane.objects.get().hold == "paused"
    assert holds.resume_due(now=end) == 1
    lane = Lane.objects.get()
    assert (lane.hold, lane.hold_until, lane.hold_reason, lane.held_at, lane.next_due_at) == (
        "", None, "", end, end,
    )  # fmt: skip
    assert lane.revision == 3
    entry = AuditEntry.objects.get(verb="resume")
    assert (entry.actor, entry.reason) == ("weir", "Its pause was for a time, and that is over.")
    assert (entry.before, entry.after) == ({"hold": "paused"}, {"hold": ""})


def test_it_is_resumed_once_however_many_look() -> None:
    to, end = make.subscription(), make.now() + HOUR
    paused(to, end)
    assert [holds.resume_due(now=end), holds.resume_due(now=end)] == [1, 0]
    assert not holds._resume_at(to.pk, end, end)  # who read it before the other wrote
    assert verbs() == [("ada", "pause"), ("weir", "resume")]


def test_a_pause_without_an_end_is_left_to_a_person() -> None:
    paused(make.subscription(), None)
    assert holds.resume_due(now=make.now() + timedelta(days=1_000)) == 0
    assert Lane.objects.get().hold == "paused"


@pytest.mark.parametrize("act", [holds.resume, holds.disable])
def test_a_person_who_comes_first_is_heard(act: Callable[..., bool]) -> None:
    to, end = make.subscription(), make.now() + HOUR
    paused(to, end)
    assert act(subscription_id=to.pk, actor="bob")
    before = Lane.objects.values().get()
    assert holds.resume_due(now=end) == 0
    assert Lane.objects.values().get() == before
    assert before["hold_until"] is None


def test_a_pause_that_was_made_anew_is_not_ended_by_a_look_at_the_old_one() -> None:
    to, end = make.subscription(), make.now() + HOUR
    paused(to, end)
    holds.resume(subscription_id=to.pk, actor="bob")
    paused(to, end + HOUR)
    assert not holds._resume_at(to.pk, end, end)
    assert Lane.objects.get().hold_until == end + HOUR


@pytest.mark.parametrize("away", [timedelta(0), -HOUR, timedelta(days=91)])
def test_an_absurd_end_is_refused_and_nothing_is_held(away: timedelta) -> None:
    to = make.subscription()
    with pytest.raises(holds.Refused, match="later than now and within 90 days"):
        holds.pause(subscription_id=to.pk, actor="ada", until=make.now() + away)
    assert Lane.objects.get().hold == "" and not AuditEntry.objects.exists()


def test_only_a_pause_can_have_an_end() -> None:
    make.subscription()
    with pytest.raises(IntegrityError), transaction.atomic():
        Lane.objects.update(hold_until=make.now())


def test_the_second_who_pauses_is_told_and_changes_nothing() -> None:
    to, end = make.subscription(), make.now() + HOUR
    paused(to, end)
    assert not holds.pause(subscription_id=to.pk, actor="bob", until=end + HOUR)
    assert Lane.objects.get().hold_until == end
    assert verbs() == [("ada", "pause")]


@pytest.mark.django_db(transaction=True)
def test_a_dispatcher_ends_it_and_sends_what_waited(loopback: None) -> None:
    with Endpoint(answers(200)) as endpoint:
        to = make.subscription(endpoint.url)
        waiting = make.delivery(to)
        paused(to, make.now() + timedelta(seconds=2))
        with dispatchers():
            until(lambda: Delivery.objects.get(pk=waiting.pk).state == "delivered")
    assert Lane.objects.get().hold == ""
    assert verbs() == [("ada", "pause"), ("weir", "resume")]
    assert len(endpoint.requests) == 1
