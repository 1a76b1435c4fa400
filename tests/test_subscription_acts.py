"""A lane is held, let go and ordered from its page: asked first where it matters, told, logged, audited."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from deliveries.models import Lane
from tests import make
from tests.callers import browser
from webhooks.ids import public_id, uuid7
from webhooks.models import AuditEntry

pytestmark = pytest.mark.django_db

ORDERED = {
    "trip": "Its circuit will open and what is due will be parked, as soon as a dispatcher has read the order.",
    "reset": "Its circuit will close and deliveries will flow at its full window,"
    " as soon as a dispatcher has read the order.",
    "probe": "Its cool-down will end and one delivery that is due will be sent as a probe,"
    " as soon as a dispatcher has read the order.",
}
EVERY = ("pause", "resume", "disable", "enable", "trip", "reset", "probe")


def lane(**state: Any) -> Lane:
    made = make.subscription()
    Lane.objects.filter(pk=made.pk).update(**state)
    return Lane.objects.get(pk=made.pk)


def door(to: Lane, name: str) -> str:
    return reverse("admin:deliveries_subscription_act", args=[to.pk, name])


def page(to: Lane) -> str:
    return reverse("admin:deliveries_subscription_change", args=[to.pk])


def do(client: Client, to: Lane, name: str, **more: str) -> Any:
    return client.post(door(to, name), {"post": "yes", **more}, follow=True)


def said(answer: Any) -> list[str]:
    return [str(message) for message in answer.context["messages"]]


def is_unchanged(before: Lane) -> bool:
    """Nothing of the lane, no record, no log."""
    now = Lane.objects.filter(pk=before.pk).values().get()
    same = all(getattr(before, name) == value for name, value in now.items())
    return same and not AuditEntry.objects.exists() and not LogEntry.objects.exists()


@pytest.fixture
def chief() -> Client:
    names = ("view_subscription", "hold_subscription", "manage_circuit", "test_subscription", "rotate_secret")
    return browser(*(f"deliveries.{name}" for name in names))


@pytest.mark.parametrize("name", ORDERED)
def test_an_order_is_written_told_and_shown_until_it_is_done(chief: Client, name: str) -> None:
    to = lane(circuit="open" if name == "probe" else "recovering")
    answer = do(chief, to, name, reason=" drill ")
    assert said(answer) == [ORDERED[name]]
    assert "was ordered and is not carried out yet" in answer.content.decode()
    assert AuditEntry.objects.get().reason == "drill"
    assert LogEntry.objects.get().object_id == str(to.pk)


@pytest.mark.parametrize(
    ("name", "before", "told", "after"),
    [
        ("pause", "", "Paused.", "paused"),
        ("pause", "paused", "hook: It was paused already.", "paused"),
        ("resume", "paused", "Resumed.", ""),
        (
            "resume",
            "disabled",
            "hook: This subscription is disabled; resume does not apply to it.",
            "disabled",
        ),
        ("disable", "paused", "Disabled.", "disabled"),
        ("enable", "disabled", "Enabled.", ""),
    ],
)
def test_a_lane_is_held_and_let_go_and_the_second_is_told(
    chief: Client, name: str, before: str, told: str, after: str
) -> None:
    to = lane(hold=before)
    assert said(do(chief, to, name, reason="night")) == [told]
    assert Lane.objects.get().hold == after
    entries = list(AuditEntry.objects.values_list("verb", "reason", "before", "after"))
    assert entries == ([(name, "night", {"hold": before}, {"hold": after})] if before != after else [])
    assert LogEntry.objects.count() == len(entries)


@pytest.mark.parametrize("name", EVERY)
def test_looking_does_nothing_and_neither_does_an_answer_without_its_yes(chief: Client, name: str) -> None:
    to = lane(circuit="open")
    assert chief.get(door(to, name)).status_code == 200
    assert chief.post(door(to, name), {"reason": "drill"}).status_code == 200
    assert is_unchanged(to)


@pytest.mark.parametrize("name", ["reset", "disable"])
def test_what_may_hurt_takes_a_reason(chief: Client, name: str) -> None:
    to = lane(circuit="open")
    assert said(do(chief, to, name, reason="  ")) == ["Say why: a reason is needed."]
    assert is_unchanged(to)


def test_what_there_is_not_is_not_found(chief: Client) -> None:
    to = lane()
    assert do(chief, to, "explode").status_code == 404
    to.pk = uuid7()
    assert do(chief, to, "trip").status_code == 404


@pytest.mark.parametrize(
    ("permission", "names"),
    [
        ("view_subscription", ()),
        ("hold_subscription", ("pause", "resume", "disable", "enable")),
        ("manage_circuit", ("trip", "reset", "probe")),
    ],
)
def test_who_may_not_is_refused_and_nothing_changes(permission: str, names: tuple[str, ...]) -> None:
    client = browser("deliveries.view_subscription", f"deliveries.{permission}")
    for name in EVERY:
        if name not in names:
            to = lane(circuit="open")
            assert do(client, to, name, reason="drill").status_code == 403
            assert chosen(client, [to], name).status_code in (403, 404)
            assert is_unchanged(to)


def chosen(client: Client, lanes: list[Lane], name: str, **more: str) -> Any:
    ids = [public_id("subscription", each.pk) for each in lanes]
    address = reverse("admin:deliveries_subscription_act_on_many")
    return client.post(address, {"chosen": ids, "name": name, **more}, follow=True)


@pytest.mark.parametrize(
    ("state", "buttons"),
    [
        ({}, {"pause", "disable", "trip"}),
        ({"circuit": "open"}, {"pause", "disable", "probe", "reset"}),
        ({"circuit": "half_open"}, {"pause", "disable", "trip", "reset"}),
        ({"circuit": "open", "hold": "paused"}, {"resume", "disable", "reset"}),
        ({"circuit": "open", "hold": "disabled"}, {"enable"}),
    ],
)
def test_only_acts_that_make_sense_are_offered(
    chief: Client, state: dict[str, str], buttons: set[str]
) -> None:
    to = lane(**state)
    shown = chief.get(page(to)).content.decode()
    assert {name for name in EVERY if f'"{door(to, name)}"' in shown} == buttons


def test_who_may_only_look_sees_no_button() -> None:
    to = lane(circuit="open")
    shown = browser("deliveries.view_subscription").get(page(to)).content.decode()
    assert "Circuit open since" in shown
    for name in (*EVERY, "test", "rotate", "edit"):
        assert f"/{name}/" not in shown


@pytest.mark.parametrize(
    ("asked", "seconds"), [({"for": "3600"}, 3_600), ({"for": "604800"}, 604_800), ({"for": ""}, None)]
)
def test_a_pause_lasts_as_long_as_was_chosen(
    chief: Client, asked: dict[str, str], seconds: int | None
) -> None:
    to, before = lane(), make.now()
    do(chief, to, "pause", **asked)
    until = Lane.objects.get().hold_until
    if seconds is None:
        assert until is None
    else:
        assert until is not None
        wanted = timedelta(seconds=seconds)
        assert before + wanted <= until <= make.now() + wanted
    shown = chief.get(page(to)).content.decode()
    assert ("until somebody resumes it" in shown) is (seconds is None)
    assert "nothing is dropped" in shown


def test_a_pause_ends_at_a_moment_in_utc(chief: Client) -> None:
    to, end = lane(), (make.now() + timedelta(days=2)).replace(second=0, microsecond=0)
    do(chief, to, "pause", until=f"{end:%Y-%m-%dT%H:%M}")
    assert Lane.objects.get().hold_until == end
    assert AuditEntry.objects.get().after == {"hold": "paused", "until": end.isoformat()}


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (
            {"until": "soon"},
            "Write when the pause ends as a date and a time, such as 2026-12-24T18:00.",
        ),
        ({"until": "2001-01-01T00:00"}, "hook: A pause ends later than now and within 90 days."),
        ({"for": "-1"}, "Choose how long the pause lasts."),
    ],
)
def test_a_pause_that_makes_no_sense_is_refused(chief: Client, asked: dict[str, str], sentence: str) -> None:
    to = lane()
    assert said(do(chief, to, "pause", **asked)) == [sentence]
    assert is_unchanged(to)


def test_those_that_were_ticked_are_paused_after_asking(chief: Client) -> None:
    first, second, other = lane(), lane(hold="disabled"), lane()
    asked = chosen(chief, [first, second], "pause")
    assert "Pause: 2 subscriptions?" in asked.content.decode() and not AuditEntry.objects.exists()
    answer = chosen(chief, [first, second], "pause", post="yes", reason="their night", **{"for": "900"})
    assert said(answer) == ["Paused 1.", "hook: This subscription is disabled; pause does not apply to it."]
    holds = dict(Lane.objects.values_list("pk", "hold"))
    assert holds == {first.pk: "paused", second.pk: "disabled", other.pk: ""}


def test_nothing_ticked_and_too_many_ticked_are_said(chief: Client) -> None:
    assert said(chosen(chief, [], "pause", post="yes")) == ["No subscription was chosen."]
    many = [lane() for _ in range(101)]
    assert said(chosen(chief, many, "pause", post="yes")) == ["Choose at most 100 subscriptions at once."]
    assert not Lane.objects.exclude(hold="").exists()
