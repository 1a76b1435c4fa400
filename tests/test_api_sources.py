"""Sources and subscribers over the REST API: made, read and changed; a secret never comes out."""

from typing import Any

import pytest

from tests import make
from tests.callers import Caller, with_key
from webhooks.deciders.standard import new_secret
from webhooks.ids import public_id
from webhooks.models import AuditEntry, Source, Subscriber

pytestmark = pytest.mark.django_db

HOME = "/api/v1/sources"


@pytest.fixture
def caller() -> Caller:
    return with_key()


def test_a_source_is_created_with_its_secret_and_shows_a_hint_of_it(caller: Caller) -> None:
    secret = new_secret()
    answer = caller.post(
        HOME, {"name": "Shop", "slug": "shop", "scheme": "standard-webhooks", "secret": secret}
    )
    assert answer.status_code == 201
    source = Source.objects.get()
    made = answer.json()
    assert (made["id"], made["slug"], made["scheme"]) == (
        public_id("source", source.pk), "shop", "standard-webhooks",
    )  # fmt: skip
    assert [kept["hint"] for kept in made["secrets"]] == [secret[-4:]]
    assert secret not in answer.content.decode()
    assert secret not in caller.get(f"{HOME}/shop").content.decode()


def test_without_a_scheme_anyone_may_send(caller: Caller) -> None:
    assert caller.post(HOME, {"name": "Shop", "slug": "shop"}).json()["scheme"] == "none"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("slug", "Not A Slug"),
        ("slug", ""),
        ("slug", "s" * 64),
        ("name", ""),
        ("scheme", "magic"),
        ("scheme", "standard-webhooks"),
        ("id_from", "data.["),
        ("type_from", "header:"),
        ("subscriber", "sbr_x"),
        ("colour", "red"),
        ("revision", 7),
    ],
)
def test_a_wrong_field_is_named(caller: Caller, field: str, value: Any) -> None:
    answer = caller.post(HOME, {"name": "Shop", "slug": "shop", field: value})
    expected = "secret" if value == "standard-webhooks" else field
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [expected])
    assert not Source.objects.exists()


def test_a_secret_that_cannot_serve_is_refused_without_repeating_it(caller: Caller) -> None:
    body = {"name": "Shop", "slug": "shop", "scheme": "standard-webhooks", "secret": "whsec_dG9vIHNob3J0"}
    answer = caller.post(HOME, body)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["secret"])
    assert "dG9vIHNob3J0" not in answer.content.decode()


def test_a_slug_is_taken_once(caller: Caller) -> None:
    make.source("shop")
    answer = caller.post(HOME, {"name": "Shop", "slug": "shop"})
    assert (answer.status_code, answer.json()["errors"]) == (400, {"slug": ["Another source has this slug."]})
    assert Source.objects.count() == 1


@pytest.mark.parametrize("form", ["slug", "public", "dashed"])
def test_a_source_is_found_by_slug_or_id(caller: Caller, form: str) -> None:
    source = make.source("shop")
    name = {"slug": "shop", "public": public_id("source", source.pk), "dashed": str(source.pk)}[form]
    assert caller.get(f"{HOME}/{name}").json()["slug"] == "shop"


def test_a_patch_changes_what_it_names_and_raises_the_revision(caller: Caller) -> None:
    make.source("shop")
    answer = caller.patch(f"{HOME}/shop", {"is_enabled": False})
    assert (answer.status_code, answer.json()["is_enabled"]) == (200, False)
    source = Source.objects.get()
    assert (source.revision, source.name) == (2, "shop")
    assert AuditEntry.objects.filter(object_kind="source", verb="update").count() == 1


def test_a_subscriber_is_created_and_recorded(caller: Caller) -> None:
    answer = caller.post("/api/v1/subscribers", {"name": "Billing"})
    name = public_id("subscriber", Subscriber.objects.get().pk)
    assert (answer.status_code, answer.json()["id"]) == (201, name)
    assert AuditEntry.objects.get(object_kind="subscriber").object_id == name


@pytest.mark.parametrize("name", ["", "  ", "n" * 201, None])
def test_a_subscriber_needs_a_name(caller: Caller, name: Any) -> None:
    answer = caller.post("/api/v1/subscribers", {"name": name})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["name"])
    assert not Subscriber.objects.exists()
