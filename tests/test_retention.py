"""What is past its retention goes, bodies first; what is still owed stays whole, however old."""

from datetime import timedelta

import pytest

from deliveries.dispatcher import seats
from deliveries.models import (
    Alert,
    AlertMessage,
    Attempt,
    CircuitChange,
    Delivery,
    DeliveryState,
    EntityVersion,
    Exchange,
    Mute,
    Replay,
    ReplayItem,
    Rollup,
    RollupFailure,
    TypeFailure,
    TypeRollup,
)
from deliveries.models.rollup import EVERY, WIDTHS
from deliveries.services.dead_letters import Death, bury
from deliveries.services.replay import replay_delivery
from deliveries.services.retention import KEEP_ROLLUPS_DAYS, drop_expired
from tests import alerting, make
from webhooks.models import Event, EventBody, EventState

pytestmark = pytest.mark.django_db(transaction=True)


def in_days(days: int) -> dict[str, int]:
    """What a run dropped, had it come that many days from now; nothing where nothing was."""
    return {
        name: count for name, count in drop_expired(now=make.now() + timedelta(days=days)).items() if count
    }


def settled(state: DeliveryState) -> Delivery:
    delivery = make.delivery(make.subscription(), state=state, attempts=1, settled_at=make.now())
    attempt = Attempt.objects.create(
        delivery=delivery, number=1, phase=0, started_at=make.now(), duration_ms=1, outcome="ok", status=200
    )
    Exchange.objects.create(attempt=attempt, url="http://x/", request_headers={})
    return delivery


def test_nothing_goes_before_its_time() -> None:
    settled(DeliveryState.DELIVERED)
    assert in_days(29) == {}


def test_bodies_go_first_and_their_rows_stay() -> None:
    settled(DeliveryState.DELIVERED)
    assert in_days(31) == {"event bodies": 1, "exchanges": 1}
    assert (Event.objects.count(), Delivery.objects.count(), Attempt.objects.count()) == (1, 1, 1)


def test_then_the_rows_go() -> None:
    settled(DeliveryState.DELIVERED)
    assert in_days(91) == {"event bodies": 1, "exchanges": 1, "deliveries": 1, "events": 1}
    assert Attempt.objects.count() == 0


@pytest.mark.parametrize("state", [DeliveryState.DEAD, DeliveryState.PENDING])
def test_what_is_owed_or_dead_keeps_its_body_and_its_story(state) -> None:
    settled(state)
    assert in_days(400) == {}
    assert (EventBody.objects.count(), Exchange.objects.count()) == (1, 1)


def test_an_unresolved_dead_letter_of_any_age_can_be_replayed(settings) -> None:
    delivery = settled(DeliveryState.DEAD)
    death = Death(
        delivery_id=delivery.pk,
        subscription_id=delivery.subscription_id,
        reason="exhausted",
        fingerprint="v1:f",
        status=503,
        error="",
    )
    bury(deaths=[death], now=make.now())
    in_days(400)
    seats.sit()
    assert replay_delivery(delivery_id=delivery.pk, actor="test").is_done


@pytest.mark.parametrize("state", [EventState.RECEIVED, EventState.QUARANTINED])
def test_an_event_that_waits_to_be_routed_stays(state) -> None:
    make.event(state=state, routed_at=None)
    assert in_days(400) == {}


def test_an_event_nobody_wanted_goes_with_the_rest() -> None:
    make.event(state=EventState.UNMATCHED)
    assert in_days(91) == {"event bodies": 1, "events": 1}


@pytest.mark.parametrize(("width_s", "days"), [(60, 2), (900, 8), (3600, 396), (86_400, 396)])
def test_slices_go_the_narrower_the_sooner(width_s, days) -> None:
    for width in WIDTHS:
        which = {"width_s": width, "starts_at": make.now()}
        Rollup.objects.create(**which, subscription_id=EVERY)
        TypeRollup.objects.create(**which, event_type="order.placed")
        kind = {**which, "outcome": "timeout", "status": 0}
        RollupFailure.objects.create(**kind, subscription_id=EVERY)
        TypeFailure.objects.create(**kind, event_type="order.placed")
    in_days(days - 1)
    assert Rollup.objects.filter(width_s=width_s).exists()
    in_days(days + 1)
    for model in (Rollup, RollupFailure, TypeRollup, TypeFailure):
        left = set(model.objects.values_list("width_s", flat=True))
        assert left == {width for width, kept in KEEP_ROLLUPS_DAYS.items() if kept > days}


def test_versions_and_circuit_changes_go_with_the_rows() -> None:
    lane = make.subscription()
    EntityVersion.objects.create(subscription=lane, entity="order 7", version=3)
    CircuitChange.objects.create(subscription=lane, before="closed", after="open", why="It failed.")
    assert in_days(89) == {}
    assert in_days(91) == {"entity versions": 1, "circuit changes": 1}


def test_a_version_is_remembered_while_its_lane_owes_something_as_old() -> None:
    owed = settled(DeliveryState.PENDING)
    EntityVersion.objects.create(subscription=owed.subscription, entity="order 7", version=3)
    assert in_days(91) == {}
    assert EntityVersion.objects.count() == 1


def test_what_a_replay_still_wants_is_kept_and_a_replay_itself_for_ever() -> None:
    waiting, done = settled(DeliveryState.DELIVERED), settled(DeliveryState.DELIVERED)
    over = Replay.objects.create(
        ordered_by="ada", state="finished", total=1, delivered=1, finished_at=make.now()
    )
    paused = Replay.objects.create(ordered_by="ada", state="paused", total=1)
    for replay, delivery, state in ((over, done, "delivered"), (paused, waiting, "waiting")):
        ReplayItem.objects.create(
            replay=replay, event_id=delivery.event_id, subscription_id=delivery.subscription_id,
            delivery=delivery, state=state,
        )  # fmt: skip
    gone = in_days(91)
    assert (gone["replay items"], gone["deliveries"], gone["events"], gone["event bodies"]) == (1, 1, 1, 1)
    assert Delivery.objects.get() == waiting
    assert EventBody.objects.get().event_id == waiting.event_id
    over.refresh_from_db()
    assert (over.total, over.delivered, Replay.objects.count()) == (1, 1, 2)


def test_what_a_cancelled_replay_did_not_give_back_is_given_back() -> None:
    delivery = settled(DeliveryState.DEAD)
    replay = Replay.objects.create(ordered_by="ada", state="cancelled", total=1, finished_at=make.now())
    ReplayItem.objects.create(
        replay=replay, event_id=delivery.event_id, subscription_id=delivery.subscription_id, delivery=delivery
    )
    assert in_days(1) == {"items of cancelled replays": 1}
    replay.refresh_from_db()
    assert (replay.returned, ReplayItem.objects.count()) == (1, 0)


def test_closed_alerts_go_with_their_messages_and_open_ones_stay() -> None:
    told = {"channel": alerting.channel(), "kind": "opened", "severity": "warning", "title": "x", "text": "x"}
    for scope, closed_at in (("a", make.now()), ("b", None)):
        alert = Alert.objects.create(rule="success", scope=scope, summary="It fails.", closed_at=closed_at)
        AlertMessage.objects.create(alert=alert, due_at=make.now(), **told)
    Mute.objects.create(rule="success", until=make.now(), reason="x", muted_by="ada")
    assert in_days(89) == {}
    assert in_days(91) == {"alerts": 1, "mutes": 1}
    assert list(AlertMessage.objects.values_list("alert__scope", flat=True)) == ["b"]
