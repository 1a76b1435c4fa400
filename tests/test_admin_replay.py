"""Replaying from the console: asked first, done once, recorded, and only by those who may."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from deliveries.models import Delivery, Hold, Lane
from tests import make
from tests.callers import browser
from webhooks.models import AuditEntry

pytestmark = pytest.mark.django_db

ACT = "admin:deliveries_delivery_act"


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


def test_the_page_offers_replay_to_those_who_may(operator: Client, viewer: Client) -> None:
    delivery = dead()
    assert page("replay", delivery) in operator.get(page("change", delivery)).content.decode()
    assert page("replay", delivery) not in viewer.get(page("change", delivery)).content.decode()


def test_asking_changes_nothing(operator: Client) -> None:
    delivery = dead()
    asked = operator.get(page("replay", delivery))
    assert "Replay 1 delivery?" in asked.content.decode()
    assert states() == ["dead"]


def test_the_question_says_that_a_held_lane_will_wait(operator: Client) -> None:
    delivery = dead()
    Lane.objects.update(hold=Hold.PAUSED)
    assert (
        "it will wait: its subscription is paused" in operator.get(page("replay", delivery)).content.decode()
    )


def test_the_answer_replays_and_is_recorded(operator: Client) -> None:
    delivery = dead()
    answer = operator.post(page("replay", delivery), {"post": "yes", "reason": "mended"}, follow=True)
    assert said(answer) == ["Replayed 1. It is due now."]
    assert states() == ["pending"]
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.reason, entry.user and entry.user.username) == ("ada", "mended", "ada")
    assert LogEntry.objects.get().get_change_message() == "Replayed."


def test_a_second_click_is_told(operator: Client) -> None:
    delivery = dead()
    operator.post(page("replay", delivery), {"post": "yes"})
    answer = operator.post(page("replay", delivery), {"post": "yes"}, follow=True)
    assert said(answer)[-1].startswith("Left out 1. It is pending already; its next attempt is due at ")
    assert (AuditEntry.objects.count(), LogEntry.objects.count()) == (1, 1)


@pytest.mark.parametrize("method", ["get", "post"])
def test_without_the_permission_nothing_is_replayed(viewer: Client, method: str) -> None:
    delivery = dead()
    assert getattr(viewer, method)(page("replay", delivery), {"post": "yes"}).status_code == 403
    assert (states(), AuditEntry.objects.count()) == (["dead"], 0)


def test_a_stranger_is_sent_to_the_door(client: Client) -> None:
    delivery = dead()
    assert client.post(page("replay", delivery), {"post": "yes"}).status_code == 302
    assert states() == ["dead"]


def test_without_a_token_nothing_is_replayed() -> None:
    browser("deliveries.replay_delivery")
    delivery, strict = dead(), Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.get(username="ada"))
    assert strict.post(page("replay", delivery), {"post": "yes"}).status_code == 403
    assert states() == ["dead"]


def test_replaying_what_is_not_there_is_404(operator: Client) -> None:
    delivery = dead()
    address = page("replay", delivery)
    Delivery.objects.all().delete()
    assert operator.post(address, {"post": "yes"}).status_code == 404


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
