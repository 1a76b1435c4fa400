"""Five roles, each with what the one before may and something more; the server checks them, not only the pages."""

from importlib import import_module

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import reverse

from tests import make
from tests.roles import FIVE, NAMES, give, member, take_back
from webhooks.ids import public_id
from webhooks.models import AuditEntry, Event, Refusal

pytestmark = pytest.mark.django_db

PAYLOADS = import_module(f"hub.migrations.{FIVE}").PAYLOADS
BODY = "order 66"


@pytest.fixture(autouse=True)
def given() -> None:
    give(FIVE, "0007_let_roles_tend_alerts")


def may(role: str) -> set[str]:
    rows = Group.objects.get(name=role).permissions.values_list("content_type__app_label", "codename")
    return {f"{label}.{codename}" for label, codename in rows}


def someone(role: str) -> Client:
    client = Client()
    client.force_login(member(role))
    return client


@pytest.mark.parametrize(("less", "more"), list(zip(NAMES, NAMES[1:], strict=False)))
def test_each_role_may_more_than_the_one_before(less: str, more: str) -> None:
    assert may(less) < may(more)


def test_a_viewer_sees_every_kind_of_thing_but_payloads() -> None:
    ours = [
        model for label in ("webhooks", "deliveries") for model in apps.get_app_config(label).get_models()
    ]
    shown = [model for model in ours if "view" in model._meta.default_permissions]
    views = {f"{model._meta.app_label}.view_{model._meta.model_name}" for model in shown}
    assert may("Viewer") == views - set(PAYLOADS)
    assert {"webhooks.view_eventbody", "deliveries.view_deliverybody"} < set(PAYLOADS)


def test_what_each_role_adds() -> None:
    added = [may(more) - may(less) for less, more in zip(NAMES, NAMES[1:], strict=False)]
    assert "webhooks.view_payload" in added[0] and "deliveries.replay_delivery" in added[0]
    assert {"deliveries.bulk_replay", "deliveries.hold_subscription", "deliveries.discard_delivery"} < added[
        1
    ]
    assert {
        "deliveries.rotate_secret",
        "deliveries.manage_circuit",
        "deliveries.change_subscription",
    } < added[2]
    assert {"auth.change_user", "auth.add_group", "webhooks.add_apikey"} < added[3]
    assert "deliveries.acknowledge_alert" in added[1] and "deliveries.mute_alert" in added[2]
    assert {"deliveries.change_alertrule", "deliveries.add_alertchannel"} < added[3]


def test_nobody_short_of_a_superuser_may_touch_the_task_queue() -> None:
    assert not [name for role in NAMES for name in may(role) if name.startswith("django_q.")]


def test_given_twice_is_given_once() -> None:
    before = {role: may(role) for role in NAMES}
    give(FIVE)
    assert {role: may(role) for role in NAMES} == before
    assert Group.objects.count() == 5


def test_taken_back_they_are_gone_and_a_group_of_one_s_own_is_not() -> None:
    Group.objects.create(name="Night watch")
    take_back(FIVE)
    assert list(Group.objects.values_list("name", flat=True)) == ["Night watch"]
    assert not Permission.objects.filter(codename="bulk_replay").exists()


@pytest.mark.parametrize("role", NAMES)
def test_every_role_opens_what_its_side_bar_shows(role: str) -> None:
    client = someone(role)
    links = [entry.address for each in client.get("/admin/").context["sections"] for entry in each.entries]
    assert len(links) == {"Admin": 18}.get(role, 16)
    assert {client.get(link).status_code for link in links} == {200}


@pytest.mark.parametrize("role", ["Viewer", "Support"])
def test_payloads_are_shown_to_whom_they_may_be_and_each_opening_is_recorded(role: str) -> None:
    event = make.event(BODY.encode())
    refusal = Refusal.objects.create(
        source=make.source(), reason="too-large", headers=[["x-note", BODY]], query=BODY, body=BODY.encode()
    )
    client, is_shown = someone(role), role == "Support"
    for row in (event, refusal):
        page = client.get(reverse(f"admin:webhooks_{row._meta.model_name}_change", args=[row.pk]))
        assert (page.status_code, BODY in page.content.decode()) == (200, is_shown)
    opened = list(AuditEntry.objects.order_by("pk").values_list("actor", "verb", "object_id"))
    ids = [public_id("event", event.pk), public_id("refusal", refusal.pk)]
    assert opened == ([("support", "open_payload", each) for each in ids] if is_shown else [])


@pytest.mark.parametrize("role", NAMES[:3])
def test_who_may_not_change_a_subscription_is_refused_and_nothing_changes(role: str) -> None:
    to = make.subscription(name="before")
    answer = someone(role).post(
        reverse("admin:deliveries_subscription_change", args=[to.pk]), {"name": "after"}
    )
    to.refresh_from_db()
    assert (answer.status_code, to.name) == (403, "before")


@pytest.mark.parametrize("role", NAMES[:4])
def test_who_is_no_admin_sees_no_users(role: str) -> None:
    client = someone(role)
    assert client.get(reverse("admin:auth_user_changelist")).status_code == 403
    assert "Users" not in client.get("/admin/").content.decode()


def test_events_have_their_pages_still(client: Client) -> None:
    client = someone("Viewer")
    event = make.event()
    page = client.get(reverse("admin:webhooks_event_change", args=[event.pk])).content.decode()
    assert event.external_id in page and Event.objects.count() == 1
