"""An outage on a simulated clock, under the deciders that send in earnest: the endpoint is spared, then fed gently."""

from dataclasses import replace

import pytest

from deliveries.deciders.circuit import Rules
from deliveries.deciders.retry import Schedule
from deliveries.simulation.endpoint import Fault, Strength
from deliveries.simulation.lane import Pace
from deliveries.simulation.policies import Policy
from deliveries.simulation.rehearse import Figures, rehearse
from deliveries.simulation.scenario import PRESETS, Scenario, altered

HOUR_S = 3_600
DEAD_HOUR = Scenario(name="dead", deliveries=100_000, healthy_s=0, outage_s=HOUR_S)
SMALL = altered(PRESETS["outage"], deliveries=6_000)  # 1.4 a second
CAP = Rules().cap


def played(
    scenario: Scenario, policy: Policy = "weir", *, seed: int = 1, pace: Pace | None = None
) -> Figures:
    return rehearse(scenario, policy=policy, pace=pace or Pace(), seed=seed)


@pytest.fixture(scope="module")
def dead_hour() -> Figures:
    return played(DEAD_HOUR)


@pytest.fixture(scope="module")
def outage() -> Figures:
    return played(SMALL)


@pytest.mark.parametrize("fault", ["refuse", "hang"])
@pytest.mark.parametrize("all_due_at_start", [True, False])
@pytest.mark.parametrize("seed", range(5))
def test_a_dead_endpoint_owed_100_000_sees_at_most_60_requests_in_an_hour(
    fault: Fault, all_due_at_start: bool, seed: int
) -> None:
    strength = Strength(fault=fault)
    alone = replace(DEAD_HOUR, strength=strength, all_due_at_start=all_due_at_start, after_s=0)
    figures = played(alone, seed=seed)
    assert 10 < figures.sent <= 60
    assert figures.sent == figures.sent_while_down
    assert figures.delivered == figures.dead == 0


@pytest.mark.parametrize("fault", ["refuse", "hang"])
@pytest.mark.parametrize("seed", range(3))
def test_nor_does_one_that_was_busy_and_well_before_it_died(fault: Fault, seed: int) -> None:
    busy = replace(PRESETS["outage"], strength=Strength(fault=fault), after_s=0)
    assert busy.healthy_s == 600
    assert 10 < played(busy, seed=seed).sent_while_down <= 60


def test_on_recovery_the_load_never_exceeds_the_cap(dead_hour: Figures) -> None:
    assert dead_hour.most_at_once == CAP
    assert dead_hour.peak_per_s <= CAP / DEAD_HOUR.strength.latency_s
    assert dead_hour.falls == 0


def test_what_was_owed_drains_within_a_fifth_more_than_the_cap_allows(dead_hour: Figures) -> None:
    assert (dead_hour.delivered, dead_hour.dead, dead_hour.owed_at_recovery) == (100_000, 0, 100_000)
    assert dead_hour.cap_allows_s == 2_000  # ten at once, 0.2 s each
    assert 2_000 < dead_hour.drained_s <= 1.2 * 2_000


def test_recovery_is_noticed_within_the_longest_cool_down(dead_hour: Figures) -> None:
    rules = Rules()
    assert 0 < dead_hour.noticed_s <= rules.cooldown_cap_s * (1 + rules.jitter) + 1


def test_weir_sends_at_most_a_twentieth_more_than_it_owes_where_others_flood(outage: Figures) -> None:
    naive, backoff = played(SMALL, "naive"), played(SMALL, "backoff")
    assert outage.amplification <= 1.05
    assert 6 < backoff.amplification < 7  # seven attempts fit into an hour
    assert naive.amplification > 300  # one every five seconds
    assert outage.still_owed == backoff.still_owed == 0


def test_a_flood_after_recovery_topples_the_endpoint_again_and_weir_does_not() -> None:
    weak = replace(SMALL, strength=Strength(capacity_per_s=60, breaking_point=20))
    naive, weir = played(weak, "naive"), played(weak)
    assert naive.falls > 100 and naive.still_owed > 5_000
    assert (weir.falls, weir.still_owed) == (0, 0)


def test_a_rate_limit_holds_while_the_backlog_drains() -> None:
    figures = played(
        replace(SMALL, deliveries=2_000, all_due_at_start=True, outage_s=60, healthy_s=0),
        pace=Pace(rate_per_s=5),
    )
    assert figures.peak_per_s <= 5 + 5  # a full burst, and what the second itself allows
    assert figures.still_owed == 0
    assert figures.cap_allows_s == 400
    assert 400 <= figures.drained_s <= 1.2 * 400


def test_a_delivery_that_no_retry_can_save_is_given_up_and_counted() -> None:
    once = Pace(schedule=Schedule(max_attempts=1))
    figures = played(replace(SMALL, deliveries=100, healthy_s=0, outage_s=60), pace=once)
    assert figures.dead == figures.sent_while_down > 0
    assert figures.delivered == 100 - figures.dead


@pytest.mark.parametrize("policy", ["naive", "backoff", "weir"])
def test_nothing_is_lost_and_every_request_is_counted(policy: Policy) -> None:
    figures = played(altered(PRESETS["flap"], deliveries=500), policy)
    assert (figures.delivered, figures.dead, figures.still_owed) == (500, 0, 0)
    assert sum(figures.load) == figures.sent >= 500


@pytest.mark.parametrize("policy", ["naive", "backoff", "weir"])
def test_the_same_seed_is_the_same_story(policy: Policy) -> None:
    small = altered(PRESETS["crowd"], deliveries=600, endpoints=20)
    assert played(small, policy) == played(small, policy)
    assert played(small, policy) != played(small, policy, seed=2)


def test_an_outage_of_some_costs_the_others_nothing() -> None:
    crowd = altered(PRESETS["crowd"], deliveries=2_000, endpoints=20)
    healthy = replace(crowd, down_share=0.0)
    figures, calm = played(crowd), played(healthy)
    assert calm.sent == 2_000
    assert figures.still_owed == calm.still_owed == 0
    assert figures.sent - 2_000 <= 6 * 60  # six of the twenty are down
