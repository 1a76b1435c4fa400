"""The cascade pages: a list by first events, and one cascade, in as many questions however large it is."""

import hashlib
import re
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from deliveries.models import Cascade, Delivery, DoubtedCause, Quarantine, Replay, ReplayItem, Subscription
from tests import make
from tests.callers import browser
from webhooks.ids import public_id
from webhooks.models import Event, EventBody, EventKey

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


def held(count: int) -> tuple[Cascade, list[Event]]:
    root = make.event(type="order.placed", state="routed")
    cause = make.delivery(make.subscription(), root, state="delivered", last_attempt_at=make.now())
    placed: dict[str, Any] = {"trace_id": root.trace_id, "cause_id": cause.pk, "depth": 17, "routed_at": None}
    events = [make.event(type="loop.again", state="quarantined", **placed) for _ in range(count)]
    Quarantine.objects.bulk_create(
        Quarantine(event=each, trace_id=root.trace_id, why="depth") for each in events
    )
    made = Cascade.objects.create(
        trace_id=root.trace_id, root=root, events=1 + count, depth=17, quarantined=count,
        quarantined_at=make.now(),
    )  # fmt: skip
    return made, events


def test_what_waits_in_quarantine_is_shown_with_its_reason_and_let_go_with_one(chief: Client) -> None:
    made, events = held(3)
    cascade(1, make.subscription())
    page = f"{LIST}{made.pk}/"
    words = text(chief.get(page + "change/"))
    assert "3 events of it wait in quarantine" in words and "too deep in its cascade, as in a loop" in words
    assert [line.cascade for line in chief.get(LIST, {"tab": "quarantined"}).context["lines"]] == [made]
    event = f"/admin/webhooks/event/{events[0].pk}/"
    assert "since it is too deep in its cascade" in text(chief.get(event + "change/"))
    assert chief.post(page + "release/", {"reason": " "}).status_code == 200  # it asks again
    assert Event.objects.filter(state="quarantined").count() == 3
    assert chief.post(event + "discard/", {"reason": "a test"}).status_code == 302
    assert chief.post(page + "release/", {"reason": "meant to"}).status_code == 302
    assert sorted(Event.objects.filter(depth=17).values_list("state", flat=True)) == [
        "discarded", "received", "received",
    ]  # fmt: skip
    assert "3 events of it wait" not in text(chief.get(page + "change/"))


def test_who_may_only_look_lets_nothing_go() -> None:
    made, events = held(1)
    viewer = browser("deliveries.view_cascade", "webhooks.view_event", name="vera")
    for page in (f"{LIST}{made.pk}", f"/admin/webhooks/event/{events[0].pk}"):
        assert "/release/" not in viewer.get(f"{page}/change/").content.decode()
        for act in ("release", "discard"):
            assert viewer.post(f"{page}/{act}/", {"reason": "x"}).status_code == 403
    assert Event.objects.filter(state="quarantined").count() == 1


def test_a_doubted_cause_is_told_on_the_events_page(chief: Client) -> None:
    event = make.event(state="routed")
    DoubtedCause.objects.create(event=event, claimed_id=uuid4(), why="foreign")
    words = text(chief.get(f"/admin/webhooks/event/{event.pk}/change/"))
    assert (
        "which was ignored: that delivery went to another subscriber than the one its source belongs to."
        in words
    )


def test_the_tracing_system_is_linked_where_it_is_known(chief: Client, settings: Any) -> None:
    made = cascade(1, make.subscription())
    delivery = Delivery.objects.filter(event=made.root).get()
    pages = [
        f"{LIST}{made.pk}/change/",
        f"/admin/webhooks/event/{made.root_id}/change/",
        f"/admin/deliveries/delivery/{delivery.pk}/change/",
    ]
    settings.HUB_TRACE_URL = "https://traces.example/t/{trace_id}"
    for page in pages:
        assert f'href="https://traces.example/t/{made.pk.hex}"' in chief.get(page).content.decode()
    settings.HUB_TRACE_URL = ""
    for page in pages:
        assert "traces.example" not in chief.get(page).content.decode()


def test_cascades_are_found_by_entity_operation_and_trace(chief: Client) -> None:
    made = cascade(1, make.subscription())
    child = Event.objects.exclude(cause_id=None).get()
    Event.objects.filter(pk=child.pk).update(entity="order 66", operation_id="op-9")
    EventKey.objects.create(
        source_id=child.source_id, kind="operation", digest=hashlib.sha256(b"op-9").digest(),
        event_id=child.pk, body_digest=b"", first_seen_at=make.now(), last_seen_at=make.now(),
    )  # fmt: skip
    for search in ("order 66", "op-9", str(made.pk)):
        assert [line.cascade for line in chief.get(LIST, {"q": search}).context["lines"]] == [made]
    assert (
        chief.get("/admin/go/", {"q": "order 66"})["Location"] == f"/admin/webhooks/event/{child.pk}/change/"
    )
    assert chief.get("/admin/go/", {"q": "op-9"})["Location"] == f"/admin/webhooks/event/{child.pk}/change/"
    assert chief.get("/admin/go/", {"q": made.pk.hex})["Location"] == f"{LIST}{made.pk}/change/"


def test_what_is_dead_below_a_node_is_replayed_from_there(chief: Client) -> None:
    made = cascade(4, make.subscription(), died=2)
    other = cascade(1, make.subscription(name="other"), died=1)
    first = Delivery.objects.get(event=made.root)
    dead = Delivery.objects.filter(state="dead", event__trace_id=made.pk).order_by("pk")
    for node, expected in (
        (public_id("event", made.root_id), list(dead)),
        (public_id("delivery", first.pk), list(dead)),
        (public_id("event", dead[1].event_id), [dead[1]]),
        (public_id("delivery", dead[0].pk), [dead[0]]),
        (public_id("event", other.root_id), list(Delivery.objects.filter(state="dead").exclude(pk__in=dead))),
    ):
        found = chief.get("/admin/deliveries/replay/prepare/", {"below": node, "status": "dead"}).context[
            "found"
        ]
        assert found.count == len(expected)
    page = chief.get(f"{LIST}{made.pk}/change/").content.decode()
    assert f"?below={public_id('event', made.root_id)}&amp;status=dead" in page


def test_a_replay_from_a_node_is_frozen_parents_first(chief: Client) -> None:
    made = cascade(3, make.subscription(), died=3)
    Delivery.objects.filter(event=made.root).update(state="dead")
    for event in Event.objects.all():
        EventBody.objects.get_or_create(
            event=event, defaults={"body": b"{}", "content_type": "", "headers": []}
        )
    said = {"until": int(make.now().timestamp() * 1000), "seen": "4", "reason": "mended", "rate": ""}
    address = f"/admin/deliveries/replay/prepare/?below={public_id('event', made.root_id)}&status=dead"
    assert "Parents first: each event waits until all that lie above it" in text(chief.get(address))
    assert chief.post(address, said).status_code == 302
    items = ReplayItem.objects.order_by("pk").values_list("event__depth", flat=True)
    assert list(items) == [0, 1, 1, 1]
    replay = Replay.objects.get()
    assert (replay.criteria["below"], replay.wave) == ([made.root_id.hex], 0)
    assert "Order parents first" in text(chief.get(f"/admin/deliveries/replay/{replay.pk}/"))


def test_all_below_a_node_is_taken_in_where_it_is_asked_for(chief: Client) -> None:
    made = cascade(3, make.subscription(), died=1)
    narrow = chief.get(
        "/admin/deliveries/replay/prepare/", {"below": public_id("event", made.root_id), "status": "dead"}
    )
    assert "only what is dead is taken in" in text(narrow)
    whole = chief.get(narrow.context["branch"])
    assert (narrow.context["found"].count, whole.context["found"].count) == (1, 4)
    assert "what was delivered, too" in text(whole)
    back = chief.get(whole.context["branch"])
    assert back.context["found"].count == 1
    elsewhere = chief.get("/admin/deliveries/replay/prepare/", {"status": "dead"})
    assert "of the cascade" not in text(elsewhere) and "Oldest first, behind" in text(elsewhere)
