"""Puts what an operator filled in for a source into its row of the table, and says what is wrong with it."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from .expressions import compile_expression
from .key_forms import KeyForm
from .scheme_columns import Kind, Scheme, Unit

LONGEST = 500  # characters of one option
MAX_TOLERANCE_S = 604_800  # a week; beyond that an age protects from nothing
_EVERY_ROW = ("public_url", "tolerance_s")
_PLACES = {
    "operation_from": "operation_sources",
    "entity_from": "entity_sources",
    "version_from": "version_sources",
    "cause_from": "cause_sources",
    "time_from": "time_sources",
}
_EXPRESSION = "jmespath:"
_KINDS_OF_PLACE = ("header:", "json:", "form:", "field:")
_ALGORITHMS = ("sha1", "sha256", "sha384", "sha512")
_ENCODINGS = ("hex", "base64", "text")
_KEY_FORMS = (KeyForm.UTF8, KeyForm.HEX, KeyForm.BASE64)
_PLACEHOLDERS = ("body", "ts", "url", "method")


def known_options(row: Scheme) -> tuple[str, ...]:
    return (*_EVERY_ROW, *row.options, *_PLACES)


def with_options(row: Scheme, options: Mapping[str, Any]) -> Scheme:
    """The row as this source has it. Unknown names are left out: a later version may have written them."""
    known = {name: value for name, value in options.items() if name in known_options(row)}
    columns: dict[str, Any] = {
        _PLACES.get(name, name): _sources(value) if name in _PLACES else value
        for name, value in known.items()
    }
    if "key_form" in columns:
        columns["key_form"] = KeyForm(columns["key_form"])
    if "timestamp_unit" in columns:
        columns["timestamp_unit"] = Unit(columns["timestamp_unit"])
    return replace(row, **columns)


def _sources(place: str) -> tuple[str, ...]:
    """An override is written as `id_from` is: a place, or JMESPath. An empty one says that there is none."""
    if not place:
        return ()
    return (place if place.startswith(_KINDS_OF_PLACE) else _EXPRESSION + place,)


def check_options(row: Scheme, options: object) -> None:
    """Raises ValueError with one sentence."""
    if not isinstance(options, dict):
        raise ValueError("The options must be a JSON object.")
    for name, value in options.items():
        if name not in known_options(row):
            raise ValueError(f"The scheme {row.slug} has no option called {name!r}.")
        _check(name, value)
    if row.kind in (Kind.SNS, Kind.PAYPAL) and not options.get("account"):
        what = "the topic's ARN" if row.kind is Kind.SNS else "the webhook's id"
        raise ValueError(f"The scheme {row.slug} needs the option account: {what}.")
    _check_signed_age(with_options(row, options))


def _check(name: str, value: object) -> None:
    if name == "tolerance_s":
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MAX_TOLERANCE_S:
            raise ValueError(f"tolerance_s must be a number of seconds, at most {MAX_TOLERANCE_S}.")
        return
    if not isinstance(value, str) or len(value) > LONGEST:
        raise ValueError(f"The option {name} must be a text of at most {LONGEST} characters.")
    if name in _CHECKS:
        _CHECKS[name](name, value)


def _check_place(name: str, value: str) -> None:
    if not all(part.startswith(_KINDS_OF_PLACE) and part.partition(":")[2] for part in value.split(" + ")):
        raise ValueError(f"The option {name} must be header:<name>, json:<path> or form:<field>.")


def _check_override(name: str, value: str) -> None:
    if value.startswith(_KINDS_OF_PLACE):
        _check_place(name, value)
    elif value:
        compile_expression(value)


def _check_signed(name: str, value: str) -> None:
    if "{body}" not in value:
        raise ValueError("The signed template must hold {body}, or the body would not be signed.")
    for piece in value.split("{")[1:]:
        inner, closed, _ = piece.partition("}")
        if not closed or (inner not in _PLACEHOLDERS and not inner.startswith(("header:", "json:"))):
            raise ValueError(f"The signed template has an unknown placeholder {{{inner[:40]}}}.")


def _check_url(name: str, value: str) -> None:
    try:
        parts = urlsplit(value)
        is_url = (
            parts.scheme in ("http", "https") and bool(parts.hostname) and not (parts.query or parts.fragment)
        )
    except ValueError:
        is_url = False
    if value and not is_url:
        raise ValueError("public_url must be an http or https address without a query string.")


def _one_of(allowed: tuple[str, ...]) -> Callable[[str, str], None]:
    def check(name: str, value: str) -> None:
        if value not in allowed:
            raise ValueError(f"The option {name} must be one of {', '.join(allowed)}.")

    return check


_CHECKS: Mapping[str, Callable[[str, str], None]] = {
    "signature": _check_place,
    "timestamp": _check_place,
    **dict.fromkeys(_PLACES, _check_override),
    "signed": _check_signed,
    "public_url": _check_url,
    "algorithm": _one_of(_ALGORITHMS),
    "encoding": _one_of(_ENCODINGS),
    "key_form": _one_of(tuple(_KEY_FORMS)),
    "timestamp_unit": _one_of(tuple(Unit)),
    "least_version": _one_of(("1", "2")),
}


def _check_signed_age(row: Scheme) -> None:
    if "{ts}" in row.signed and not row.timestamp:
        raise ValueError("The signed template holds {ts}, so the option timestamp must say where that is.")
