"""Whoever fails for too long is warned of, then disabled; a success, a pause or a person begins anew."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from django.db import Error
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from deliveries import tasks
from deliveries.deciders.endurance import Step, begun, check, ends_at, lead_s, next_step
from deliveries.models import Delivery, Hold, Lane, Notice, Subscription
from deliveries.services import endurance, holds
from deliveries.services.endurance import Looked, contain_failing
from deliveries.services.subscriptions import disable, enable, pause, resume
from tests import make
from tests.endpoints import Endpoint, answers, takes_turns
from tests.running import dispatchers, until
from webhooks.ids import public_id
from webhooks.models import AuditEntry

BEGAN = datetime(2026, 8, 1, 10, tzinfo=UTC)
DAY, HOUR = 86_400, 3_600
FIVE_DAYS = 5 * DAY


def after(seconds: float) -> datetime:
    return BEGAN + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("term_s", "lead"),
    [(60, 12), (HOUR, 720), (FIVE_DAYS, DAY), (FIVE_DAYS - 5, DAY - 1), (30 * DAY, DAY)],
)
def test_the_warning_comes_after_four_fifths_but_at_most_a_day_ahead(term_s: float, lead: float) -> None:
    assert lead_s(term_s) == pytest.approx(lead)


@pytest.mark.parametrize(
    ("seconds", "warned_s", "expected"),
    [
        (4 * DAY - 1, None, Step.LEAVE),
        (4 * DAY, None, Step.WARN),
        (4 * DAY, 4 * DAY, Step.LEAVE),
        (FIVE_DAYS - 1, 4 * DAY, Step.LEAVE),
        (FIVE_DAYS, 4 * DAY, Step.DISABLE),
        (9 * DAY, None, Step.WARN),  # the hub was down meanwhile: nobody is disabled unwarned
        (10 * DAY - 1, 9 * DAY, Step.LEAVE),  # and the warning stands for its whole lead
        (10 * DAY, 9 * DAY, Step.DISABLE),
        (FIVE_DAYS, -1, Step.WARN),  # that warning was of an earlier term
        (4 * DAY - 1, -1, Step.LEAVE),
    ],
)
def test_each_step_at_its_exact_edge(seconds: float, warned_s: float | None, expected: Step) -> None:
    warned_at = None if warned_s is None else after(warned_s)
    step = next_step(term_from=BEGAN, disable_after_s=FIVE_DAYS, warned_at=warned_at, now=after(seconds))
    assert step == expected


def test_zero_is_never() -> None:
    step = next_step(term_from=BEGAN, disable_after_s=0, warned_at=None, now=after(10**9))
    assert step == Step.LEAVE


@pytest.mark.parametrize(("moving_s", "expected_s"), [(None, 0), (-1, 0), (0, 0), (1, 1)])
def test_a_term_begins_with_the_first_fault_or_when_a_person_let_go(
    moving_s: float | None, expected_s: float
) -> None:
    moving_since = None if moving_s is None else after(moving_s)
    assert begun(failing_since=BEGAN, moving_since=moving_since) == after(expected_s)


@pytest.mark.parametrize("term_s", [0, 60, 1e6])
def test_a_term_of_a_minute_or_none_makes_sense(term_s: float) -> None:
    check(term_s)


@pytest.mark.parametrize("term_s", [0.1, 59.9])
def test_a_term_shorter_than_the_look_does_not(term_s: float) -> None:
    with pytest.raises(ValueError, match="Choose at least 60 seconds, or 0 for never."):
        check(term_s)


@given(
    term_s=st.floats(60, 1e7),
    looks=st.lists(st.floats(0, 3e7), min_size=1, max_size=40),
)
def test_whenever_one_looks_a_whole_lead_passes_between_warning_and_end(
    term_s: float, looks: list[float]
) -> None:
    warned_at: datetime | None = None
    for seconds in sorted(looks):
        step = next_step(term_from=BEGAN, disable_after_s=term_s, warned_at=warned_at, now=after(seconds))
        if step is Step.WARN:
            assert warned_at is None
            warned_at = after(seconds)
        if step is Step.DISABLE:
            assert warned_at is not None
            assert after(seconds) >= warned_at + timedelta(seconds=lead_s(term_s))
            assert after(seconds) >= BEGAN + timedelta(seconds=term_s)
            assert after(seconds) >= ends_at(term_from=BEGAN, disable_after_s=term_s, warned_at=warned_at)
            break


def failing(since: datetime = BEGAN, **lane: Any) -> Subscription:
    """A lane that failed and still owes something, which its endpoint does not take."""
    made = make.subscription(**lane.pop("options", {}))
    Lane.objects.filter(pk=made.pk).update(failing_since=since, **lane)
    make.delivery(made)
    return made


def look(seconds: float) -> tuple[int, int]:
    looked = contain_failing(now=after(seconds))
    return looked.warned, looked.disabled


@pytest.mark.django_db
def test_a_lane_is_warned_of_once_and_then_disabled() -> None:
    made = failing()
    delivery = Delivery.objects.get()
    assert [look(4 * DAY - 1), look(4 * DAY), look(4 * DAY + 60), look(FIVE_DAYS - 1)] == [
        (0, 0),
        (1, 0),
        (0, 0),
        (0, 0),
    ]
    warning = Notice.objects.get()
    assert (warning.kind, warning.object_id) == (
        "subscription-failing",
        public_id("subscription", made.pk),
    )
    assert warning.text == (
        "hook of billing has failed without one success since 2026-08-01 10:00:00 UTC and will be disabled"
        " at 2026-08-06 10:00:00 UTC unless an attempt succeeds."
    )
    assert [look(FIVE_DAYS), look(FIVE_DAYS + 60)] == [(0, 1), (0, 0)]
    lane = Lane.objects.get()
    why = "It failed without one success since 2026-08-01 10:00:00 UTC."
    assert (lane.hold, lane.hold_reason, lane.held_at, lane.revision) == (
        Hold.DISABLED, why, after(FIVE_DAYS), 2,
    )  # fmt: skip
    told = Notice.objects.get(kind="subscription-disabled")
    assert told.text == f"hook of billing was disabled. {why}"
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.verb, entry.reason, entry.after) == (
        "weir", "disable", why, {"hold": "disabled"},
    )  # fmt: skip
    assert Delivery.objects.get() == delivery and delivery.state == "pending"


@pytest.mark.django_db
def test_a_success_takes_the_warning_back() -> None:
    failing()
    look(4 * DAY)
    Lane.objects.update(failing_since=None)  # as its owner does
    assert look(FIVE_DAYS) == (0, 0)
    assert Lane.objects.get().warned_at is None
    Lane.objects.update(failing_since=after(6 * DAY))
    assert [look(10 * DAY - 1), look(10 * DAY)] == [(0, 0), (1, 0)]


@pytest.mark.django_db
def test_a_success_between_two_looks_begins_a_new_term() -> None:
    failing()
    look(4 * DAY)
    Lane.objects.update(failing_since=after(4 * DAY + 30))
    assert [look(FIVE_DAYS), look(8 * DAY + 30)] == [(0, 0), (1, 0)]
    assert Lane.objects.get().hold == ""


@pytest.mark.django_db
@pytest.mark.parametrize(
    "meanwhile",
    [
        {"failing_since": None},
        {"failing_since": after(FIVE_DAYS)},
        {"hold": Hold.PAUSED},
        {"held_at": after(FIVE_DAYS)},
        {"warned_at": after(FIVE_DAYS)},
    ],
    ids=["recovered", "recovered and failed again", "paused", "let go", "warned of anew"],
)
def test_a_lane_that_changed_since_it_was_read_is_not_disabled(meanwhile: dict[str, Any]) -> None:
    failing(warned_at=after(4 * DAY))
    (seen,) = endurance._failing()
    Lane.objects.update(**meanwhile)
    assert not holds.disable_failing(lane=seen, now=after(FIVE_DAYS))
    assert Lane.objects.get().hold != Hold.DISABLED
    assert not Notice.objects.exists() and not AuditEntry.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("hold", [Hold.PAUSED, Hold.DISABLED])
def test_a_lane_that_is_held_sends_nothing_and_so_does_not_fail(hold: Hold) -> None:
    failing(hold=hold)
    assert look(100 * DAY) == (0, 0)
    assert not Notice.objects.exists()


@pytest.mark.django_db
def test_a_lane_that_failed_once_and_is_owed_nothing_since_does_not_fail() -> None:
    failing()
    Delivery.objects.update(state="dead", due_at=None)
    assert look(100 * DAY) == (0, 0)
    assert not Notice.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(("hold", "let_go"), [(disable, enable), (pause, resume)])
def test_letting_go_begins_a_fresh_term(hold: Any, let_go: Any) -> None:
    now = make.now()
    made = failing(since=now - timedelta(days=30), warned_at=now - timedelta(days=26))
    hold(subscription_id=made.pk, actor="ada")
    let_go(subscription_id=made.pk, actor="ada")
    assert contain_failing(now=make.now()) == Looked(warned=0, disabled=0)
    assert contain_failing(now=make.now() + timedelta(days=4)) == Looked(warned=1, disabled=0)
    assert Lane.objects.get().hold == ""


@pytest.mark.django_db
def test_each_subscription_has_its_own_term(settings: Settings) -> None:
    settings.HUB_DISABLE_AFTER_S = 0
    never = failing()
    hasty = failing(options={"name": "hasty", "disable_after_s": HOUR})
    assert [look(2_880), look(HOUR)] == [(1, 0), (0, 1)]
    held = dict(Lane.objects.values_list("pk", "hold"))
    assert held == {never.pk: "", hasty.pk: "disabled"}


@pytest.mark.django_db
def test_a_lane_that_never_failed_is_left_alone() -> None:
    make.subscription()
    assert look(100 * DAY) == (0, 0)


@pytest.mark.django_db(transaction=True)
def test_what_the_dispatcher_met_is_what_is_judged(settings: Settings) -> None:
    settings.HUB_EGRESS_ALLOW = [ip_network("127.0.0.0/8")]
    recovers = takes_turns(answers(500), answers(200))
    with Endpoint(recovers) as endpoint, dispatchers():
        made = make.subscription(endpoint.url, retry_delays_s=[0.5], disable_after_s=60)
        delivery, began = make.delivery(made), make.now()
        until(lambda: Lane.objects.get().failing_since)
        assert contain_failing(now=began + timedelta(seconds=47)) == Looked(warned=0, disabled=0)
        until(lambda: Delivery.objects.get(pk=delivery.pk).state == "delivered")
        until(lambda: Lane.objects.get().failing_since is None)
        assert contain_failing(now=began + timedelta(days=1)) == Looked(warned=0, disabled=0)


@pytest.mark.django_db
def test_the_schedule_looks_and_survives_a_database_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ("weir: contain", "deliveries.tasks.contain", 1) in tasks.SCHEDULES
    failing()
    tasks.contain()
    assert Notice.objects.get().kind == "subscription-failing"

    def away(**asked: Any) -> None:
        raise Error("gone")

    monkeypatch.setattr(tasks, "contain_failing", away)
    tasks.contain()
