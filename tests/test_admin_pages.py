"""The console's pages: every model has one, history cannot be changed, big tables are not counted."""

from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from deliveries.models import Alert, AlertChannel, AlertMessage, AlertRule, Attempt, Delivery, Exchange
from deliveries.services.dead_letters import Death, bury
from deliveries.services.notices import notify
from tests import alerting, make
from tests.callers import browser
from webhooks.ids import public_id, uuid7
from webhooks.models import ApiKey, AuditEntry, Event, EventBody, Source, Subscriber
from webhooks.services.keys import create_api_key
from webhooks.services.sources import update_source

pytestmark = pytest.mark.django_db

# What nobody may see has no pages: the API's own notes.
OURS = [
    model
    for app in ("webhooks", "deliveries")
    for model in apps.get_app_config(app).get_models()
    if model._meta.default_permissions
]
EDITED = {"source", "subscriber", "subscription", "apikey", "alertrule", "alertchannel", "eventtype"}
HISTORY = [model for model in OURS if model._meta.model_name not in EDITED]


def page(model: type[Model], kind: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{kind}", args=args)


def name_of(value: object) -> str:
    return value._meta.label_lower if isinstance(value, type) and issubclass(value, Model) else ""


@pytest.fixture
def chief() -> Client:
    return browser(is_superuser=True)


def populate(number: int = 1) -> Delivery:
    """A row of nearly everything."""
    for each in range(number):
        source = make.source(f"shop-{uuid7().hex[-8:]}")
        event = make.event(source=source, state="routed")
        to = make.subscription(source=source, name=f"hook {each}", headers='{"x-api-key": "s3cret"}')
        delivery = make.delivery(to, event, state="dead", attempts=1)
        attempt = Attempt.objects.create(
            delivery=delivery, number=1, phase=0, started_at=make.now(), duration_ms=5, outcome="timeout"
        )
        Exchange.objects.create(
            attempt=attempt, url=to.url, request_headers={}, response_body=b"<script>alert(1)</script>"
        )
        death = Death(
            delivery_id=delivery.pk, subscription_id=to.pk, reason="exhausted", fingerprint="v1:1",
            status=None, error="",
        )  # fmt: skip
        bury(deaths=[death], now=make.now())
        notify(kind="x", object_kind="subscription", object_id=to.pk, text="look")
        create_api_key(role="viewer", name="reader")
        alert = Alert.objects.create(rule=alerting.rule(f"r-{uuid7().hex}").slug, summary="It fails.")
        told = {
            "channel": alerting.channel(),
            "kind": "opened",
            "severity": "warning",
            "title": "x",
            "text": "x",
        }
        AlertMessage.objects.create(alert=alert, due_at=make.now(), **told)
    return delivery


@pytest.mark.parametrize("model", OURS, ids=name_of)
def test_every_model_has_its_pages(chief: Client, model: type[Model]) -> None:
    populate()
    assert chief.get(page(model, "changelist")).status_code == 200
    row = model._default_manager.first()
    if row is not None:
        assert chief.get(page(model, "change", row.pk)).status_code == 200


def test_the_index_shows_both_sides_and_none_of_the_queues_own_pages(chief: Client) -> None:
    index = chief.get(reverse("admin:records")).content.decode()
    assert "Inbound" in index and "Outbound" in index
    assert not any(model._meta.app_label == "django_q" for model in admin.site._registry)


@pytest.mark.parametrize("model", HISTORY, ids=name_of)
def test_history_is_not_added_changed_or_deleted(chief: Client, model: type[Model]) -> None:
    populate()
    assert chief.get(page(model, "add")).status_code == 403
    row = model._default_manager.first()
    if row is not None:
        assert chief.post(page(model, "change", row.pk), {}).status_code == 403
        assert chief.post(page(model, "delete", row.pk), {"post": "yes"}).status_code == 403
        assert model._default_manager.filter(pk=row.pk).exists()


@pytest.mark.parametrize("model", [Source, Subscriber, ApiKey, AlertRule, AlertChannel], ids=name_of)
def test_what_is_edited_is_not_deleted_either(chief: Client, model: type[Model]) -> None:
    populate()
    row = model._default_manager.first()
    assert row is not None
    assert chief.post(page(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    assert model._default_manager.filter(pk=row.pk).exists()


@pytest.mark.parametrize("model", OURS, ids=name_of)
def test_without_permission_a_page_is_403(model: type[Model]) -> None:
    assert browser().get(page(model, "changelist")).status_code == 403


@pytest.mark.parametrize("model", OURS, ids=name_of)
def test_a_stranger_is_sent_to_the_door(client: Client, model: type[Model]) -> None:
    answer = client.get(page(model, "changelist"))
    assert (answer.status_code, answer["Location"].split("?")[0]) == (302, "/admin/login/")


@pytest.mark.parametrize("model", OURS, ids=name_of)
def test_a_list_asks_the_same_questions_of_3_rows_and_of_30_and_counts_none(
    chief: Client, model: type[Model]
) -> None:
    chief.get(page(model, "changelist"))  # Django remembers content types from here on
    asked = []
    for more in (3, 27):
        populate(more)
        with CaptureQueriesContext(connection) as captured:
            assert chief.get(page(model, "changelist")).status_code == 200
        asked.append([query["sql"] for query in captured])
    assert len(asked[0]) == len(asked[1])
    # Counted is only what belongs to the rows of a page, or waits of each source: by indexes, and never a list.
    bounded = (
        *('"accepted_at" IS NULL', '"resolved_at" IS NULL', 'COUNT("deliveries_subscription"'),
        *('"event_id" IN (', '"fingerprint" IN (', '"issue_id" IN ('),
        *('"closed_at" IS NULL', "\"state\" = 'pending'"),
    )
    counted = [sql for sql in asked[1] if "COUNT(" in sql.upper()]
    assert not [sql for sql in counted if not any(bound in sql for bound in bounded)]


def test_a_delivery_page_asks_the_same_questions_however_often_it_was_tried(chief: Client) -> None:
    delivery, asked = populate(), []
    chief.get(page(Delivery, "change", delivery.pk))  # Django remembers content types from here on
    for numbers in (range(2, 4), range(4, 31)):
        for number in numbers:
            attempt = Attempt.objects.create(
                delivery=delivery, number=number, phase=0, started_at=make.now(), duration_ms=5, outcome="ok"
            )
            Exchange.objects.create(attempt=attempt, url="http://x", request_headers={})
        with CaptureQueriesContext(connection) as captured:
            chief.get(page(Delivery, "change", delivery.pk))
        asked.append(len(captured))
    assert asked[0] == asked[1]


def test_pages_follow_each_other_without_a_total(chief: Client) -> None:
    for _ in range(120):
        make.event()
    seen = [
        len(chief.get(f"{page(EventBody, 'changelist')}?p={number}").context["cl"].result_list)
        for number in (1, 2, 3)
    ]
    assert seen == [50, 50, 20]
    first = chief.get(page(EventBody, "changelist")).content.decode()
    assert "?p=2" in first and "?p=3" not in first and "120 event" not in first


@pytest.mark.parametrize("number", ["4", "0", "-1", "x", "99999999999999999999"])
def test_a_page_that_does_not_exist_is_the_first(chief: Client, number: str) -> None:
    event = make.event()
    found = chief.get(f"{page(EventBody, 'changelist')}?p={number}").context["cl"].result_list
    assert [body.event_id for body in found] == [event.pk]


def test_search_finds_what_was_done_to_a_thing(chief: Client) -> None:
    source = make.source()
    update_source(source_id=source.pk, name="new", actor="ada")
    term = {"object": public_id("source", source.pk)}
    found = chief.get(page(AuditEntry, "changelist"), term).context["rows"]
    assert [row.entry.verb for row in found] == ["update"]


def test_bodies_are_shown_as_text_and_never_run(chief: Client) -> None:
    delivery = populate()
    event = make.event(b'{"name": "<script>alert(2)</script>"}\xff')
    shown = chief.get(page(Event, "change", event.pk)).content.decode()
    assert "&lt;script&gt;alert(2)&lt;/script&gt;" in shown and "<script>alert(2)" not in shown
    shown = chief.get(page(Delivery, "change", delivery.pk)).content.decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown and "<script>alert(1)" not in shown


def test_a_long_body_is_cut_and_says_so(chief: Client) -> None:
    event = make.event(b"x" * 70_000)
    assert "… and 4,464 bytes more" in chief.get(page(EventBody, "change", event.pk)).content.decode()


def test_an_event_whose_body_is_past_retention_still_has_its_page(chief: Client) -> None:
    event = make.event()
    EventBody.objects.all().delete()
    assert "dropped by retention" in chief.get(page(Event, "change", event.pk)).content.decode()


@pytest.mark.parametrize("model", OURS, ids=name_of)
def test_secrets_are_on_no_page(chief: Client, model: type[Model]) -> None:
    delivery = populate()
    secret = delivery.subscription.secrets.get().sealed
    addresses = [page(model, "changelist")]
    addresses += [page(model, "change", row.pk) for row in model._default_manager.all()]
    for address in addresses:
        shown = chief.get(address).content.decode()
        assert secret not in shown and "s3cret" not in shown
