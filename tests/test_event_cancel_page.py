"""A person cancels on the console what waits for its time: asked for a reason, told, recorded."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from tests import make
from tests.callers import browser
from tests.roles import FIVE, NAMES, give, member
from webhooks.ids import public_id
from webhooks.models import AuditEntry, Event
from webhooks.services.scheduled import release_due

pytestmark = pytest.mark.django_db

MAY = ("webhooks.view_event", "webhooks.cancel_event")


@pytest.fixture
def event() -> Event:
    return make.event(state="scheduled", routed_at=None, deliver_at=make.now() + timedelta(hours=1))


def page(event: Event, act: str) -> str:
    return f"/admin/webhooks/event/{event.pk}/{act}/"


def text(answer: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


def test_it_is_cancelled_once_a_reason_is_given_and_the_page_says_when(event: Event) -> None:
    clerk = browser(*MAY)
    assert page(event, "cancel") in clerk.get(page(event, "change")).content.decode()
    asked = text(clerk.get(page(event, "cancel")))
    assert "Cancel this event?" in asked and "its id stays taken" in asked
    assert clerk.post(page(event, "cancel"), {"reason": " "}).status_code == 200  # it asks again
    assert Event.objects.get().state == "scheduled"
    answer = clerk.post(page(event, "cancel"), {"reason": "a mistake"}, follow=True)
    assert "It is cancelled and will not be routed." in text(answer)
    entry = AuditEntry.objects.get(verb="cancel")
    assert (entry.actor, entry.object_id, entry.reason) == ("ada", public_id("event", event.pk), "a mistake")
    assert f"Cancelled on {entry.at:%Y-%m-%d %H:%M:%S} UTC, before its time had come" in text(answer)
    assert page(event, "cancel") not in answer.content.decode()
    logged = LogEntry.objects.get()
    assert (logged.object_id, logged.get_change_message()) == (str(event.pk), "Cancelled.")


def test_who_is_too_late_is_told_and_nothing_is_recorded(event: Event) -> None:
    clerk = browser(*MAY)
    release_due(now=event.deliver_at or make.now())
    assert "does not wait for its time any more" in text(clerk.get(page(event, "cancel")))
    answer = clerk.post(page(event, "cancel"), {"reason": "a mistake"}, follow=True)
    assert "Its time had come first, so it cannot be cancelled any more." in text(answer)
    assert Event.objects.get().state == "received"
    assert not AuditEntry.objects.filter(verb="cancel").exists() and not LogEntry.objects.exists()


def test_who_may_not_sees_no_button_and_is_refused(event: Event) -> None:
    viewer = browser("webhooks.view_event", "webhooks.route_event_again")
    assert page(event, "cancel") not in viewer.get(page(event, "change")).content.decode()
    for ask in (viewer.get, viewer.post):
        assert ask(page(event, "cancel"), {"reason": "x"}).status_code == 403
    assert Event.objects.get().state == "scheduled"


def test_nothing_is_cancelled_from_elsewhere(event: Event) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = browser(*MAY).cookies
    assert strict.post(page(event, "cancel"), {"reason": "x"}).status_code == 403
    assert Event.objects.get().state == "scheduled"


@pytest.mark.parametrize("role", NAMES)
def test_operators_and_those_above_them_may(event: Event, role: str) -> None:
    give(FIVE, "0010_let_operators_cancel_events")
    client = Client()
    client.force_login(member(role))
    answer = client.post(page(event, "cancel"), {"reason": "x"})
    may = role in ("Operator", "Lead", "Admin")
    assert (answer.status_code, Event.objects.get().state) == (
        (302, "cancelled") if may else (403, "scheduled")
    )


def test_what_was_cancelled_is_found_by_its_state(event: Event) -> None:
    Event.objects.update(state="cancelled")
    other = make.event(state="unmatched")
    clerk = browser("webhooks.view_event")
    rows = clerk.get("/admin/webhooks/event/?state=cancelled").context["rows"]
    assert [(row.event.pk, row.words) for row in rows] == [(event.pk, "Cancelled")]
    assert [row.event for row in clerk.get("/admin/webhooks/event/?state=unmatched").context["rows"]] == [
        other
    ]


def test_who_asks_whether_it_arrived_is_told_that_it_waits_and_that_it_was_cancelled(event: Event) -> None:
    clerk = browser("webhooks.view_event")
    for state, said in (
        ("scheduled", "It waits for the time it was published for."),
        ("cancelled", "It was cancelled before its time had come, and goes to nobody."),
    ):
        Event.objects.update(state=state)
        assert said in text(clerk.get("/admin/webhooks/event/", {"q": event.external_id}))


def test_a_cause_that_was_never_looked_for_is_not_called_gone(event: Event) -> None:
    Event.objects.update(state="cancelled", cause_id=event.pk)
    shown = text(browser("webhooks.view_event").get(page(event, "change")))
    assert (
        "as its sender says; it was never looked for" in shown and "which is past its retention" not in shown
    )
