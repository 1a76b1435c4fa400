"""Who may do what over the REST API, and what every door of it answers alike."""

from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from tests import make
from tests.callers import Caller, with_key
from webhooks.models import Event, Subscriber

pytestmark = pytest.mark.django_db

LISTS = ["sources", "subscribers", "subscriptions", "events", "deliveries"]


@pytest.mark.parametrize("name", LISTS)
def test_without_a_key_the_answer_is_401(name: str) -> None:
    answer = Caller().get(f"/api/v1/{name}")
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, 'Bearer realm="weir"')


def test_a_key_that_is_unknown_is_refused_in_a_sentence() -> None:
    caller = Caller()
    caller.credentials(HTTP_AUTHORIZATION="Bearer weir_operator_x")
    answer = caller.get("/api/v1/sources")
    assert answer.status_code == 401
    assert answer.json()["detail"] == "This API key is unknown, expired or revoked."


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize(("role", "status"), [("operator", 200), ("viewer", 200), ("publisher", 403)])
def test_operators_and_viewers_may_read(name: str, role: str, status: int) -> None:
    assert with_key(role).get(f"/api/v1/{name}").status_code == status


@pytest.mark.parametrize("role", ["viewer", "publisher"])
def test_only_operators_may_change_anything(role: str) -> None:
    answer = with_key(role).post("/api/v1/subscribers", {"name": "billing"})
    assert answer.status_code == 403
    assert answer.json()["detail"] == "This API key's role does not allow this."
    assert not Subscriber.objects.exists()


@pytest.mark.parametrize(("role", "status"), [("operator", 201), ("publisher", 201), ("viewer", 403)])
def test_operators_and_publishers_may_publish(role: str, status: int) -> None:
    make.source()
    answer = with_key(role).post("/api/v1/events", {"source": "shop", "event_type": "t", "data": {}})
    assert answer.status_code == status
    assert Event.objects.exists() == (status == 201)


@pytest.mark.parametrize("path", ["sources", "sources/"])
def test_a_trailing_slash_makes_no_difference(path: str) -> None:
    assert with_key().get(f"/api/v1/{path}").status_code == 200


@pytest.mark.parametrize("kind", LISTS)
@pytest.mark.parametrize("name", ["x", "evt_x", "00000000-0000-7000-8000-000000000000", "a%00b"])
def test_what_does_not_exist_is_404(kind: str, name: str) -> None:
    assert with_key().get(f"/api/v1/{kind}/{name}").status_code == 404


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("{", 400),
        ("[" * 100_000, 400),
        ('{"name": ' + "9" * 5_000 + "}", 400),
        ('{"name": "\\ud800"}', 400),
        ('{"name": "\\u0000"}', 400),
        ('{"name": NaN}', 400),
        ("[]", 400),
        ('"text"', 400),
        (" ", 400),
    ],
)
def test_a_body_that_is_no_proper_json_is_400_and_changes_nothing(body: str, status: int) -> None:
    answer = with_key().post("/api/v1/subscribers", data=body, content_type="application/json")
    assert answer.status_code == status
    assert not Subscriber.objects.exists()


def test_a_body_over_the_limit_is_413(settings: Settings) -> None:
    settings.HUB_MAX_BODY = 1_024
    answer = with_key().post("/api/v1/subscribers", {"name": "n" * 2_000})
    assert answer.status_code == 413
    assert answer.json()["detail"] == "A body has at most 1024 bytes."


def test_a_body_that_is_not_json_by_its_type_is_415() -> None:
    answer = with_key().post("/api/v1/subscribers", data="name=x", content_type="text/plain")
    assert answer.status_code == 415


@pytest.mark.parametrize("accept", ["text/html", "*/*", "application/json", "nonsense"])
def test_every_accept_gets_json(accept: str) -> None:
    answer = with_key().get("/api/v1/sources", HTTP_ACCEPT=accept)
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")


def test_a_session_of_the_console_opens_nothing_here(admin_client: Client) -> None:
    assert admin_client.get("/api/v1/sources").status_code == 401


def test_lists_page_by_cursor_newest_first() -> None:
    names = [f"s{number}" for number in range(5)]
    for name in names:
        make.subscriber(name)
    caller, seen, pages = with_key(), [], []
    address: Any = "/api/v1/subscribers?limit=2"
    while address:
        page = caller.get(address).json()
        pages.append(page)
        seen += [row["name"] for row in page["results"]]
        address = page["next"]
    assert seen == names[::-1]
    assert set(pages[0]) == {"next", "previous", "results"}
    assert caller.get(pages[1]["previous"]).json()["results"] == pages[0]["results"]


def test_a_page_holds_at_most_250_rows() -> None:
    Subscriber.objects.bulk_create(Subscriber(name=f"s{number}") for number in range(251))
    assert len(with_key().get("/api/v1/subscribers?limit=1000").json()["results"]) == 250


@pytest.mark.parametrize("cursor", ["x", "cD1ub25zZW5zZQ=="])
def test_a_cursor_we_did_not_make_is_refused(cursor: str) -> None:
    assert with_key().get(f"/api/v1/subscribers?cursor={cursor}").status_code in (400, 404)


@pytest.mark.parametrize("kind", LISTS)
def test_a_filter_that_does_not_exist_is_named(kind: str) -> None:
    answer = with_key().get(f"/api/v1/{kind}?colour=red")
    assert (answer.status_code, answer.json()["errors"]) == (400, {"colour": ["There is no such field."]})


@pytest.mark.parametrize("kind", LISTS)
def test_a_client_may_ask_what_a_door_takes(kind: str) -> None:
    answer = with_key().options(f"/api/v1/{kind}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert {"GET", "HEAD", "OPTIONS"} <= set(answer["Allow"].split(", "))
    assert answer["Link"] == '</api/schema>; rel="service-desc"'


def test_methods_that_a_door_does_not_know_are_405() -> None:
    subscriber = make.subscriber()
    assert with_key().delete(f"/api/v1/subscribers/{subscriber.pk}").status_code == 405
    assert Subscriber.objects.exists()
