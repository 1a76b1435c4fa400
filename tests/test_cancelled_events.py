"""What was published for later can be taken back before its time: then it goes to nobody, by no way, for good."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.db import connection

from deliveries.deciders.delivery_query import DeliveryQuery
from deliveries.deciders.replay_choice import Choice, Preset
from deliveries.dispatcher import router
from deliveries.dispatcher.routes import Routes
from deliveries.models import Cascade, Delivery, EventTotal
from deliveries.selectors import standing
from deliveries.selectors.never_attempted import never_attempted
from deliveries.services.fan_out import route_again
from deliveries.services.quarantine import release_event
from deliveries.services.retention import drop_expired
from hub import logs
from tests import make
from tests.callers import Caller, with_key
from tests.replaying import start
from webhooks.ids import public_id, uuid7
from webhooks.models import AuditEntry, Event, EventBody, EventKey, Refusal
from webhooks.services.scheduled import CancelVerdict, cancel, release_due

pytestmark = pytest.mark.django_db(transaction=True)

HOME = "/api/v1/events"
DONE = CancelVerdict(is_done=True, sentence="It is cancelled and will not be routed.")
AGAIN = CancelVerdict(is_done=False, sentence="It was cancelled already.")
TOO_LATE = CancelVerdict(
    is_done=False, sentence="Its time had come first, so it cannot be cancelled any more."
)


def later(**ahead: float) -> Event:
    """It waits; without a word, for an hour."""
    return make.event(
        state="scheduled", routed_at=None, deliver_at=make.now() + timedelta(**ahead or {"hours": 1})
    )


def state_of(event: Event) -> str:
    return Event.objects.values_list("state", flat=True).get(pk=event.pk)


def cancelled() -> Event:
    event = later()
    assert cancel(event_id=event.pk, actor="ada", reason="a mistake") == DONE
    return event


def route() -> None:
    router.route(holding=make.seat(), routes=Routes(), now=make.now())


# -- who comes first -------------------------------------------------------------------------------------


def test_it_is_cancelled_with_a_record_and_its_body_stays() -> None:
    event = cancelled()
    event.refresh_from_db()
    assert (event.state, event.routed_at, event.deliver_at is None) == ("cancelled", None, False)
    assert EventBody.objects.filter(pk=event.pk).exists()
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.verb, entry.object_id, entry.reason, entry.before, entry.after) == (
        "ada", "cancel", public_id("event", event.pk), "a mistake", {"state": "scheduled"}, {"state": "cancelled"},
    )  # fmt: skip


def test_it_is_cancelled_once() -> None:
    event = cancelled()
    assert cancel(event_id=event.pk, actor="bob") == AGAIN
    assert AuditEntry.objects.values_list("actor", flat=True).get() == "ada"


def test_whose_time_had_come_first_is_not_cancelled_and_goes_on() -> None:
    make.subscription()
    event = later()
    assert release_due(now=event.deliver_at or make.now()) == 1
    assert cancel(event_id=event.pk, actor="ada") == TOO_LATE
    assert state_of(event) == "received"
    route()
    assert cancel(event_id=event.pk, actor="ada") == TOO_LATE
    assert (state_of(event), Delivery.objects.count()) == ("routed", 1)
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize("state", ["received", "routed", "unmatched", "quarantined", "discarded"])
def test_what_was_not_published_for_later_is_left_alone(state: str) -> None:
    event = make.event(state=state, routed_at=make.now() if state in ("routed", "unmatched") else None)
    said = cancel(event_id=event.pk, actor="ada").sentence
    assert said == "It was not published for later, so there is nothing to cancel."
    assert (state_of(event), AuditEntry.objects.exists()) == (state, False)


def test_what_is_not_there_is_not_cancelled() -> None:
    assert cancel(event_id=uuid7(), actor="ada").sentence == "There is no such event."


def test_of_eight_who_cancel_it_at_once_one_does() -> None:
    event, start = later(), threading.Barrier(8)

    def one(number: int) -> CancelVerdict:
        start.wait()
        try:
            return cancel(event_id=event.pk, actor=f"key {number}")
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        verdicts = list(pool.map(one, range(8)))
    assert sorted(verdicts, key=lambda each: each.sentence) == [DONE, *[AGAIN] * 7]
    assert AuditEntry.objects.count() == 1


def test_each_event_that_falls_due_while_it_is_cancelled_is_either_cancelled_or_routed() -> None:
    events, now = [later(seconds=0) for _ in range(40)], make.now() + timedelta(seconds=1)
    start = threading.Barrier(3)
    released: list[int] = []

    def fall_due() -> None:
        start.wait()
        released.append(release_due(now=now))
        connection.close()

    def take_back(some: list[Event]) -> dict[Any, CancelVerdict]:
        start.wait()
        try:
            return {each.pk: cancel(event_id=each.pk, actor="ada") for each in some}
        finally:
            connection.close()

    with ThreadPoolExecutor(3) as pool:
        halves = [pool.submit(take_back, events[half::2]) for half in range(2)]
        pool.submit(fall_due).result()
        verdicts = halves[0].result() | halves[1].result()
    states = dict(Event.objects.values_list("pk", "state"))
    told = {"cancelled": DONE, "received": TOO_LATE}
    assert verdicts == {each: told[state] for each, state in states.items()}
    assert released == [list(states.values()).count("received")]
    assert AuditEntry.objects.count() == list(states.values()).count("cancelled")


# -- no way leads out ------------------------------------------------------------------------------------


def test_no_time_no_router_and_no_person_sends_it_after_all() -> None:
    event, to = cancelled(), make.subscription()
    assert release_due(now=make.now() + timedelta(days=31)) == 0
    route()
    said = route_again(event_id=event.pk, actor="ada", reason="after all").sentence
    assert said == "It was cancelled before its time had come."
    assert not release_event(event_id=event.pk, actor="ada", reason="after all").is_done
    query = DeliveryQuery(subscriptions=(to.pk,), since="all")
    choice = Choice(query=query, preset="never")
    assert [len(rows) for rows in never_attempted(choice, make.now(), ranks=False)] == [0]
    assert start(query, preset=Preset.NEVER).sentence == "Nothing was chosen."
    assert (state_of(event), Delivery.objects.exists()) == ("cancelled", False)


def test_what_names_it_as_caused_is_no_part_of_a_cascade() -> None:
    cause = make.delivery(make.subscription(), make.event(state="routed"), state="delivered")
    root = cause.event
    Cascade.objects.create(trace_id=root.trace_id, root=root, events=1, depth=0)
    event = make.event(
        state="scheduled", routed_at=None, deliver_at=make.now() + timedelta(hours=1), cause_id=cause.pk
    )
    assert cancel(event_id=event.pk, actor="ada") == DONE
    route()
    told = with_key().get(f"{HOME}/{public_id('event', root.pk)}/cascade").json()
    assert (told["events"], Cascade.objects.get().events) == (1, 1)
    alone = with_key().get(f"{HOME}/{public_id('event', event.pk)}/cascade").json()
    assert [(each["id"], each["state"]) for each in alone["nodes"]] == [
        (public_id("event", event.pk), "cancelled")
    ]


def test_no_counter_and_no_gauge_counts_it() -> None:
    cancelled()
    route()
    assert not EventTotal.objects.exists()
    assert standing.oldest_unrouted_at() is None


def test_retention_drops_it_as_whatever_is_over(settings: Any) -> None:
    cancelled()
    settings.HUB_KEEP_BODIES_DAYS, settings.HUB_KEEP_ROWS_DAYS = 1, 5
    waits = later(days=20)
    drop_expired(now=make.now() + timedelta(days=2))
    assert EventBody.objects.values_list("pk", flat=True).get() == waits.pk
    drop_expired(now=make.now() + timedelta(days=6))
    assert Event.objects.get() == waits


def test_it_is_told_with_who_it_was(capfd: Any, settings: Any) -> None:
    settings.HUB_LOG_LEVEL, settings.HUB_LOG_FORMAT = "info", "json"
    logs.take_stories()
    event = cancelled()
    cancel(event_id=event.pk, actor="bob")
    [line] = [json.loads(line) for line in capfd.readouterr().err.splitlines() if "cancelled" in line]
    assert (line["message"], line["event_id"], line["actor"], line["trace_id"]) == (
        "cancelled", public_id("event", event.pk), "ada", event.trace_id.hex,
    )  # fmt: skip


def test_a_hub_that_goes_back_to_before_keeps_it_as_discarded() -> None:
    event = cancelled()
    import_module("webhooks.migrations.0023_cancel_what_was_published_for_later").discard(apps, None)
    assert state_of(event) == "discarded"


# -- its id stays taken ----------------------------------------------------------------------------------


@pytest.fixture
def caller() -> Caller:
    make.source("shop")
    return with_key()


def said(at: datetime, event_id: str = "e1", **more: Any) -> dict[str, Any]:
    body = {"source": "shop", "event_id": event_id, "event_type": "t", "data": 1}
    return {**body, "deliver_at": at.isoformat(), **more}


def test_published_again_just_so_it_is_a_duplicate_that_says_it_was_cancelled(caller: Caller) -> None:
    body = said(make.now() + timedelta(hours=1))
    first = caller.post(HOME, body).json()
    assert "cancelled" not in caller.post(HOME, body).json()
    assert caller.post(f"{HOME}/{first['id']}/cancel").status_code == 200
    again = caller.post(HOME, body)
    assert (again.status_code, again.json()) == (200, {**first, "status": "duplicate", "cancelled": True})
    assert (Event.objects.get().state, EventKey.objects.get().duplicates) == ("cancelled", 2)


def test_published_again_for_another_time_it_is_a_conflict_and_under_another_id_an_event(
    caller: Caller,
) -> None:
    at = make.now() + timedelta(hours=1)
    name = caller.post(HOME, said(at)).json()["id"]
    caller.post(f"{HOME}/{name}/cancel")
    moved = at + timedelta(hours=1)
    answer = caller.post(HOME, said(moved))
    assert (answer.status_code, answer.json()["code"]) == (409, "id-conflict")
    assert Refusal.objects.get().reason == "id-conflict"
    assert caller.post(HOME, said(moved, "e2")).status_code == 201
    assert list(Event.objects.order_by("pk").values_list("state", flat=True)) == ["cancelled", "scheduled"]


def test_in_a_batch_the_repeats_of_what_was_cancelled_say_so(caller: Caller) -> None:
    at = make.now() + timedelta(hours=1)
    name = caller.post(HOME, said(at)).json()["id"]
    caller.post(HOME, said(at, "e2"))
    caller.post(f"{HOME}/{name}/cancel")
    batch = [said(at), said(at, data=2), said(at, "e2"), said(at, "e3")]
    told = caller.post(f"{HOME}/batch", {"events": batch}).json()["events"]
    assert [(each["status"], each.get("cancelled")) for each in told] == [
        ("duplicate", True), ("conflict", None), ("duplicate", None), ("accepted", None),
    ]  # fmt: skip
