"""A cascade that goes too far is set aside, stored and not routed, until a person releases or discards it."""

import asyncio
import json
import threading
from collections.abc import Callable
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from django.db import connection, connections
from django.test import Client

from deliveries.dispatcher import router, seats
from deliveries.dispatcher.routes import Routes
from deliveries.models import Cascade, Delivery, DoubtedCause, Notice, Quarantine, Subscription
from deliveries.services import quarantine
from deliveries.services.retention import drop_expired
from tests import make
from tests.endpoints import Behaviour, Endpoint, Request, answers
from tests.running import dispatchers, until
from webhooks.ids import uuid7
from webhooks.models import AuditEntry, Event, Source

pytestmark = pytest.mark.django_db(transaction=True)

SAID: dict[str, Any] = {"actor": "ada", "reason": "it is meant to"}


@pytest.fixture(autouse=True)
def limits(settings) -> None:
    settings.HUB_CASCADE_DEPTH, settings.HUB_CASCADE_BUDGET = 3, 5


def route(holding: seats.Holding) -> None:
    while router.route(holding=holding, routes=Routes(), now=make.now()).events:
        pass


def caused(count: int, *, at_depth: int = 0, to: Subscription | None = None) -> tuple[Delivery, list[Event]]:
    """So many events, received, which one delivery of an event at this depth caused."""
    root = make.event(state="routed", depth=at_depth)
    cause = make.delivery(to or make.subscription(), root, state="delivered")
    return cause, [make.event(cause_id=cause.pk) for _ in range(count)]


def states(events: list[Event]) -> list[str]:
    found = dict(Event.objects.filter(pk__in=[each.pk for each in events]).values_list("pk", "state"))
    return [found[each.pk] for each in events]


def test_what_is_too_deep_is_stored_and_not_routed(holding: seats.Holding) -> None:
    cause, [within] = caused(1, at_depth=2)
    deeper, [beyond] = caused(1, at_depth=3)
    route(holding)
    assert states([within, beyond]) == ["routed", "quarantined"]
    assert not Delivery.objects.filter(event=beyond).exists()
    held = Quarantine.objects.get()
    assert (held.event_id, held.trace_id, held.why, held.fate) == (
        beyond.pk, deeper.event.trace_id, "depth", "waiting",
    )  # fmt: skip
    cascade = Cascade.objects.get(pk=deeper.event.trace_id)
    assert (cascade.events, cascade.depth, cascade.quarantined, cascade.budget_spent) == (2, 4, 1, 0)
    assert Cascade.objects.get(pk=cause.event.trace_id).quarantined_at is None


def test_what_exceeds_the_budget_waits_and_a_person_is_told_once(holding: seats.Holding) -> None:
    cause, events = caused(7)
    route(holding)
    later = make.event(cause_id=cause.pk)
    route(holding)
    assert states([*events, later]) == ["routed"] * 5 + ["quarantined"] * 3
    cascade = Cascade.objects.get()
    assert (cascade.events, cascade.quarantined, cascade.budget_spent) == (9, 3, 5)
    notice = Notice.objects.get()
    assert (notice.kind, notice.object_id) == ("cascade-quarantined", str(cause.event.trace_id))
    assert notice.text == (
        "A cascade runs away. It made more than 5 events within 600 s. "
        "What exceeds that is stored and not routed; it waits for a person."
    )


def test_another_cascade_has_a_budget_of_its_own(holding: seats.Holding) -> None:
    _, events = caused(6)
    _, others = caused(2)
    route(holding)
    assert states([*events, *others]) == ["routed"] * 5 + ["quarantined"] + ["routed"] * 2


def test_a_new_window_is_a_new_budget(holding: seats.Holding, settings) -> None:
    cause, _ = caused(5)
    route(holding)
    Cascade.objects.update(budget_from=make.now() - timedelta(seconds=settings.HUB_CASCADE_WINDOW_S))
    later = make.event(cause_id=cause.pk)
    route(holding)
    assert states([later]) == ["routed"]


def test_a_released_cascade_is_routed_with_a_fresh_budget(holding: seats.Holding) -> None:
    cause, events = caused(8)
    route(holding)
    verdict = quarantine.release_cascade(trace_id=cause.event.trace_id, **SAID)
    assert (verdict.moved, verdict.sentence) == (3, "3 events are released and will be routed.")
    more = [make.event(cause_id=cause.pk) for _ in range(6)]
    route(holding)
    assert states([*events, *more]) == ["routed"] * 8 + ["routed"] * 5 + ["quarantined"]
    cascade = Cascade.objects.get()
    assert (cascade.events, cascade.quarantined, cascade.budget_spent) == (15, 1, 5)
    assert Notice.objects.count() == 2  # it ran away again
    entry = AuditEntry.objects.get()
    assert (entry.verb, entry.object_id, entry.count, entry.reason) == (
        "release-quarantine", cause.event.trace_id.hex, 3, "it is meant to",
    )  # fmt: skip
    assert not quarantine.release_cascade(trace_id=make.source().pk, **SAID).is_done


def test_one_is_released_or_discarded_alone_and_only_once(holding: seats.Holding) -> None:
    cause, events = caused(7)
    route(holding)
    assert quarantine.release_event(event_id=events[5].pk, **SAID).sentence == (
        "1 event is released and will be routed."
    )
    assert quarantine.discard_event(event_id=events[6].pk, **SAID).sentence == "1 event is discarded."
    for again in (quarantine.release_event, quarantine.discard_event):
        assert again(event_id=events[6].pk, **SAID).sentence == "It is not in quarantine."
    route(holding)
    assert states(events[5:]) == ["routed", "discarded"]
    cascade = Cascade.objects.get()
    assert (cascade.events, cascade.quarantined, cascade.quarantined_at) == (8, 0, None)
    assert list(Quarantine.objects.order_by("pk").values_list("fate", flat=True)) == ["released", "discarded"]
    assert AuditEntry.objects.count() == 2


def test_a_whole_cascade_is_discarded_in_batches(
    holding: seats.Holding, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine, "BATCH", 2)
    cause, events = caused(10)
    route(holding)
    assert quarantine.discard_cascade(trace_id=cause.event.trace_id, **SAID).moved == 5
    assert states(events[5:]) == ["discarded"] * 5
    assert (AuditEntry.objects.get().count, Cascade.objects.get().quarantined) == (5, 0)


def test_what_could_not_be_routed_is_released_to_be_tried_again(
    holding: seats.Holding, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = make.event()
    with monkeypatch.context() as broken:
        broken.setattr(router, "insert", lambda *_: 1 / 0)
        router.route(holding=holding, routes=Routes(), now=make.now())
    assert (states([event]), Quarantine.objects.get().why) == (["quarantined"], "unroutable")
    assert quarantine.release_event(event_id=event.pk, **SAID).is_done
    route(holding)
    assert states([event]) == ["unmatched"]


def test_one_that_was_released_and_cannot_be_routed_is_one_more_that_waits(
    holding: seats.Holding, monkeypatch: pytest.MonkeyPatch
) -> None:
    cause, events = caused(7)
    route(holding)
    quarantine.release_event(event_id=events[5].pk, **SAID)
    with monkeypatch.context() as broken:
        broken.setattr(router, "insert", lambda *_: 1 / 0)
        router.route(holding=holding, routes=Routes(), now=make.now())
    assert Quarantine.objects.get(pk=events[5].pk).why == "unroutable"
    waiting = Cascade.objects.values_list("events", "quarantined")
    assert waiting.get() == (8, 2)
    quarantine.discard_event(event_id=events[5].pk, **SAID)
    assert waiting.get() == (8, 1)  # the other one is there still
    assert quarantine.release_cascade(trace_id=cause.event.trace_id, **SAID).moved == 1
    assert waiting.get() == (8, 0)


def test_a_cascade_of_which_something_waits_outlives_its_first_event(holding: seats.Holding) -> None:
    cause, events = caused(6)
    route(holding)
    Delivery.objects.update(state="delivered", due_at=None, settled_at=make.now())
    later = make.now() + timedelta(days=91)
    drop_expired(now=later)
    cascade = Cascade.objects.get()
    assert (cascade.root_id, cascade.quarantined, states(events[5:])) == (
        cause.event_id, 1, ["quarantined"],
    )  # fmt: skip
    assert quarantine.discard_cascade(trace_id=cascade.pk, **SAID).moved == 1
    drop_expired(now=later)
    assert not Event.objects.exists() and not Cascade.objects.exists()


def test_two_dispatchers_count_one_budget(settings) -> None:
    settings.HUB_CASCADE_BUDGET = 40
    cause, _ = caused(0)
    seats_there = 2 if _is_postgresql() else 1
    settings.HUB_SEATS = seats_there
    events: list[Event] = []
    with dispatchers(seats_there):
        for _ in range(60):
            events.append(make.event(cause_id=cause.pk))
        until(lambda: not Event.objects.filter(state="received").exists())
    assert sorted(states(events)) == ["quarantined"] * 20 + ["routed"] * 40
    cascade = Cascade.objects.get()
    assert (cascade.events, cascade.quarantined, cascade.budget_spent) == (61, 20, 40)


def test_a_doubted_cause_is_noted_and_the_event_goes_its_own_way(holding: seats.Holding) -> None:
    owner = make.subscriber("warehouse")
    source = make.source("warehouse")
    Source.objects.filter(pk=source.pk).update(subscriber=owner)
    source.refresh_from_db()
    theirs = make.delivery(make.subscription(subscriber=make.subscriber("billing")), state="delivered")
    ours = make.delivery(make.subscription(subscriber=owner), state="delivered")
    claims = [theirs.pk, uuid7(), ours.pk]
    events = [make.event(source=source, cause_id=each) for each in claims]
    route(holding)
    noted = {each.event_id: (each.claimed_id, each.why) for each in DoubtedCause.objects.all()}
    assert noted == {
        events[0].pk: (theirs.pk, "foreign"),
        events[1].pk: (claims[1], "unknown"),
    }
    for event in events:
        event.refresh_from_db()
    assert [(event.cause_id, event.depth) for event in events] == [(None, 0), (None, 0), (ours.pk, 1)]
    assert states(events) == ["routed"] * 3


def test_a_loop_of_two_services_ends_by_itself(settings) -> None:
    """A tells Weir, Weir tells B, B tells Weir, Weir tells A: both over HTTP, by trace context alone."""
    settings.HUB_CASCADE_DEPTH, settings.HUB_CASCADE_BUDGET = 16, 1_000
    settings.HUB_EGRESS_ALLOW = [ip_network("127.0.0.0/8")]
    for slug in ("a", "b"):
        make.source(slug)
    with Endpoint(_tells("a")) as a, Endpoint(_tells("b")) as b:
        make.subscription(a.url, name="A", source=make.source("b"))
        make.subscription(b.url, name="B", source=make.source("a"))
        assert _tell("a", {}) == 202
        with dispatchers():
            until(lambda: Event.objects.filter(state="quarantined").exists())
            until(lambda: not Delivery.objects.filter(state="pending").exists())
        assert (len(a.requests), len(b.requests)) == (8, 9)  # 17 events were told, at depths 0 to 16
    cascade = Cascade.objects.get()
    assert (cascade.events, cascade.depth, cascade.quarantined) == (18, 17, 1)
    assert not Event.objects.filter(state="received").exists()
    assert Quarantine.objects.get().why == "depth"


def _is_postgresql() -> bool:
    return connection.vendor == "postgresql"


def _tell(slug: str, headers: dict[str, str]) -> int:
    body = json.dumps({"event_id": uuid7().hex, "event_type": "ping"})
    return Client().post(f"/in/{slug}", body, content_type="application/json", headers=headers).status_code


def _tells(slug: str) -> Behaviour:
    """A service that passes on what it was told, with the trace context of the request."""

    async def behave(request: Request, writer: asyncio.StreamWriter) -> None:
        passed = {name: request.headers[name] for name in ("traceparent", "tracestate")}
        await _beside(lambda: _tell(slug, passed))
        await answers(204)(request, writer)

    return behave


async def _beside(act: Callable[[], int]) -> None:
    """In a thread of its own, with a database connection of its own that is closed after it."""
    done = asyncio.get_running_loop().create_future()

    def run() -> None:
        try:
            act()
        finally:
            connections.close_all()
            done.get_loop().call_soon_threadsafe(done.set_result, None)

    threading.Thread(target=run).start()
    await done
