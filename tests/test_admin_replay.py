"""Replaying from the console: one at a click that can be undone, several when asked, recorded, by those who may."""

import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db.models import F
from django.test import Client
from django.urls import reverse

from deliveries.deciders.undoing import UNDO_FOR
from deliveries.models import Attempt, Delivery, Hold, Lane
from tests import make
from tests.callers import browser
from webhooks.models import AuditEntry

pytestmark = pytest.mark.django_db

ACT = "admin:deliveries_delivery_act"
LIST = "/admin/deliveries/delivery/"


@pytest.fixture
def operator() -> Client:
    return browser("deliveries.view_delivery", "deliveries.view_attempt", "deliveries.replay_delivery")


@pytest.fixture
def viewer() -> Client:
    return browser("deliveries.view_delivery", name="bob")


def dead(**options: Any) -> Delivery:
    return make.delivery(options.pop("to", None) or make.subscription(), state="dead", **options)


def page(kind: str, delivery: Delivery) -> str:
    return reverse(f"admin:deliveries_delivery_{kind}", args=[delivery.pk])


def states() -> list[str]:
    return list(Delivery.objects.order_by("pk").values_list("state", flat=True))


def said(answer: Any) -> list[str]:
    return [str(message) for message in answer.context["messages"]]


def text(answer: Any) -> str:
    """What a page says, without its tags."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", answer.content.decode())).split())


def replayed_at(delivery: Delivery) -> str:
    """How the button names the replay that it undoes."""
    return Delivery.objects.get(pk=delivery.pk).budget_at.isoformat()


def undo(client: Client, delivery: Delivery, **more: Any) -> Any:
    asked = {"replayed_at": replayed_at(delivery)} | more
    return client.post(page("undo", delivery), asked, follow=True)


def test_the_page_offers_replay_to_those_who_may(operator: Client, viewer: Client) -> None:
    delivery = dead()
    assert page("replay", delivery) in operator.get(page("change", delivery)).content.decode()
    assert page("replay", delivery) not in viewer.get(page("change", delivery)).content.decode()


def test_one_click_replays_in_five_seconds_and_is_recorded(operator: Client) -> None:
    delivery = dead()
    answer = operator.post(page("replay", delivery), follow=True)
    assert answer.redirect_chain == [(page("change", delivery), 302)]
    assert "Replayed user.created to hook. It will be sent in 5 s. Undo" in text(answer)
    row = Delivery.objects.get()
    assert (row.state, row.due_at) == ("pending", row.budget_at + timedelta(seconds=5))
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.verb, entry.reason, entry.user and entry.user.username) == (
        "ada",
        "replay",
        "",
        "ada",
    )
    assert LogEntry.objects.get().get_change_message() == "Replayed."


def test_the_page_has_the_way_back_beside_the_state_as_long_as_it_is_open(
    operator: Client, viewer: Client
) -> None:
    delivery = dead()
    operator.post(page("replay", delivery))
    operator.get(page("change", delivery))  # with what was said after the click
    shown = operator.get(page("change", delivery))
    assert re.search(r'data-left-ms="4\d{3}"', shown.content.decode())
    assert page("undo", delivery) in shown.content.decode() and "Retry at once" not in text(shown)
    assert page("undo", delivery) not in viewer.get(page("change", delivery)).content.decode()
    Delivery.objects.update(due_at=F("due_at") - UNDO_FOR, budget_at=F("budget_at") - UNDO_FOR)
    assert page("undo", delivery) not in operator.get(page("change", delivery)).content.decode()


def test_an_undo_puts_it_back_and_is_recorded(operator: Client) -> None:
    delivery = dead()
    operator.post(page("replay", delivery))
    answer = undo(operator, delivery)
    assert said(answer)[-1] == "Undone. It is dead as before; nothing was sent."
    assert answer.redirect_chain == [(page("change", delivery), 302)]
    assert states() == ["dead"]
    assert list(AuditEntry.objects.order_by("pk").values_list("actor", "verb")) == [
        ("ada", "replay"),
        ("ada", "undo"),
    ]
    assert [entry.get_change_message() for entry in LogEntry.objects.order_by("pk")] == [
        "Replayed.",
        "Replay undone.",
    ]


def test_an_undo_that_came_too_late_is_told_in_one_sentence(operator: Client) -> None:
    delivery = dead()
    operator.post(page("replay", delivery))
    at = replayed_at(delivery)
    sent_at = make.now().replace(microsecond=0)
    Attempt.objects.create(
        delivery=delivery,
        number=1,
        phase=2,
        started_at=sent_at + UNDO_FOR,
        duration_ms=1,
        outcome="ok",
        status=200,
    )
    Delivery.objects.update(state="delivered", due_at=None, attempts=1, settled_at=make.now())
    answer = undo(operator, delivery, replayed_at=at)
    assert said(answer)[-1] == f"Too late: it was sent at {sent_at + UNDO_FOR:%H:%M:%S} UTC."
    assert states() == ["delivered"]
    assert (AuditEntry.objects.filter(verb="undo").count(), LogEntry.objects.count()) == (0, 1)


def test_in_a_held_lane_it_says_why_it_waits_and_can_be_undone_all_the_while(operator: Client) -> None:
    delivery = dead()
    Lane.objects.update(hold=Hold.PAUSED)
    answer = operator.post(page("replay", delivery), follow=True)
    assert "It is pending, and waits because its subscription is paused. Undo" in text(answer)
    Delivery.objects.update(due_at=F("due_at") - UNDO_FOR, budget_at=F("budget_at") - UNDO_FOR)
    assert "It waits for its lane. Undo" in text(operator.get(page("change", delivery)))


def test_a_second_click_is_told(operator: Client) -> None:
    delivery = dead()
    operator.post(page("replay", delivery))
    answer = operator.post(page("replay", delivery), follow=True)
    assert said(answer)[-1].startswith("It is pending already; its next attempt is due at ")
    assert (AuditEntry.objects.count(), LogEntry.objects.count()) == (1, 1)


@pytest.mark.parametrize("door", ["replay", "undo"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_without_the_permission_nothing_is_replayed_or_undone(viewer: Client, method: str, door: str) -> None:
    delivery = dead()
    assert getattr(viewer, method)(page(door, delivery)).status_code == 403
    assert (states(), AuditEntry.objects.count()) == (["dead"], 0)


@pytest.mark.parametrize("door", ["replay", "undo"])
def test_looking_at_the_address_does_nothing(operator: Client, door: str) -> None:
    delivery = dead()
    assert operator.get(page(door, delivery)).status_code == 403
    assert (states(), AuditEntry.objects.count()) == (["dead"], 0)


@pytest.mark.parametrize("door", ["replay", "undo"])
def test_a_stranger_is_sent_to_the_door(client: Client, door: str) -> None:
    delivery = dead()
    assert client.post(page(door, delivery)).status_code == 302
    assert states() == ["dead"]


@pytest.mark.parametrize("door", ["replay", "undo"])
def test_without_a_token_nothing_is_replayed_or_undone(door: str) -> None:
    browser("deliveries.replay_delivery")
    delivery, strict = dead(), Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.get(username="ada"))
    assert strict.post(page(door, delivery)).status_code == 403
    assert states() == ["dead"]


@pytest.mark.parametrize("door", ["replay", "undo"])
def test_what_is_not_there_is_404(operator: Client, door: str) -> None:
    delivery = dead()
    address = page(door, delivery)
    Delivery.objects.all().delete()
    assert operator.post(address).status_code == 404


@pytest.mark.parametrize("at", ["", "yesterday", "9" * 50])
def test_which_replay_must_be_said(operator: Client, at: str) -> None:
    delivery = dead()
    operator.post(page("replay", delivery))
    assert operator.post(page("undo", delivery), {"replayed_at": at}).status_code == 400
    assert states() == ["pending"]


@pytest.mark.parametrize("at", ["2020-01-01", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59"])
def test_a_replay_that_never_was_is_not_undone(operator: Client, at: str) -> None:
    delivery = dead()
    operator.post(page("replay", delivery))
    assert said(undo(operator, delivery, replayed_at=at))[-1] == "There is no such replay to undo."
    assert states() == ["pending"]


def in_row(act: str, delivery: Delivery) -> str:
    """From the list on, since every row has one."""
    return f'formaction="{delivery.pk}/{act}/"'


def test_from_the_list_it_goes_back_to_the_list_as_it_was_filtered(operator: Client) -> None:
    delivery = dead()
    kept = "status=dead&type=user.*&rubbish=1"
    listed = operator.get(LIST + "?status=dead&type=user.*")
    assert in_row("replay", delivery) in listed.content.decode()
    answer = operator.post(page("replay", delivery), {"kept": kept}, follow=True)
    assert answer.redirect_chain == [(LIST + "?status=dead&type=user.*", 302)]
    assert "No delivery matches these filters." in text(answer)
    assert "Replayed user.created to hook. It will be sent in 5 s. Undo" in text(answer)
    assert undo(operator, delivery, kept="status=dead").redirect_chain == [(LIST + "?status=dead", 302)]


def test_a_row_offers_the_way_back_in_the_place_of_the_way_there(operator: Client, viewer: Client) -> None:
    delivery = dead()
    operator.post(page("replay", delivery), {"kept": ""}, follow=True)
    listed = operator.get(LIST).content.decode()
    assert page("undo", delivery) in listed and in_row("replay", delivery) not in listed
    seen = viewer.get(LIST).content.decode()
    assert page("undo", delivery) not in seen and 'id="once"' not in seen


def test_the_tail_offers_both_too(operator: Client) -> None:
    first, delivery = dead(), dead()
    newer = reverse("admin:deliveries_delivery_newer") + f"?after={first.pk.hex}"
    assert in_row("replay", delivery) in operator.get(newer).json()["rows"]
    operator.post(page("replay", delivery))
    assert page("undo", delivery) in operator.get(newer).json()["rows"]


def test_a_name_that_is_a_script_is_text_in_what_is_said(operator: Client) -> None:
    delivery = dead(to=make.subscription(name="<script>alert(1)</script>"))
    answer = operator.post(page("replay", delivery), follow=True)
    assert "<script>alert(1)" not in answer.content.decode()


def choose(client: Client, *deliveries: Delivery, verb: str = "replay", **more: Any) -> Any:
    chosen = {"verb": verb, "chosen": [each.pk.hex for each in deliveries], **more}
    return client.post(reverse(ACT), chosen, follow=True)


def test_a_selection_is_asked_about_and_then_replayed(operator: Client) -> None:
    to = make.subscription()
    first, _, third = dead(to=to), dead(to=to), dead(to=to)
    assert "Replay 2 deliveries?" in choose(operator, first, third).content.decode()
    assert states() == ["dead", "dead", "dead"]
    answer = choose(operator, first, third, post="yes", reason="mended")
    assert said(answer) == ["Replayed 2. It is due now."]
    assert states() == ["pending", "dead", "pending"]
    assert AuditEntry.objects.filter(reason="mended").count() == 2


def test_more_than_one_needs_a_reason(operator: Client) -> None:
    to = make.subscription()
    answer = choose(operator, dead(to=to), dead(to=to), post="yes", reason=" ")
    assert said(answer) == ["Say why: a reason is needed."]
    assert "Replay 2 deliveries?" in answer.content.decode()
    assert (states(), AuditEntry.objects.count()) == (["dead", "dead"], 0)


def test_afterwards_the_list_has_its_filters_again(operator: Client) -> None:
    answer = choose(operator, dead(), post="yes", reason="x", kept="status=dead&type=user.*&rubbish=1")
    assert answer.redirect_chain == [("/admin/deliveries/delivery/?status=dead&type=user.*", 302)]


def test_of_a_selection_what_cannot_be_replayed_is_left_out_and_said(operator: Client) -> None:
    to = make.subscription()
    answer = choose(operator, dead(to=to), make.delivery(to), post="yes", reason="mended")
    assert said(answer)[0] == "Replayed 1. It is due now."
    assert said(answer)[1].startswith("Left out 1. It is pending already")


def test_more_than_a_hundred_at_once_are_refused(operator: Client) -> None:
    to = make.subscription()
    make.deliveries(to, 101)
    Delivery.objects.update(state="dead", due_at=None)
    answer = choose(operator, *Delivery.objects.all(), post="yes", reason="x")
    assert said(answer) == ["Choose at most 100 deliveries at once."]
    assert not Delivery.objects.filter(state="pending").exists()


@pytest.mark.parametrize("chosen", [[], ["x"], ["0" * 32]])
def test_a_selection_of_nothing_is_said(operator: Client, chosen: list[str]) -> None:
    answer = operator.post(reverse(ACT), {"verb": "replay", "chosen": chosen, "post": "yes"}, follow=True)
    assert said(answer) == ["No delivery was chosen."]


@pytest.mark.parametrize("verb", ["replay", "discard", "", "delete"])
def test_a_viewer_may_do_nothing_to_a_selection(viewer: Client, verb: str) -> None:
    assert choose(viewer, dead(), verb=verb, post="yes", reason="x").status_code == 403
    assert (states(), AuditEntry.objects.count()) == (["dead"], 0)


def test_to_replay_is_not_to_discard(operator: Client) -> None:
    delivery = dead()
    assert choose(operator, delivery, verb="discard", post="yes", reason="x").status_code == 403
    assert operator.post(page("discard", delivery), {"post": "yes", "reason": "x"}).status_code == 403
    assert (states(), AuditEntry.objects.count()) == (["dead"], 0)


@pytest.fixture
def chief() -> Client:
    return browser(is_superuser=True, name="eve")


def test_discarding_asks_for_a_reason_and_is_recorded(chief: Client) -> None:
    delivery = dead()
    assert "Discard 1 delivery?" in chief.get(page("discard", delivery)).content.decode()
    assert said(chief.post(page("discard", delivery), {"post": "yes"})) == ["Say why: a reason is needed."]
    assert states() == ["dead"]
    answer = chief.post(page("discard", delivery), {"post": "yes", "reason": "a test"}, follow=True)
    assert said(answer) == ["Discarded 1. It is discarded and will not be sent."]
    assert states() == ["discarded"]
    entry = AuditEntry.objects.get(verb="discard")
    assert (entry.actor, entry.reason) == ("eve", "a test")
    assert LogEntry.objects.get().get_change_message() == "Discarded."


def test_a_selection_is_discarded(chief: Client) -> None:
    to = make.subscription()
    choose(chief, dead(to=to), make.delivery(to), verb="discard", post="yes", reason="a test")
    assert states() == ["discarded", "discarded"]


def test_the_question_of_a_selection_says_that_a_held_lane_will_wait(operator: Client) -> None:
    delivery = dead()
    Lane.objects.update(hold=Hold.PAUSED)
    assert "it will wait: its subscription is paused" in text(choose(operator, delivery))
    assert states() == ["dead"]
