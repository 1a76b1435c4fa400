"""The cascade pages: a list by first events, and one cascade, in as many questions however large it is."""

import re
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from deliveries.models import Cascade, Delivery, Subscription
from tests import make
from tests.callers import browser
from webhooks.ids import public_id
from webhooks.models import Event, EventBody

pytestmark = pytest.mark.django_db

LIST = "/admin/deliveries/cascade/"


@pytest.fixture
def chief() -> Client:
    return browser(is_superuser=True)


def text(answer: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


def cascade(children: int, to: Subscription, *, died: int = 0) -> Cascade:
    """One event whose delivery caused so many, each delivered in its turn, but for those that died."""
    root = make.event(type="order.placed", state="routed")
    first = make.delivery(
        to, root, state="delivered", last_outcome="ok", last_status=200, last_attempt_at=make.now()
    )
    for number in range(children):
        event = make.event(
            type="invoice.issued", state="routed", trace_id=root.trace_id, cause_id=first.pk, depth=1
        )
        state = "dead" if number < died else "delivered"
        make.delivery(to, event, state=state, last_attempt_at=make.now(), last_latency_ms=40)
    return Cascade.objects.create(trace_id=root.trace_id, root=root, events=1 + children, depth=1)


def test_a_cascade_is_summed_up_drawn_and_told_in_rows(chief: Client) -> None:
    made = cascade(3, make.subscription(name="ERP core"), died=1)
    answer = chief.get(f"{LIST}{made.pk}/change/")
    words = text(answer)
    assert "Cascade of order.placed" in words and "4 events, 4 deliveries, 2 levels deep" in words
    assert "Delivered 3" in words and "Dead letter 1" in words
    assert [row.depth for row, _, _ in answer.context["rows"]] == [0, 1, 1, 1]
    page = answer.content.decode()
    for event in Event.objects.all():
        assert f'href="/admin/webhooks/event/{event.pk}/change/"' in page
    for delivery in Delivery.objects.all():
        assert f'href="/admin/deliveries/delivery/{delivery.pk}/change/"' in page


def test_one_of_5_nodes_asks_as_much_as_one_of_400_which_is_grouped_and_paged(chief: Client) -> None:
    to = make.subscription(name="ERP core")
    small, large = cascade(2, to), cascade(200, to, died=2)

    def asked(made: Cascade) -> int:
        with CaptureQueriesContext(connection) as queries:
            chief.get(f"{LIST}{made.pk}/change/")
        return len(queries)

    asked(small)
    assert asked(small) == asked(large)
    answer = chief.get(f"{LIST}{large.pk}/change/")
    assert answer.context["told"].is_grouped and "× 200" in text(answer)
    assert (len(answer.context["rows"]), answer.context["pages"]) == (100, 3)
    assert len(chief.get(f"{LIST}{large.pk}/change/?page=3").context["rows"]) == 1
    assert len(answer.content) < 120_000
    beyond = chief.get(f"{LIST}{large.pk}/change/?page=99&colour=red")
    assert beyond.context["page"] == 3 and "no filter “colour”" in text(beyond)


def test_the_list_is_by_first_events_and_finds_by_any_id_of_its_own(chief: Client) -> None:
    to = make.subscription()
    made = [cascade(1, to, died=number) for number in range(2)]
    answer = chief.get(LIST)
    assert [line.cascade for line in answer.context["lines"]] == made[::-1]
    assert [(some.words, some.number) for some in answer.context["lines"][0].some] == [
        ("Dead letter", 1), ("Delivered", 1),
    ]  # fmt: skip
    child = Event.objects.exclude(cause_id=None).filter(trace_id=made[0].pk).get()
    delivery = Delivery.objects.get(event=child)
    for search in (
        child.external_id,
        public_id("event", child.pk),
        public_id("delivery", delivery.pk),
        made[0].pk.hex,
    ):
        assert [line.cascade for line in chief.get(LIST, {"q": search}).context["lines"]] == [made[0]]
    assert "No cascade has this id" in text(chief.get(LIST, {"q": "nothing"}))


def test_its_pages_follow_each_other_by_key(chief: Client) -> None:
    made = []
    for _ in range(52):
        root = make.event(state="routed")
        made.append(Cascade.objects.create(trace_id=root.trace_id, root=root, events=2, depth=1))
    first = chief.get(LIST)
    assert [line.cascade for line in first.context["lines"]] == made[:1:-1]
    second = chief.get(LIST + first.context["next"])
    assert [line.cascade for line in second.context["lines"]] == made[1::-1]
    back = chief.get(LIST + second.context["previous"])
    assert [line.cascade for line in back.context["lines"]] == made[:1:-1] and not back.context["previous"]


def test_what_does_not_exist_is_404_and_who_may_not_look_is_403(chief: Client) -> None:
    made = cascade(1, make.subscription())
    for key in ("x", uuid4()):
        assert chief.get(f"{LIST}{key}/change/").status_code == 404
    stranger = browser("deliveries.view_delivery", name="bob")
    for page in (LIST, f"{LIST}{made.pk}/change/"):
        assert stranger.get(page).status_code == 403
        assert chief.post(page).status_code == 403
    assert EventBody.objects.count() == Event.objects.count()


def test_without_any_the_page_says_what_it_takes(chief: Client) -> None:
    assert "No event has caused another yet" in text(chief.get(LIST))
