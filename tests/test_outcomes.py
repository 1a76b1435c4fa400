"""What came of an attempt, and what follows for its delivery, its lane and its subscription."""

from datetime import UTC, datetime, timedelta

import pytest

from deliveries.deciders.outcome import (
    ENDPOINT_FAULTS,
    ClientErrors,
    Decision,
    Outcome,
    classify_status,
    decide,
    fingerprint,
)
from deliveries.deciders.retry import Schedule

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SCHEDULE = Schedule(first_s=1, factor=4, max_attempts=5, jitter=0)
RETRIED = [
    Outcome.THROTTLED,
    Outcome.SERVER_ERROR,
    Outcome.TIMEOUT,
    Outcome.REFUSED,
    Outcome.RESET,
    Outcome.DNS,
    Outcome.TLS,
    Outcome.BAD_RESPONSE,
]
FINAL = [
    Outcome.BLOCKED,
    Outcome.OVERSIZED,
    Outcome.UNSENDABLE,
    Outcome.TRANSFORM_FAILED,
    Outcome.FILTER_FAILED,
]


def after(
    outcome: Outcome,
    *,
    attempt: int = 1,
    policy: ClientErrors = "thrice",
    retry_after_s: float | None = None,
    schedule: Schedule = SCHEDULE,
) -> Decision:
    return decide(
        outcome=outcome,
        attempt=attempt,
        schedule=schedule,
        client_errors=policy,
        now=NOW,
        first_due=NOW,
        retry_after_s=retry_after_s,
        draw=0,
    )


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (200, Outcome.OK),
        (204, Outcome.OK),
        (299, Outcome.OK),
        (300, Outcome.REDIRECT),
        (301, Outcome.REDIRECT),
        (308, Outcome.REDIRECT),
        (400, Outcome.CLIENT_ERROR),
        (403, Outcome.CLIENT_ERROR),
        (404, Outcome.CLIENT_ERROR),
        (408, Outcome.SERVER_ERROR),
        (410, Outcome.GONE),
        (422, Outcome.CLIENT_ERROR),
        (425, Outcome.SERVER_ERROR),
        (429, Outcome.THROTTLED),
        (500, Outcome.SERVER_ERROR),
        (503, Outcome.SERVER_ERROR),
        (599, Outcome.SERVER_ERROR),
        (101, Outcome.BAD_RESPONSE),
        (600, Outcome.BAD_RESPONSE),
        (999, Outcome.BAD_RESPONSE),
    ],
)
def test_each_status_has_its_outcome(code: int, outcome: Outcome) -> None:
    assert classify_status(code) == outcome


def test_a_2xx_delivers() -> None:
    assert after(Outcome.OK) == Decision(state="delivered")


def test_gone_kills_the_delivery_and_disables_the_subscription() -> None:
    assert after(Outcome.GONE) == Decision(state="dead", reason="gone", disables=True)


@pytest.mark.parametrize("outcome", RETRIED)
def test_a_passing_trouble_is_retried_and_counts_against_the_endpoint(outcome: Outcome) -> None:
    due = NOW + timedelta(seconds=4)
    assert after(outcome, attempt=2) == Decision(state="pending", due_at=due, endpoint_fault=True)


@pytest.mark.parametrize("outcome", RETRIED)
def test_a_spent_schedule_is_exhausted(outcome: Outcome) -> None:
    assert after(outcome, attempt=5) == Decision(state="dead", reason="exhausted", endpoint_fault=True)


@pytest.mark.parametrize("attempt", [1, 5])
def test_our_own_trouble_puts_back_for_a_second_whatever_was_spent(attempt: int) -> None:
    later = NOW + timedelta(seconds=1)
    expected = Decision(state="pending", due_at=later, lane_not_before=later)
    assert after(Outcome.OWN_TROUBLE, attempt=attempt, schedule=Schedule(max_age_s=0.1)) == expected


@pytest.mark.parametrize("outcome", FINAL)
def test_what_no_repetition_can_help_is_dead_at_once(outcome: Outcome) -> None:
    assert after(outcome) == Decision(state="dead", reason=outcome.value)


@pytest.mark.parametrize("outcome", [Outcome.CLIENT_ERROR, Outcome.REDIRECT])
@pytest.mark.parametrize(
    ("policy", "states"),
    [
        ("once", ["dead"]),
        ("thrice", ["pending", "pending", "dead"]),
        ("schedule", ["pending", "pending", "pending", "pending", "dead"]),
    ],
)
def test_a_rejection_dies_by_policy(outcome: Outcome, policy: ClientErrors, states: list[str]) -> None:
    decisions = [after(outcome, attempt=n, policy=policy) for n in range(1, len(states) + 1)]
    assert [decision.state for decision in decisions] == states
    assert not any(decision.endpoint_fault for decision in decisions)
    assert decisions[-1].reason == ("exhausted" if policy == "schedule" else outcome.value)


def test_every_outcome_is_decided_and_fits_its_column() -> None:
    for outcome in Outcome:
        assert after(outcome).state in ("delivered", "pending", "dead")
        assert len(outcome) <= 20


def test_only_what_the_endpoint_did_counts_against_it() -> None:
    assert frozenset(RETRIED) == ENDPOINT_FAULTS


@pytest.mark.parametrize(
    ("asked", "lane_s", "due_s"), [(60, 60, 60), (1, 1, 4), (0, 0, 4), (10**9, 86_400, 86_400)]
)
def test_retry_after_quiets_the_lane_and_the_delivery(asked: float, lane_s: float, due_s: float) -> None:
    decision = after(Outcome.SERVER_ERROR, attempt=2, retry_after_s=asked)
    assert decision.lane_not_before == NOW + timedelta(seconds=lane_s)
    assert decision.due_at == NOW + timedelta(seconds=due_s)


def test_the_lane_is_quieted_even_when_this_delivery_is_exhausted() -> None:
    decision = after(Outcome.THROTTLED, attempt=5, retry_after_s=60)
    assert (decision.state, decision.lane_not_before) == ("dead", NOW + timedelta(seconds=60))


def test_a_2xx_with_retry_after_quiets_nothing() -> None:
    assert after(Outcome.OK, retry_after_s=60) == Decision(state="delivered")


def test_a_delivery_past_its_age_is_too_old() -> None:
    decision = after(Outcome.TIMEOUT, schedule=Schedule(max_age_s=0.5))
    assert (decision.state, decision.reason) == ("dead", "too_old")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Order 17 is unknown.", "Order 99482 is unknown."),
        ("No user 9f1c2d3e-0000-4000-8000-abcdefabcdef.", "No user 00000000-0000-4000-8000-000000000001."),
        ("Expired at 2026-01-01T00:00:00Z.", "Expired at 2027-12-31 23:59:59.123+02:00."),
        ("dlv_0192aaaabbbbccccddddeeeeffff0000 failed", "dlv_0192000000000000000000000000000a failed"),
        ("10.0.0.1 refused", "192.168.1.77 refused"),
        ("trace 4bf92f3577b34da6a3ce929d0e0e4736", "trace 00f067aa0ba902b700f067aa0ba902b7"),
        ("Too  slow\n", "too slow"),
    ],
)
def test_messages_that_differ_in_ids_alone_share_a_fingerprint(one: str, other: str) -> None:
    assert fingerprint("s", Outcome.DNS, None, one) == fingerprint("s", Outcome.DNS, None, other)


def test_that_a_certificate_s_end_could_be_learned_makes_no_other_issue() -> None:
    plain = "The endpoint's certificate is not trusted: certificate has expired."
    dated = f"{plain} It was valid until 2026-11-01."
    assert fingerprint("s", Outcome.TLS, None, dated) == fingerprint("s", Outcome.TLS, None, plain)


def test_another_kind_of_failure_has_another_fingerprint() -> None:
    kinds = {
        fingerprint("s", Outcome.SERVER_ERROR, 500, "Database is down."),
        fingerprint("s", Outcome.SERVER_ERROR, 500, "Disk is full."),
        fingerprint("s", Outcome.SERVER_ERROR, 503, "Database is down."),
        fingerprint("s", Outcome.THROTTLED, 500, "Database is down."),
        fingerprint("t", Outcome.SERVER_ERROR, 500, "Database is down."),
    }
    assert len(kinds) == 5


def test_a_fingerprint_is_stable_and_short() -> None:
    assert fingerprint("s", Outcome.TIMEOUT, None, "") == "v1:2905a5344ecaba68"
    assert fingerprint("s", Outcome.TIMEOUT, None, "\ud800").startswith("v1:")
