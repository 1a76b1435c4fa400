"""Each thing that a rule can measure, with the exact sentence its alert says."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from deliveries.models import Alert, Cascade, Circuit, DepthSample, Hold, Lane, Quarantine, Seat
from tests import make
from tests.alerting import look, no_rules, rule, summaries  # noqa: F401 (a fixture)
from webhooks.ids import public_id
from webhooks.models import Source

pytestmark = pytest.mark.django_db

NOW = timedelta(0)


def sampled(to: Any, *, age_s: float = 5, **depth: Any) -> None:
    at = make.now() - timedelta(seconds=age_s)
    DepthSample.objects.update_or_create(subscription=to, defaults={"sampled_at": at, **depth})


def due_for(seconds: float) -> Any:
    return make.now() - timedelta(seconds=seconds)


def opens(circuit: str, to: Any, *, ago_s: float = 0, hold: str = "") -> None:
    since = make.now() - timedelta(seconds=ago_s)
    Lane.objects.filter(pk=to.pk).update(circuit=circuit, circuit_since=since, hold=hold)


# -- what was settled --------------------------------------------------------------------------------------


def test_the_success_rate_counts_attempts_and_is_never_rounded_up() -> None:
    rule(threshold=95.0)
    make.slices(make.subscription(), ago=NOW, attempts=10_000, delivered_first=9_499, retried=501)
    look()
    assert summaries() == [
        "Attempt success rate of the whole hub: 94.9 %, under 95 % (15 minutes, 10,000 attempts)."
    ]


@pytest.mark.parametrize(
    ("detail", "said"),
    [
        ("", "Error rate of the whole hub: 30 %, at least 10 % (15 minutes, 100 attempts)."),
        ("5xx", "Error rate (5xx) of the whole hub: 20 %, at least 10 % (15 minutes, 100 attempts)."),
        ("503", "Error rate (503) of the whole hub: 15 %, at least 10 % (15 minutes, 100 attempts)."),
        ("timeout", "Error rate (timeout) of the whole hub: 10 %, at least 10 % (15 minutes, 100 attempts)."),
        ("404", None),
    ],
)
def test_an_error_rate_counts_the_failures_that_are_named(detail: str, said: str | None) -> None:
    rule("errors", measure="error_rate", detail=detail, threshold=10.0, window_s=900)
    to = make.subscription()
    make.slices(to, ago=NOW, attempts=100, delivered_first=70, retried=30)
    make.failures(to, "server_error", 503, 15, ago=NOW)
    make.failures(to, "server_error", 500, 5, ago=NOW)
    make.failures(to, "timeout", 0, 10, ago=NOW)
    look()
    assert summaries() == ([said] if said else [])


def test_latency_is_a_percentile_of_what_was_answered() -> None:
    rule("slow", measure="latency", detail="99", threshold=2_000.0, window_s=300, least_volume=10)
    make.slices(make.subscription(), ago=NOW, attempts=10, delivered_first=10, took=18)
    look()
    assert summaries() == ["Latency p99 of the whole hub: 4.0 s, at least 2.0 s (5 minutes, 10 answers)."]


def test_new_dead_letters_are_those_of_the_window() -> None:
    rule("dead", measure="dead_letters", threshold=3.0, window_s=900)
    to = make.subscription()
    make.slices(to, ago=timedelta(hours=3), dead=40)
    make.slices(to, ago=NOW, dead=2)
    look()
    assert summaries() == []
    make.slices(to, ago=NOW, dead=1)
    look()
    assert summaries() == ["New dead letters of the whole hub: 3, at least 3 (15 minutes)."]
    assert look(1_000).closed == 1
    assert Alert.objects.get().ending.endswith(": New dead letters of the whole hub, now 0.")


def test_the_window_is_as_long_as_the_rule_says() -> None:
    rule("short", threshold=95.0, window_s=300)
    rule("long", threshold=95.0, window_s=21_600)
    make.slices(make.subscription(), ago=timedelta(hours=2), attempts=40, retried=40)
    look()
    assert summaries() == ["Attempt success rate of the whole hub: 0 %, under 95 % (6 hours, 40 attempts)."]


# -- over what -----------------------------------------------------------------------------------------------


def test_each_subscription_has_an_alert_of_its_own() -> None:
    rule(over="each_subscription")
    bad, good, idle = (make.subscription(name=name) for name in ("bad", "good", "idle"))
    make.slices(bad, ago=NOW, attempts=20, delivered_first=10, retried=10)
    make.slices(good, ago=NOW, attempts=20, delivered_first=20)
    look()
    assert summaries() == ["Attempt success rate of bad: 50 %, under 95 % (15 minutes, 20 attempts)."]
    assert Alert.objects.get().scope == public_id("subscription", bad.pk)
    assert idle.pk != bad.pk


def test_one_subscription_and_the_sum_of_a_subscriber_s() -> None:
    owner, other = make.subscriber("Owner"), make.subscriber("Other")
    one = make.subscription(name="one", subscriber=owner)
    two = make.subscription(name="two", subscriber=owner)
    third = make.subscription(name="third", subscriber=other)
    rule("one", over="subscription", subscription=two, least_volume=0)
    rule("owner", over="subscriber", subscriber=owner)
    make.slices(one, ago=NOW, attempts=10, delivered_first=10)
    make.slices(two, ago=NOW, attempts=10, retried=10)
    make.slices(third, ago=NOW, attempts=100, retried=100)
    look()
    assert summaries() == [
        "Attempt success rate of two: 0 %, under 95 % (15 minutes, 10 attempts).",
        "Attempt success rate of Owner: 50 %, under 95 % (15 minutes, 20 attempts).",
    ]
    assert Alert.objects.get(rule="owner").scope == public_id("subscriber", owner.pk)


# -- what waits ------------------------------------------------------------------------------------------------


def test_the_oldest_due_is_of_lanes_that_move() -> None:
    rule("old", measure="oldest_due", threshold=300.0)
    moving, held = make.subscription(name="moving"), make.subscription(name="held")
    sampled(held, due=1, oldest_due_at=due_for(9_000))
    opens(Circuit.OPEN, held)
    sampled(moving, due=1, oldest_due_at=due_for(299))
    assert look().opened == 0
    assert look(2).opened == 1
    assert summaries() == ["Age of the oldest due delivery of the whole hub: 5 min 1 s, at least 5 min."]
    sampled(moving, due=0, oldest_due_at=None)
    assert look().closed == 1


def test_an_old_sample_tells_how_long_something_waits_but_not_that_nothing_does() -> None:
    rule("old", measure="oldest_due", threshold=300.0)
    to = make.subscription()
    sampled(to, due=1, oldest_due_at=due_for(301), age_s=400)
    assert look().opened == 1
    sampled(to, due=0, oldest_due_at=None, age_s=400)
    assert look().closed == 0
    sampled(to, due=0, oldest_due_at=None)
    assert look().closed == 1


def test_the_depth_of_a_queue_is_what_is_due_in_lanes_that_move() -> None:
    rule("deep", measure="queue_depth", threshold=1_500.0)
    rule("deep-each", measure="queue_depth", over="each_subscription", threshold=1_000.0)
    for name, due, hold in (("one", 900, ""), ("two", 1_000, ""), ("three", 9_000, Hold.PAUSED)):
        to = make.subscription(name=name)
        Lane.objects.filter(pk=to.pk).update(hold=hold)
        sampled(to, due=due)
    look()
    assert summaries() == [
        "Deliveries due of the whole hub: 1,900, at least 1,500.",
        "Deliveries due of two: 1,000, at least 1,000.",
    ]


def test_a_depth_that_nobody_sampled_lately_is_no_data() -> None:
    rule("deep", measure="queue_depth", threshold=1.0)
    sampled(make.subscription(), due=9, age_s=61)
    assert look().opened == 0


def test_events_in_quarantine_are_those_that_wait_there_in_all_cascades() -> None:
    rule("held-back", measure="quarantined", threshold=5.0)
    for waiting in (0, 2, 2):
        event = make.event(state="routed")
        since = make.now() if waiting else None
        Cascade.objects.create(trace_id=event.trace_id, root=event, quarantined=waiting, quarantined_at=since)
    look()
    assert summaries() == []
    Cascade.objects.filter(quarantined__gt=0).update(quarantined=3)
    look()
    assert summaries() == ["Events in quarantine of the whole hub: 6, at least 5."]
    Cascade.objects.update(quarantined=0, quarantined_at=None)
    assert look().closed == 1


def test_events_in_quarantine_are_those_too_that_could_not_be_routed_and_no_cascade_counts() -> None:
    rule("held-back", measure="quarantined", threshold=2.0)
    for trace in (None, None, uuid4()):
        Quarantine.objects.create(
            event=make.event(state="quarantined", routed_at=None), why="unroutable", trace_id=trace
        )
    look()
    assert summaries() == ["Events in quarantine of the whole hub: 2, at least 2."]
    Quarantine.objects.update(fate="discarded", settled_at=make.now())
    assert look().closed == 1


# -- states ----------------------------------------------------------------------------------------------------


def test_a_circuit_that_is_not_closed_for_too_long() -> None:
    rule("circuit", measure="circuit_open", over="each_subscription", hold_s=600)
    erp, crm, held = (make.subscription(name=name) for name in ("erp", "crm", "held"))
    opens(Circuit.OPEN, erp, ago_s=30)
    opens(Circuit.OPEN, crm, ago_s=610)
    opens(Circuit.OPEN, held, ago_s=9_000, hold=Hold.PAUSED)
    began = make.now()
    assert look(0, since=began).opened == 1
    assert summaries() == ["Circuit not closed: crm, for 10 min 10 s."]
    # Probed in vain, it opened again: it is the same trouble, and goes on counting.
    opens(Circuit.OPEN, erp, ago_s=0)
    assert look(569, since=began).opened == 0
    assert look(571, since=began).opened == 1
    opens(Circuit.RECOVERING, erp)
    assert look(600, since=began).closed == 0
    opens(Circuit.CLOSED, erp)
    assert look(630, since=began).closed == 1


def test_a_source_that_is_silent_longer_than_it_may_be() -> None:
    rule("silent", measure="source_silent", over="each_source")
    quiet, busy = make.source("quiet"), make.source("busy")
    make.source("free")
    long_ago = make.now() - timedelta(hours=3)
    Source.objects.filter(pk__in=[quiet.pk, busy.pk]).update(expected_every_s=3_600, created_at=long_ago)
    make.event(source=busy)
    look()
    assert summaries() == ["Source silent: quiet, for 2 h."]
    assert Alert.objects.get().scope == public_id("source", quiet.pk)
    make.event(source=quiet)
    assert look().closed == 1


def test_that_nobody_dispatches_counts_from_when_somebody_last_did() -> None:
    rule("nobody", measure="dispatcher_missing", hold_s=60)
    now = make.now()
    Seat.objects.create(number=1, leased_until=now + timedelta(seconds=45), seen_at=now)
    assert look().opened == 0
    Seat.objects.update(leased_until=now - timedelta(seconds=14), seen_at=now - timedelta(seconds=59))
    assert look(0, since=now).opened == 0
    assert look(1, since=now).opened == 1
    assert summaries() == ["No dispatcher at work, for 1 min."]
    Seat.objects.update(leased_until=now + timedelta(seconds=45), seen_at=now)
    assert look().closed == 1


def test_where_nobody_ever_dispatched_it_counts_from_the_first_look() -> None:
    rule("nobody", measure="dispatcher_missing", hold_s=60)
    began = make.now()
    assert [look(after, since=began).opened for after in (0, 59, 60)] == [0, 0, 1]


# -- no data ---------------------------------------------------------------------------------------------------


def test_without_data_nothing_opens_and_nothing_closes() -> None:
    rule(over="each_subscription")
    to = make.subscription()
    assert look().opened == 0
    make.slices(to, ago=NOW, attempts=20, retried=20)
    assert look().opened == 1
    assert look(86_400).closed == 0
