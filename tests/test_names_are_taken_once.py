"""A name that may be taken once is refused by its field to whoever comes second, however close the two come."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connections
from django.db.models import Model
from django.test import Client

from deliveries.models import AlertRule
from deliveries.services import alert_rules
from tests import make
from tests.alerting import no_rules, rule  # noqa: F401 (a fixture)
from tests.callers import browser, with_key
from webhooks.models import AuditEntry, EventType, Source
from webhooks.services import event_types, sources, uniqueness

TAKEN: dict[type[Model], str] = {
    EventType: "There is an event type of this name already.",
    Source: "Another source has this slug.",
    AlertRule: "There is a rule with this slug already.",
}
NAMES = pytest.mark.parametrize(
    ("model", "make_one", "field"),
    [
        (EventType, lambda: event_types.create_event_type(name="order.placed", actor="ada"), "name"),
        (Source, lambda: sources.create_source(name="Shop", slug="shop", actor="ada"), "slug"),
        (AlertRule, lambda: rule("mine"), "slug"),
    ],
)


def both_at_once(act: Callable[[], object]) -> list[object]:
    """What came of it in two threads that are released together."""
    start = threading.Barrier(2)

    def one(_: int) -> object:
        try:
            start.wait()
            return act()
        except ValidationError as error:
            return error.message_dict
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(one, range(2)))


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
@NAMES
def test_of_two_who_take_a_name_at_once_the_second_is_refused_by_its_field(
    model: type[Model], make_one: Callable[[], object], field: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked, save = threading.Barrier(2), model.save

    def save_once_both_are_checked(row: Model, *args: Any, **kwargs: Any) -> None:
        checked.wait(timeout=20)
        save(row, *args, **kwargs)

    AlertRule.objects.all().delete()
    monkeypatch.setattr(model, "save", save_once_both_are_checked)
    came_of_it = both_at_once(make_one)
    assert sorted(type(each).__name__ for each in came_of_it) == sorted([model.__name__, "dict"])
    refused = next(each for each in came_of_it if isinstance(each, dict))
    assert list(refused) == [field]
    assert refused[field] == [TAKEN[model]]
    assert (model._default_manager.count(), AuditEntry.objects.filter(verb="create").count()) == (1, 1)


@pytest.mark.django_db
@NAMES
def test_an_insert_that_meets_what_the_check_did_not_see_is_refused_as_the_check_would(
    model: type[Model], make_one: Callable[[], object], field: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_one()
    monkeypatch.setattr(sources, "check_source", lambda *_, **__: None)
    monkeypatch.setattr(alert_rules, "check", lambda _: None)
    with pytest.raises(ValidationError) as refusal:
        make_one()
    assert list(refusal.value.message_dict) == [field]
    assert AuditEntry.objects.filter(verb="create").count() == 1


@pytest.mark.django_db
def test_a_slug_that_another_took_meanwhile_is_refused_to_who_changes_to_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make.source("shop")
    mine = make.source("mine")
    caller = with_key()
    seen = caller.patch("/api/v1/sources/mine", {"slug": "shop"})
    monkeypatch.setattr(sources, "check_source", lambda *_, **__: None)
    answer = caller.patch("/api/v1/sources/mine", {"slug": "shop"})
    assert (answer.status_code, answer.json()["errors"]) == (400, seen.json()["errors"])
    assert answer.json()["errors"] == {"slug": ["Another source has this slug."]}
    mine.refresh_from_db()
    assert (mine.slug, mine.revision) == ("mine", 1)


@pytest.mark.django_db
def test_what_else_does_not_hold_is_not_told_as_a_name_that_is_taken() -> None:
    with (
        pytest.raises(IntegrityError),
        uniqueness.unless_taken(EventType.objects.filter(name=""), "name", "Taken."),
    ):
        EventType.objects.create(name="")


@pytest.mark.django_db
def test_a_name_that_another_took_while_the_form_was_sent_is_told_on_the_console(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client: Client = browser(is_superuser=True)
    home = "/admin/webhooks/source/add/"
    form = {"name": "Shop", "slug": "shop", "scheme": "none", "options": "{}", "business_keys": "{}"}
    create = sources.create_source

    def quicker(**given: Any) -> Source:
        make.source("shop")
        return create(**given)

    monkeypatch.setattr(sources, "create_source", quicker)
    answer = client.post(home, form)
    assert (answer.status_code, answer["Location"]) == (302, home)
    assert "Another source has this slug." in client.get(home).content.decode()
    assert not Source.objects.filter(name="Shop").exists()
