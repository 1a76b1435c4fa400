"""The API describes itself (OpenAPI 3.1): every operation, field and refusal, in words, and as it really is."""

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from django.test import Client
from drf_spectacular.drainage import GENERATOR_STATS

from hub.openapi import document
from hub.openapi.words import undescribed
from tests.tenants import routes
from webhooks.deciders.problems import PROBLEMS

METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    document._doors.cache_clear()
    GENERATOR_STATS.reset()
    return document._doors()


def operations(described: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in described["paths"].items():
        for method in METHODS & set(methods):
            yield f"{method} {path}", methods[method]


def test_the_generator_has_nothing_to_complain_of(described: dict[str, Any]) -> None:
    assert (dict(GENERATOR_STATS._warn_cache), dict(GENERATOR_STATS._error_cache)) == ({}, {})


def test_every_door_and_method_is_described(described: dict[str, Any]) -> None:
    served = sum(len(set(route.methods) & METHODS) for route in routes())
    assert len(list(operations(described))) == served


def test_every_operation_has_a_summary_and_its_refusals(described: dict[str, Any]) -> None:
    for name, operation in operations(described):
        assert operation["summary"], name
        assert operation["security"] == [{"apiKey": []}], name
        answers = set(operation["responses"])
        assert {"401", "403", "429", "500", "503"} < answers, name
        assert any(status.startswith("2") for status in answers), name
        assert ("404" in answers) is ("{" in name), name
        is_narrowed = any(each["in"] == "query" for each in operation["parameters"])
        assert "400" in answers or not is_narrowed, name
        for status, response in operation["responses"].items():
            kind = {"application/problem+json"} if status >= "400" else {"application/json"}
            if name.endswith("/raw") and status == "200":
                kind = {"*/*"}
            assert set(response.get("content", kind)) == kind, (name, status)


def test_what_finds_a_thing_beside_its_id_is_said_of_its_address(described: dict[str, Any]) -> None:
    told = {
        path: parameter["description"]
        for path, doors in described["paths"].items()
        for parameter in doors.get("get", {}).get("parameters", [])
        if parameter["in"] == "path"
    }
    assert told["/api/v1/sources/{id}"] == "The id or slug of the source."
    assert told["/api/v1/event-types/{id}"] == "The id or name of the event type."
    assert told["/api/v1/deliveries/{id}"] == "The id of the delivery."


def test_every_refusal_that_says_when_to_come_again_is_described_so(described: dict[str, Any]) -> None:
    for name, operation in operations(described):
        told = {
            status
            for status, answer in operation["responses"].items()
            if "Retry-After" in answer.get("headers", {})
        }
        assert told == {"409", "429", "503"} & set(operation["responses"]), name


def test_no_two_operations_share_a_name_or_a_summary(described: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, operation in operations(described)]
    summaries = [operation["summary"] for _, operation in operations(described)]
    assert len(set(names)) == len(names)
    assert len(set(summaries)) == len(summaries)


def test_every_field_and_parameter_is_said_in_words(described: dict[str, Any]) -> None:
    assert list(undescribed(described)) == []
    for name, operation in operations(described):
        assert [each["name"] for each in operation["parameters"] if not each.get("description")] == [], name


def test_every_field_has_an_example_or_is_made_of_such(described: dict[str, Any]) -> None:
    for name, schema in described["components"]["schemas"].items():
        for field, prop in schema.get("properties", {}).items():
            if any("$ref" in each for each in (prop, prop.get("items", {}), *prop.get("oneOf", ()))):
                continue
            if "allOf" in prop or "example" in prop.get("items", {}):
                continue
            assert "examples" in prop, f"{name}.{field}"


def test_how_a_secret_signs_is_one_of_two_ways(described: dict[str, Any]) -> None:
    signing = described["components"]["schemas"]["SigningKeyHint"]["properties"]["signing"]
    assert (signing["enum"], signing["examples"]) == (["v1", "v1a"], ["v1"])


def test_a_post_may_be_made_safe_to_repeat_and_an_edit_guarded(described: dict[str, Any]) -> None:
    wanted = {"post": "Idempotency-Key", "patch": "If-Match", "put": "If-Match", "delete": "If-Match"}
    for name, operation in operations(described):
        header = wanted.get(name.partition(" ")[0])
        assert header is None or header in {each["name"] for each in operation["parameters"]}, name


def test_an_example_of_a_problem_is_one(described: dict[str, Any]) -> None:
    parts = described["components"]["schemas"]["Problem"]["properties"]
    told = {name: part["examples"][0] for name, part in parts.items()}
    kind = PROBLEMS[told["code"]]
    assert (told["title"], told["status"]) == (kind.title, kind.status)
    assert told["type"].endswith(kind.path)


def test_lists_are_paged_by_cursor(described: dict[str, Any]) -> None:
    listed = described["paths"]["/api/v1/deliveries"]["get"]
    assert {"cursor", "limit", "status", "since", "q"} <= {each["name"] for each in listed["parameters"]}
    page = described["components"]["schemas"]["PaginatedDeliveryBriefList"]
    assert page["required"] == ["next", "previous", "results"]


@pytest.mark.django_db
def test_it_is_served_to_anybody_as_json() -> None:
    answer = Client().get("/api/schema")
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/vnd.oai.openapi+json")
    told = json.loads(answer.content)
    assert re.fullmatch(r"3\.1\.\d", told["openapi"])
    assert "x-spec" not in answer.content.decode()
    assert set(told) >= {"openapi", "info", "paths", "components", "webhooks"}
    for schema in told["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_the_pages_to_read_it_load_nothing_from_elsewhere() -> None:
    answer = Client().get("/api/docs")
    shown = answer.content.decode()
    assert "://" not in shown and "<style" not in shown and re.search(r"<script>", shown) is None
    assert "script-src" not in answer["Content-Security-Policy"]
    assert answer["Content-Security-Policy"].startswith("default-src 'self';")
