"""The catalogue as OpenAPI's `webhooks`: what Weir sends for each type, so that a receiver can be made from it."""

import pytest
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from webhooks.deciders.webhooks_section import TypeFacts, webhooks_section
from webhooks.models import EventType
from webhooks.selectors.event_types import described

PRICE = {"$ref": "#/$defs/price", "$defs": {"price": {"type": "number"}}}


def test_each_type_is_a_post_that_the_subscriber_answers() -> None:
    section = webhooks_section([TypeFacts(name="b.b", description="It was."), TypeFacts(name="a.a")])
    assert list(section) == ["a.a", "b.b"]
    post = section["b.b"]["post"]
    assert post["description"] == "It was."
    names = [each["name"] for each in post["parameters"]]
    assert names == ["webhook-id", "webhook-timestamp", "webhook-signature"]
    assert {each["in"] for each in post["parameters"]} == {"header"}
    assert set(post["responses"]) == {"2XX", "410", "4XX", "default"}
    assert "deprecated" not in post


def test_its_schema_is_that_of_what_is_sent() -> None:
    post = webhooks_section([TypeFacts(name="order.placed", schema=PRICE, example=7)])["order.placed"]["post"]
    media = post["requestBody"]["content"]["application/json"]
    validator = Draft202012Validator(media["schema"])
    validator.validate(media["example"])
    with pytest.raises(ValidationError):
        validator.validate(media["example"] | {"data": "seven"})
    with pytest.raises(ValidationError):
        validator.validate(media["example"] | {"event_type": "order.paid"})


def test_a_schema_that_refers_to_itself_means_itself_and_not_the_document_around_it() -> None:
    facts = [TypeFacts(name="a", schema=PRICE), TypeFacts(name="b", schema={"type": "string"})]
    section = webhooks_section(facts)
    schemas = [
        section[name]["post"]["requestBody"]["content"]["application/json"]["schema"] for name in ("a", "b")
    ]
    assert [schema["properties"]["data"].get("$id") for schema in schemas] == ["urn:weir:event-type:a", None]


@pytest.mark.django_db
def test_the_document_tells_of_every_type_that_may_still_be_published() -> None:
    EventType.objects.create(name="old", state="deprecated")
    EventType.objects.create(name="gone", state="archived")
    EventType.objects.create(name="live", schema={"type": "object"})
    section = described()
    assert list(section) == ["live", "old"]
    assert section["old"]["post"]["deprecated"] is True
