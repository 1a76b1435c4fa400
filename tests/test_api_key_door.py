"""API keys over the API: made and shown once, listed by how they begin, revoked; by operators alone."""

from datetime import timedelta
from typing import Any

import pytest

from tests import make
from tests.answers import fields, sentence
from tests.callers import Caller, with_key
from webhooks.ids import public_id
from webhooks.models import ApiKey, AuditEntry

pytestmark = pytest.mark.django_db

HOME = "/api/v1/api-keys"


@pytest.fixture
def caller() -> Caller:
    return with_key()


def test_a_key_is_shown_this_once_and_opens_the_door(caller: Caller) -> None:
    until = make.now().replace(microsecond=0) + timedelta(days=1)
    answer = caller.post(HOME, {"role": "viewer", "name": "grafana", "expires_at": until.isoformat()})
    told = answer.json()
    plain = told.pop("key")
    key = ApiKey.objects.get(name="grafana")
    assert (answer.status_code, told["id"], told["state"]) == (201, public_id("apikey", key.pk), "live")
    assert plain.startswith(told["begins_with"])
    assert (key.role, key.expires_at) == ("viewer", until)
    assert AuditEntry.objects.latest("id").actor == str(ApiKey.objects.get(role="operator"))
    theirs = Caller()
    theirs.credentials(HTTP_AUTHORIZATION=f"Bearer {plain}")
    assert theirs.get("/api/v1/sources").status_code == 200
    assert plain not in caller.get(f"{HOME}/{told['id']}").content.decode()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "role"),
        ({"role": "god"}, "role"),
        ({"role": "viewer", "expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"role": "viewer", "name": "n" * 201}, "name"),
        ({"role": "viewer", "digest": "x"}, "digest"),
        ({"role": "viewer", "revoked_at": None}, "revoked_at"),
    ],
)
def test_one_that_could_not_serve_is_not_made(caller: Caller, body: dict[str, Any], field: str) -> None:
    answer = caller.post(HOME, body)
    assert (answer.status_code, list(fields(answer))) == (400, [field])
    assert ApiKey.objects.count() == 1


def test_the_list_narrows_by_role_and_by_what_was_revoked(caller: Caller) -> None:
    with_key("viewer")
    ApiKey.objects.filter(role="viewer").update(revoked_at=make.now())

    def roles(query: str) -> list[str]:
        return [each["role"] for each in caller.get(f"{HOME}?{query}").json()["results"]]

    assert roles("") == ["viewer", "operator"]
    assert [roles(each) for each in ("role=viewer", "revoked=true", "revoked=false")] == [
        ["viewer"], ["viewer"], ["operator"],
    ]  # fmt: skip
    assert caller.get(f"{HOME}?revoked=true").json()["results"][0]["state"] == "revoked"


def test_a_revoked_key_opens_nothing_from_then_on(caller: Caller) -> None:
    theirs = with_key("viewer")
    home = f"{HOME}/{public_id('apikey', ApiKey.objects.get(role='viewer').pk)}"
    answer = caller.post(f"{home}/revoke", {"reason": "She left."})
    assert (answer.status_code, answer.json()["state"]) == (200, "revoked")
    assert theirs.get("/api/v1/sources").status_code == 401
    assert AuditEntry.objects.get(verb="revoke").reason == "She left."
    answer = caller.post(f"{home}/revoke")
    assert (answer.status_code, sentence(answer)) == (409, "It was revoked before.")
    assert AuditEntry.objects.filter(verb="revoke").count() == 1


@pytest.mark.parametrize("role", ["viewer", "publisher"])
def test_operators_alone_see_make_or_revoke_keys(role: str) -> None:
    theirs = with_key(role)
    home = f"{HOME}/{public_id('apikey', ApiKey.objects.get().pk)}"
    answers = [
        theirs.get(HOME),
        theirs.get(home),
        theirs.post(HOME, {"role": "operator"}),
        theirs.post(f"{home}/revoke"),
    ]
    assert [each.status_code for each in answers] == [403] * 4
    assert list(ApiKey.objects.values_list("revoked_at", flat=True)) == [None]


def test_a_key_is_never_changed_nor_deleted(caller: Caller) -> None:
    home = f"{HOME}/{public_id('apikey', ApiKey.objects.get().pk)}"
    assert [caller.patch(home, {"role": "viewer"}).status_code, caller.delete(home).status_code] == [405, 405]
    assert ApiKey.objects.get().role == "operator"
