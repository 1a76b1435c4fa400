"""An event that a delivery caused joins that delivery's cascade; what is not so is taken back, and depth is counted."""

import json
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from deliveries.dispatcher import router, seats
from deliveries.dispatcher.routes import Routes
from deliveries.models import Cascade, Delivery
from tests import make
from tests.callers import with_key
from webhooks.deciders.trace_context import parent_of
from webhooks.ids import public_id, uuid7
from webhooks.models import Event, EventBody, Refusal
from webhooks.services.accept import accept
from webhooks.services.sources import create_source

pytestmark = pytest.mark.django_db(transaction=True)

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def route(holding: seats.Holding) -> None:
    router.route(holding=holding, routes=Routes(), now=make.now())


def send(name: str, cause: Delivery) -> Any:
    body = json.dumps({"event_id": name, "event_type": "invoice.issued"})
    trace = {"traceparent": TRACE, "tracestate": f"weir={public_id('delivery', cause.pk)}"}
    return Client().post("/in/billing", body, content_type="application/json", headers=trace)


def test_a_chain_of_three_is_one_cascade(holding: seats.Holding) -> None:
    create_source(name="Billing", slug="billing", actor="ada")
    to, root = make.subscription(), make.event(type="order.placed")
    route(holding)
    first = Delivery.objects.get(event=root)
    assert send("b", first).status_code == 202
    route(holding)
    second = Event.objects.get(external_id="b")
    assert (second.trace_id, second.cause_id, second.depth) == (root.trace_id, first.pk, 1)
    send("c", Delivery.objects.get(event=second, subscription=to))
    route(holding)
    third = Event.objects.get(external_id="c")
    assert (third.trace_id, third.depth) == (root.trace_id, 2)
    cascade = Cascade.objects.get()
    assert (cascade.trace_id, cascade.root_id, cascade.events, cascade.depth) == (
        root.trace_id,
        root.pk,
        3,
        2,
    )


def test_what_nothing_caused_begins_no_cascade(holding: seats.Holding) -> None:
    make.subscription()
    make.event()
    route(holding)
    assert not Cascade.objects.exists()


def test_a_cause_that_does_not_exist_is_taken_back(holding: seats.Holding) -> None:
    forged = make.event(cause_id=uuid7(), depth=9, trace_id=uuid4())
    before = forged.trace_id
    route(holding)
    forged.refresh_from_db()
    assert (forged.cause_id, forged.trace_id) == (None, before)
    assert not Cascade.objects.exists()


def test_depth_and_trace_are_never_believed(holding: seats.Holding) -> None:
    to, root = make.subscription(), make.event(state="routed")
    liar = make.event(cause_id=make.delivery(to, root).pk, depth=700)
    route(holding)
    liar.refresh_from_db()
    assert (liar.depth, liar.trace_id) == (1, root.trace_id)


def test_many_in_one_batch_are_counted_once_each(holding: seats.Holding) -> None:
    to = make.subscription()
    roots = [make.event(state="routed") for _ in range(2)]
    causes = [make.delivery(to, root) for root in roots]
    for cause in (causes[0], causes[0], causes[1]):
        make.event(cause_id=cause.pk)
    route(holding)
    route(holding)
    counted = dict(Cascade.objects.values_list("root_id", "events"))
    assert counted == {roots[0].pk: 3, roots[1].pk: 2}


def test_what_is_published_names_its_cause_too(holding: seats.Holding) -> None:
    create_source(name="Billing", slug="billing", actor="ada")
    cause = make.delivery(make.subscription(), make.event(state="routed"))
    said = {"source": "billing", "event_type": "invoice.issued", "data": {}}
    asked = {"weir-cause": public_id("delivery", cause.pk)}
    assert with_key().post("/api/v1/events", said, headers=asked).status_code == 201
    route(holding)
    assert Event.objects.get(source__slug="billing").cause_id == cause.pk


def test_what_is_refused_for_its_id_and_accepted_after_all_keeps_what_it_followed_from() -> None:
    make.source("billing")
    cause = make.delivery(make.subscription(), make.event(state="routed"))
    mark = f"congo=t61rcWkgMzE,weir={public_id('delivery', cause.pk)},rojo=1"
    caller, asked = with_key(), {"traceparent": TRACE, "tracestate": mark}
    for data, status in ((1, 201), (2, 409)):
        said = {"source": "billing", "event_id": "b", "event_type": "invoice.issued", "data": data}
        assert caller.post("/api/v1/events", said, headers=asked).status_code == status
    kept = Refusal.objects.get()
    assert parent_of(dict(kept.headers)) == parent_of(asked)
    assert accept(refusal_id=kept.pk, actor="eve", reason="two facts", as_own=True).is_done
    bodies = EventBody.objects.exclude(event=cause.event_id).order_by("event_id")
    told = list(bodies.values_list("event__cause_id", "tracestate"))
    assert told == [(cause.pk, "congo=t61rcWkgMzE,rojo=1")] * 2


def test_what_followed_from_nothing_keeps_no_trace_when_it_is_refused_for_its_id() -> None:
    make.source("billing")
    for data in (1, 2):
        said = {"source": "billing", "event_id": "b", "event_type": "invoice.issued", "data": data}
        with_key().post("/api/v1/events", said)
    assert Refusal.objects.get().headers == []
