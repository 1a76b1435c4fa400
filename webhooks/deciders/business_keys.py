"""Finds in a body what people call its event by, such as an order's number. It stores and compares nothing."""

import re
from collections.abc import Mapping

from .expressions import ExpressionFailed, compile_expression, parse_json
from .identify import check_name
from .places import as_text

MOST_KEYS = 3  # of one source: each is a row more for every event
LONGEST_VALUE = 200  # characters; nobody looks for more
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}", re.ASCII)


def check_business_keys(keys: object) -> None:
    """Raises ValueError with one sentence. Keys are an object: a name, such as `order`, and a JMESPath for each."""
    if not isinstance(keys, dict):
        raise ValueError('Business keys must be a JSON object, such as {"order": "data.order.id"}.')
    if len(keys) > MOST_KEYS:
        raise ValueError(f"A source has at most {MOST_KEYS} business keys.")
    for name, place in keys.items():
        if not _NAME.fullmatch(name):
            raise ValueError("A business key's name has lower-case letters, digits, - and _, at most 40.")
        if not isinstance(place, str) or not place:
            raise ValueError(f"The business key {name} must be a JMESPath.")
        compile_expression(place)


def business_keys_of(places: Mapping[str, str], body: bytes) -> list[tuple[str, str]]:
    """Name and value of those that are there. What is no text or number, or too long, is not; nothing is refused."""
    if not places:
        return []
    try:
        document = parse_json(body)
    except ExpressionFailed:
        return []
    found = ((name, _value(place, document)) for name, place in places.items())
    return [(name, value) for name, value in found if value]


def _value(place: str, document: object) -> str:
    try:
        value = as_text(compile_expression(place).evaluate(document)).strip()
        check_name("business key", value, LONGEST_VALUE)
    except (ExpressionFailed, ValueError):
        return ""
    return value
