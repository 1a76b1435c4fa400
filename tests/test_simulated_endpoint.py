"""The endpoint that the simulation sends to: it answers, slows down, falls over and has outages."""

import pytest

from deliveries.deciders.outcome import Outcome
from deliveries.simulation.endpoint import REFUSAL_S, Endpoint, Fault, Strength

STRENGTH = Strength(capacity_per_s=10, latency_s=0.5, breaking_point=8, restart_s=20, timeout_s=15)


def answers(endpoint: Endpoint, now: float, count: int = 1) -> list[tuple[float, int, Outcome]]:
    """What each is told, and when."""
    return [(each.at, each.requests, endpoint.outcome(each)) for each in endpoint.take(now, count)]


def test_it_answers_after_its_latency() -> None:
    assert answers(Endpoint(STRENGTH), 100) == [(100.5, 1, Outcome.OK)]


def test_above_its_capacity_the_latency_grows() -> None:
    taken = Endpoint(STRENGTH).take(100, 3)
    assert [round(each.at, 6) for each in taken] == [100.5, 100.6, 100.7]


def test_a_queue_that_has_been_worked_off_is_felt_no_more() -> None:
    endpoint = Endpoint(STRENGTH)
    answers(endpoint, 100, 3)
    assert answers(endpoint, 101) == [(101.5, 1, Outcome.OK)]


def test_at_its_breaking_point_it_holds_and_above_it_falls() -> None:
    endpoint = Endpoint(STRENGTH)
    held = endpoint.take(100, 8)
    assert endpoint.falls == 0
    assert answers(endpoint, 100) == [(100 + REFUSAL_S, 1, Outcome.RESET)]
    assert endpoint.falls == 1
    assert {endpoint.outcome(each) for each in held} == {Outcome.RESET}


def test_after_a_fall_it_refuses_until_it_has_restarted() -> None:
    endpoint = Endpoint(STRENGTH)
    answers(endpoint, 100, 9)
    assert answers(endpoint, 119.9) == [(119.9 + REFUSAL_S, 1, Outcome.REFUSED)]
    assert answers(endpoint, 120) == [(120.5, 1, Outcome.OK)]


@pytest.mark.parametrize(
    ("fault", "lasts_s", "outcome"),
    [("refuse", REFUSAL_S, Outcome.REFUSED), ("hang", 15, Outcome.TIMEOUT)],
)
def test_in_an_outage_it_refuses_or_hangs(fault: Fault, lasts_s: float, outcome: Outcome) -> None:
    endpoint = Endpoint(Strength(fault=fault), outages=((100, 200),))
    assert answers(endpoint, 99.0)[0][2] == Outcome.OK
    assert answers(endpoint, 100) == [(100 + lasts_s, 1, outcome)]
    assert answers(endpoint, 199.9) == [(199.9 + lasts_s, 1, outcome)]
    assert answers(endpoint, 200)[0][2] == Outcome.OK
    assert endpoint.sent_while_down == 2


def test_what_is_in_flight_when_an_outage_begins_is_broken_off() -> None:
    endpoint = Endpoint(STRENGTH, outages=((100, 200),))
    [answer] = endpoint.take(99.8)
    assert endpoint.outcome(answer) == Outcome.RESET


def test_a_sender_gives_up_before_a_queue_that_is_too_long() -> None:
    endpoint = Endpoint(Strength(capacity_per_s=1, latency_s=0.5, breaking_point=100, timeout_s=2))
    assert [each.outcome for each in endpoint.take(100, 3)] == [Outcome.OK, Outcome.OK, Outcome.TIMEOUT]
    assert endpoint.take(100)[0].at == 102


def test_it_counts_the_most_that_was_unanswered_at_once() -> None:
    endpoint = Endpoint(STRENGTH)
    answers(endpoint, 100, 3)
    answers(endpoint, 101, 2)
    assert (endpoint.at_once, endpoint.most_at_once) == (0, 3)
