"""A schema is read within limits, and what does not fit it is told by its place. Nothing is ever fetched."""

import time
from typing import Any

import pytest

from webhooks.deciders.schemas import MAX_DEPTH, MAX_SIZE, MOST_FLAWS, read_schema

ORDER = {
    "type": "object",
    "required": ["id", "items"],
    "properties": {
        "id": {"type": "string", "pattern": "^[A-Z]{3}-[0-9]+$"},
        "items": {"type": "array", "items": {"$ref": "#/$defs/item"}},
    },
    "$defs": {"item": {"type": "object", "properties": {"price": {"type": "number", "minimum": 0}}}},
}


@pytest.mark.parametrize(
    ("value", "flaws"),
    [
        ({"id": "ORD-7", "items": [{"price": 1}]}, []),
        ([], ["data: [] is not of type 'object'"]),
        ({"id": "ORD-7"}, ["data: 'items' is a required property"]),
        (
            {"id": "ORD-7", "items": [{"price": 1}, {"price": -1}, {"price": "x"}]},
            [
                "data.items[1].price: -1 is less than the minimum of 0",
                "data.items[2].price: 'x' is not of type 'number'",
            ],
        ),
    ],
)
def test_what_does_not_fit_is_told_by_its_place(value: object, flaws: list[str]) -> None:
    assert read_schema(ORDER).flaws(value) == flaws


def test_a_format_tells_and_checks_nothing() -> None:
    assert read_schema({"type": "string", "format": "date-time"}).flaws("tomorrow") == []


@pytest.mark.parametrize(
    ("schema", "sentence"),
    [
        ([], 'A schema is a JSON object, such as {"type": "object"}.'),
        ({"type": "objekt"}, "This is no JSON Schema, at /type"),
        ({"properties": {"a": {"minimum": "1"}}}, "This is no JSON Schema, at /properties/a/minimum"),
        ({"$schema": "https://example.com/mine"}, "The $schema must name draft 2020-12, 2019-09 or 07"),
        ({"$ref": "https://example.com/schema.json"}, "it may refer to parts of itself only"),
        ({"$ref": "file:///etc/passwd"}, "it may refer to parts of itself only"),
        ({"allOf": [{"$dynamicRef": "other.json#x"}]}, "it may refer to parts of itself only"),
        ({"$ref": "#/$defs/nothing"}, "The schema refers to #/$defs/nothing, which it does not have."),
        (
            {"properties": {"a": {"$id": "https://example.com/a"}}},
            "Only the schema as a whole may have an $id.",
        ),
        ({"pattern": "("}, "The pattern '(' is no regular expression that RE2 reads: missing ): (."),
        ({"pattern": "(?=x)y"}, "invalid perl operator: (?=."),
        ({"patternProperties": {r"(.)\1": {}}}, r"invalid escape sequence: \1."),
        ({"pattern": "(?:(?:a{1,99}){1,99}){9}"}, "invalid repetition size"),
        (
            {"unevaluatedProperties": False, "allOf": [{"patternProperties": {"^a": {}}}]},
            "A schema with unevaluatedProperties can have no patternProperties.",
        ),
        ({"pattern": "a" * 501}, "A pattern has at most 500 characters."),
        (
            {"pattern": "a", "patternProperties": {f"x{number}": {} for number in range(100)}},
            "A schema has at most 100 patterns.",
        ),
        ({"description": "x" * MAX_SIZE}, "The schema has more than 65,536 bytes."),
    ],
)
def test_what_is_no_schema_of_ours_is_refused_in_a_sentence(schema: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        read_schema(schema)
    assert sentence in str(caught.value)


def test_a_schema_is_only_so_deep() -> None:
    schema: dict[str, Any] = {}
    for _ in range(MAX_DEPTH + 1):
        schema = {"not": schema}
    with pytest.raises(ValueError, match="nested more than 64 levels deep"):
        read_schema(schema)


@pytest.mark.parametrize(
    "draft", ["", "http://json-schema.org/draft-07/schema#", "https://json-schema.org/draft/2019-09/schema"]
)
def test_older_drafts_are_read_as_what_they_are(draft: str) -> None:
    schema: dict[str, Any] = {"$ref": "#/definitions/text", "definitions": {"text": {"type": "string"}}}
    schema |= {"$schema": draft} if draft else {}
    assert read_schema(schema).flaws(1) == ["data: 1 is not of type 'string'"]


def test_no_more_than_ten_flaws_are_told() -> None:
    assert len(read_schema({"items": {"type": "string"}}).flaws(list(range(100)))) == MOST_FLAWS


def test_a_flaw_that_quotes_a_long_value_is_cut() -> None:
    (flaw,) = read_schema({"type": "number"}).flaws("x" * 1_000)
    assert len(flaw) == len("data: ") + 200


def test_what_would_take_for_ever_is_given_up() -> None:
    either = {"required": ["z"], "properties": {"a": {"$ref": "#/$defs/n"}}}
    schema = read_schema({"$ref": "#/$defs/n", "$defs": {"n": {"anyOf": [either, either]}}})
    value: dict[str, Any] = {}
    for _ in range(40):
        value = {"a": value}
    began_at = time.monotonic()
    assert schema.flaws(value) == ["data: It takes too much work to hold this against its schema."]
    assert time.monotonic() - began_at < 20


def test_what_refers_to_itself_without_end_and_what_is_too_deep_are_told() -> None:
    told = ["data: It is nested too deeply to be held against its schema."]
    assert read_schema({"$ref": "#"}).flaws(1) == told
    value: dict[str, Any] = {}
    for _ in range(900):
        value = {"a": value}
    assert read_schema({"properties": {"a": {"$ref": "#"}}}).flaws(value) == told


@pytest.mark.parametrize("pattern", ["^(a+)+$", "^(a|aa)+$", "^(a|a)*$", "^(?:[a-z]*x)*$", "(a?){99}a{99}b"])
def test_a_pattern_that_has_ways_without_end_is_matched_in_no_time(pattern: str) -> None:
    schema = read_schema(
        {"pattern": pattern, "patternProperties": {pattern: {}}, "additionalProperties": False}
    )
    text = "a" * 99_999 + "!"
    began_at = time.monotonic()
    assert len(schema.flaws(text)) == 1
    assert len(schema.flaws({text: 1})) == 1
    assert time.monotonic() - began_at < 5


def test_a_pattern_matches_anywhere_and_by_characters() -> None:
    schema = read_schema({"pattern": "^.é.$|b"})
    assert [schema.flaws(text) for text in ("aéa", "abc", "aé")] == [
        [],
        [],
        ["data: 'aé' does not match '^.é.$|b'"],
    ]


def test_names_are_held_against_patterns() -> None:
    schema = read_schema(
        {
            "properties": {"id": {}},
            "patternProperties": {"^x-": {"type": "string"}},
            "additionalProperties": False,
        }
    )
    assert schema.flaws({"id": 1, "x-a": "b"}) == []
    assert schema.flaws({"x-a": 1}) == ["data.x-a: 1 is not of type 'string'"]
    assert schema.flaws({"y": 1, "z": 2}) == ["data: Additional properties are not allowed: 'y', 'z'"]
    other = read_schema({"patternProperties": {"^x-": {}}, "additionalProperties": {"type": "integer"}})
    assert other.flaws({"x-a": "b", "y": "c"}) == ["data.y: 'c' is not of type 'integer'"]


def test_a_text_that_is_very_long_is_held_against_no_pattern() -> None:
    assert read_schema({"pattern": "^a*$"}).flaws("a" * 100_000) == []
    assert read_schema({"pattern": "^a*$"}).flaws("a" * 100_001) == [
        "data: A text held against a pattern has at most 100,000 characters"
    ]


TOO_MUCH = ["data: It takes too much work to hold this against its schema."]


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"items": {"pattern": "^a*a*a*b$"}}, ["a" * 100_000] * 10_000),
        (
            {"items": {"patternProperties": {f"x{number}": {} for number in range(100)}}},
            [{f"{number:0100}": 1 for number in range(800)}] * 100,
        ),
        ({"items": {"enum": [f"c{number}" for number in range(5_000)]}}, ["x"] * 100_000),
        ({"items": {"properties": {f"p{number}": {} for number in range(2_000)}}}, [{}] * 100_000),
    ],
)
def test_much_that_takes_long_is_given_up(schema: Any, value: Any) -> None:
    began_at = time.monotonic()
    flaws = read_schema(schema).flaws(value)
    assert flaws == TOO_MUCH or len(flaws) == MOST_FLAWS
    assert time.monotonic() - began_at < 20


def test_many_ordinary_rows_fit() -> None:
    countries = [f"C{number}" for number in range(250)]
    row = {
        "properties": {
            "mail": {"pattern": "^[^@]+@[^@]+\\.[^@]+$"},
            "country": {"enum": countries},
            "id": {"pattern": "^ord_[0-9a-f]{32}$"},
        }
    }
    value = [{"mail": "somebody@mail.example.com", "country": "C249", "id": "ord_" + "0" * 32}] * 2_000
    assert read_schema({"items": row}).flaws(value) == []


@pytest.mark.parametrize(
    ("items", "is_unique"),
    [
        ([1, 2, "1", True, None, [1], {"a": 1}], True),
        ([1, 1.0], False),
        ([1, True], True),
        ([0, False], True),
        ([10**400, 10**400 + 1], True),
        ([{"a": 1, "b": [2]}, {"b": [2.0], "a": 1}], False),
        ([[1, "a"], ["a", 1]], True),
        ([["1"], [1]], True),
        ([None, None], False),
        ([{}, []], True),
        ([{"n": number} for number in range(50_000)], True),
    ],
)
def test_items_are_unique_as_json_schema_has_it(items: list[Any], is_unique: bool) -> None:
    began_at = time.monotonic()
    assert (read_schema({"uniqueItems": True}).flaws(items) == []) == is_unique
    assert time.monotonic() - began_at < 5


def test_a_number_beyond_any_float_is_held_against_one() -> None:
    halves = read_schema({"multipleOf": 0.5})
    assert halves.flaws(10**400) == []
    assert read_schema({"multipleOf": 7.5}).flaws(10**400)[0].startswith("data: 1000")
