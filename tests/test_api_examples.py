"""The examples of the API's description fit what they are of, and what makes something can be sent as it is shown."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import jsonschema
import pytest

from hub.openapi import document
from hub.openapi.choices import CHOICES
from hub.openapi.examples import FIELDS, REQUESTS
from hub.openapi.words import WORDS, known_as
from tests import make
from tests.callers import with_key
from webhooks.ids import public_id

FORMATS = jsonschema.FormatChecker()
DESCRIBED = document._doors()
SCHEMAS: dict[str, Any] = DESCRIBED["components"]["schemas"]

# In an order in which each finds what it names.
MAKING = (
    "sources", "subscribers", "subscriptions", "event-types", "events", "events/batch", "replays", "api-keys",
)  # fmt: skip


@FORMATS.checks("date-time", raises=ValueError)
def _is_moment(text: object) -> bool:
    return not isinstance(text, str) or datetime.fromisoformat(text).tzinfo is not None


def faults(schema: dict[str, Any], example: Any) -> list[str]:
    within = {**schema, "components": DESCRIBED["components"]}
    validator = jsonschema.Draft202012Validator(within, format_checker=FORMATS)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(example)]


def properties() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for name, schema in SCHEMAS.items():
        for field, prop in schema.get("properties", {}).items():
            yield name, field, prop


def whole(schema: dict[str, Any]) -> Any:
    """What a page that lets people try it fills in, from the examples of the parts."""
    if "$ref" in schema:
        return whole(SCHEMAS[schema["$ref"].rpartition("/")[2]])
    if given := [schema["example"]] if "example" in schema else schema.get("examples"):
        return given[0]
    for parts in ("oneOf", "allOf"):
        if parts in schema:
            return whole(schema[parts][0])
    if "properties" in schema:
        return {field: whole(prop) for field, prop in schema["properties"].items()}
    assert "items" in schema, schema
    return [whole(schema["items"])]


def media(operation: dict[str, Any]) -> dict[str, Any]:
    return dict(operation.get("requestBody", {}).get("content", {}).get("application/json", {}))


def test_every_fields_example_fits_it() -> None:
    wrong = {
        f"{name}.{field}": faults(prop, example)
        for name, field, prop in properties()
        for example in prop.get("examples", ())
    }
    assert {name: found for name, found in wrong.items() if found} == {}


def test_every_example_that_is_made_of_its_parts_examples_fits_the_whole() -> None:
    wrong = {name: faults(schema, whole(schema)) for name, schema in SCHEMAS.items()}
    assert {name: found for name, found in wrong.items() if found} == {}


def test_every_requests_example_fits_its_schema() -> None:
    shown = [
        media(operation)
        for methods in DESCRIBED["paths"].values()
        for operation in methods.values()
        if "example" in media(operation)
    ]
    assert [found for each in shown if (found := faults(each["schema"], each["example"]))] == []
    assert shown


def test_an_example_that_does_not_fit_is_found() -> None:
    assert faults(SCHEMAS["ReplayOrderRequest"], {"filter": "data.paid"})
    assert faults(SCHEMAS["CriteriaRequest"], {"subscription": f"sub_{'0' * 32}"})
    assert faults(SCHEMAS["KeyBodyRequest"], {"role": "viewer", "expires_at": "tomorrow"})


def test_no_text_has_a_mere_placeholder_for_an_example() -> None:
    bare = [f"{name}.{field}" for name, field, prop in properties() if "text" in prop.get("examples", ())]
    assert bare == []


def test_a_state_says_which_there_are() -> None:
    stated = [f"{name}.{field}" for name, field, prop in properties() if field == "state" and "enum" in prop]
    assert stated == [f"{name}.{field}" for name, field, _ in properties() if field == "state"]
    assert SCHEMAS["DeliveryBrief"]["properties"]["state"]["enum"] == [
        "pending", "delivered", "dead", "discarded", "superseded",
    ]  # fmt: skip


def test_every_row_of_the_tables_is_of_a_field_or_a_request_that_there_is() -> None:
    names = {each for name, field, _ in properties() for each in known_as(name, field)}
    assert {*WORDS, *FIELDS, *CHOICES} - names == set()
    assert {f"{name}Request" for name in REQUESTS} - {
        media(operation).get("schema", {}).get("$ref", "").rpartition("/")[2].removeprefix("Patched")
        for methods in DESCRIBED["paths"].values()
        for operation in methods.values()
    } == set()


@pytest.mark.django_db
def test_what_makes_something_can_be_tried_as_it_is_shown() -> None:
    caller = with_key()
    owner, hook = (
        public_id("subscriber", make.subscriber().pk),
        public_id("subscription", make.subscription().pk),
    )
    answers = {}
    for path in MAKING:
        body = media(DESCRIBED["paths"][f"/api/v1/{path}"]["post"])["example"]
        if "subscriber" in body:
            body = {**body, "subscriber": owner}
        if "filter" in body:
            body = {**body, "filter": {**body["filter"], "subscription": [hook]}}
        answer = caller.post(f"/api/v1/{path}", body)
        answers[path] = (answer.status_code, answer.json() if answer.status_code >= 300 else "")
    made = dict.fromkeys(MAKING, (201, ""))
    assert answers == made | {"replays": (200, "")}
