"""What a subscription was never sent, made before it or not, is found, and made when its turn comes."""

from typing import Any

import pytest
from django.db import connection
from django.db.models import Exists, OuterRef
from django.test import Client
from django.test.utils import CaptureQueriesContext

from deliveries.deciders.delivery_query import DeliveryQuery
from deliveries.deciders.replay_choice import Preset
from deliveries.dispatcher import admission
from deliveries.dispatcher.waiting_items import Share
from deliveries.models import Delivery, Phase, ReplayItem, Subscription
from deliveries.selectors import never_attempted
from tests import make
from tests.callers import browser
from tests.desks import Table
from tests.replaying import start, started
from webhooks.deciders.own import OWN_SOURCE
from webhooks.models import Event, EventBody, Source

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def late() -> Subscription:
    """Made after six events came: three orders, one of them from another source, one dropped by retention."""
    for kind in ("order.paid", "order.created", "user.created", "orders"):
        make.event(type=kind, state="unmatched")
    make.event(type="order.paid", state="routed", source=make.source("forge"))
    gone = make.event(type="order.paid", state="unmatched")
    EventBody.objects.filter(pk=gone.pk).delete()
    make.event(type="order.paid")  # not routed yet: its router will see to it
    return make.subscription(name="late", event_types=["order.*"], source=make.source("shop"))


def query(to: Subscription) -> DeliveryQuery:
    return DeliveryQuery(subscriptions=(to.pk,), since="all")


def test_events_from_before_it_was_made_are_sent_to_it(late: Subscription) -> None:
    replay = started(query(late), preset=Preset.NEVER)
    assert (replay.total, Delivery.objects.count()) == (2, 0)  # each is made when its turn comes
    table = Table()
    table.turn()
    assert [job.row.phase for job in table.jobs] == [Phase.REPLAY] * 2
    table.answer(table.begin())
    replay.refresh_from_db()
    assert (replay.state, replay.delivered) == ("finished", 2)
    types = Delivery.objects.order_by("event_id").values_list("event_type", "state")
    assert list(types) == [("order.paid", "delivered"), ("order.created", "delivered")]
    assert Event.objects.filter(state="routed").count() == 3


def test_what_the_router_would_not_give_it_is_not_sent_to_it_either() -> None:
    own = Source.objects.create(pk=OWN_SOURCE, slug="weir", name="Weir itself")
    for source in (make.source(), own):
        make.event(type="weir.alert.opened", source=source, state="unmatched")
    for options, found in (
        ({"event_types": ["*"]}, set()),
        ({"event_types": ["*", "weir.*"]}, {"weir"}),
        ({"event_types": ["*"], "source": make.source()}, {"shop"}),
    ):
        to = make.subscription(**options)
        start(query(to), preset=Preset.NEVER)
        items = ReplayItem.objects.filter(subscription=to)
        assert set(items.values_list("event__source__slug", flat=True)) == found


def test_its_filter_has_a_say(late: Subscription) -> None:
    Subscription.objects.filter(pk=late.pk).update(filter="data.name == 'Bob'")
    make.event(b'{"data": {"name": "Bob"}}', type="order.paid", state="unmatched")
    assert started(query(late), preset=Preset.NEVER).total == 1


def test_too_many_bodies_for_a_filter_are_not_looked_at(late: Subscription, monkeypatch: Any) -> None:
    Subscription.objects.filter(pk=late.pk).update(filter="data.name == 'Ada'")
    monkeypatch.setattr(never_attempted, "MOST_FILTERED", 1)
    page = _operator().get(f"/admin/deliveries/replay/prepare/?sub={late.pk.hex}&since=all&preset=never")
    assert page.context["trouble"] == (
        "Its filter would have to look at more than 1 events; narrow the time range."
    )


def test_what_was_owed_meanwhile_is_not_sent_twice(late: Subscription) -> None:
    replay = started(query(late), preset=Preset.NEVER)
    event = Event.objects.get(state="unmatched", event_type="order.created")
    make.delivery(late, event, state="delivered", attempts=1)
    table = Table()
    table.turn()
    table.answer(table.begin())
    replay.refresh_from_db()
    assert (replay.state, replay.delivered, replay.skipped) == ("finished", 1, 1)
    assert Delivery.objects.get(event=event).attempts == 1


def test_a_cancelled_one_leaves_no_delivery_behind(late: Subscription) -> None:
    client = _operator()
    started(query(late), preset=Preset.NEVER)
    replay = client.get("/admin/deliveries/replay/").context["rows"][0]["replay"]
    client.post(f"/admin/deliveries/replay/{replay.pk}/do/cancel/")
    assert Delivery.objects.count() == 0


def test_somebody_must_be_named() -> None:
    page = _operator().get("/admin/deliveries/replay/prepare/?preset=never-attempted")
    assert page.context["trouble"].startswith("Choose a subscription first")


def _operator() -> Client:
    return browser(is_superuser=True)


def test_many_are_let_in_by_as_many_statements_as_few() -> None:
    to, holding, asked = make.subscription(), make.seat(), []
    for count in (3, 30):
        for _ in range(count):
            make.event(state="unmatched")
        replay = started(query(to), preset=Preset.NEVER, actor=f"who sends {count}")
        share = Share(replay.pk, to.pk, most=count, read_to=0, wave=None)
        with CaptureQueriesContext(connection) as statements:
            admitted = admission.admit(holding=holding, shares=[share], now=make.now())
        assert admitted.counts == {(replay.pk, to.pk): count}
        of_its_own = Delivery.objects.filter(event_id=OuterRef("event_id"), pk=OuterRef("delivery_id"))
        assert replay.items.filter(Exists(of_its_own), state="admitted").count() == count
        asked.append(len(statements))
    assert asked[0] == asked[1]
