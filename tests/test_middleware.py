"""What a request passes on its way to a door: callers of the API what is for all, people everything."""

from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from prometheus_client import REGISTRY

from hub.middleware import POLICY, Accounts, Forms, Messages, Sessions, StaticFiles
from tests import make
from tests.callers import Caller, with_key

FOR_PEOPLE = [StaticFiles, Sessions, Forms, Accounts, Messages]


def passing(layer: Any, path: str) -> tuple[HttpRequest, list[str]]:
    """A request after its way through the layer, and what that gave it; a look at its cookies gives nothing."""
    request = RequestFactory().get(path)
    before = set(vars(request)) | {"path_info"}
    answer = HttpResponse()
    assert layer(lambda _: answer)(request) is answer
    return request, sorted(set(vars(request)) - before - {"COOKIES"})


@pytest.mark.parametrize("layer", FOR_PEOPLE)
def test_a_caller_of_the_api_passes_by_what_is_for_people(
    layer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[HttpRequest] = []

    def notes(layer: Any, request: HttpRequest) -> HttpResponse:
        asked.append(request)
        return layer.get_response(request)

    monkeypatch.setattr(layer.__bases__[1], "__call__", notes)
    assert passing(layer, "/api/v1/events")[1] == []
    assert asked == []
    passing(layer, "/admin/")
    assert len(asked) == 1


@pytest.mark.parametrize("path", ["/admin/", "/api/docs", "/api/v1", "/api/problems"])
def test_people_have_a_session_on_every_page(path: str) -> None:
    assert passing(Sessions, path)[1] == ["session"]


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/api/v1/events", "/api/v1/nothing", "/api/docs"])
def test_every_answer_has_the_headers_that_guard_a_browser(path: str, client: Client) -> None:
    answer = client.get(path)
    told = {name: answer[name] for name in ("X-Content-Type-Options", "X-Frame-Options", "Referrer-Policy")}
    assert told == {
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "same-origin",
    }
    assert answer["Cross-Origin-Opener-Policy"] == "same-origin"
    assert answer["Content-Security-Policy"].startswith(POLICY[:18])
    assert answer["Content-Length"] == str(len(answer.content))
    assert not answer.cookies


def test_a_caller_that_asks_for_another_host_is_refused() -> None:
    answer = Caller().get("/api/v1/events", HTTP_HOST="elsewhere.example")
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")


POST = {"view": "event-list", "method": "POST"}
COUNTED = [
    ("django_http_requests_total_by_method_total", {"method": "POST"}),
    ("django_http_requests_total_by_transport_total", {"transport": "http"}),
    ("django_http_requests_total_by_view_transport_method_total", {**POST, "transport": "http"}),
    ("django_http_responses_total_by_status_total", {"status": "201"}),
    ("django_http_responses_total_by_status_view_method_total", {**POST, "status": "201"}),
    ("django_http_responses_total_by_charset_total", {"charset": "utf-8"}),
    ("django_http_requests_latency_seconds_by_view_method_count", POST),
    ("django_http_requests_latency_including_middlewares_seconds_count", {}),
    ("django_http_requests_body_total_bytes_count", {}),
    ("django_http_responses_body_total_bytes_count", {}),
]


def counted() -> list[float]:
    return [REGISTRY.get_sample_value(name, labels) or 0 for name, labels in COUNTED]


@pytest.mark.django_db
def test_every_request_is_counted_once_whichever_way_it_is_answered() -> None:
    make.source("shop")
    caller = with_key("publisher")
    said = {"source": "shop", "event_type": "order.placed", "data": 1}
    first, sent = counted(), 0.0
    for _ in range(3):  # the last two at once, from what is remembered
        size = REGISTRY.get_sample_value("django_http_requests_body_total_bytes_sum") or 0
        assert caller.post("/api/v1/events", said).status_code == 201
        sent = (REGISTRY.get_sample_value("django_http_requests_body_total_bytes_sum") or 0) - size
    assert [now - before for before, now in zip(first, counted(), strict=True)] == [3] * len(COUNTED)
    assert sent == len('{"source":"shop","event_type":"order.placed","data":1}')
