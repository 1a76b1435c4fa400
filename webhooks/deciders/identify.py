"""Decides which fact a request reports: its id, its type, its time. It never changes a byte of the body."""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from .expressions import ExpressionFailed, compile_expression, parse_json
from .schemes import Scheme
from .verify import Arrival, Refused

MAX_ID = 500  # characters; what the database keeps
MAX_TYPE = 200
MAX_ENTITY = 500
MAX_VERSION = 2**63 - 1  # what the database counts up to
_HEADER = "header:"
_JSON = "json:"
# PostgreSQL cannot hold NUL, UTF-8 cannot hold half a surrogate pair, and no honest id has the others.
_UNFIT = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
# A body with all of these is Weir's own, as published over its API: only there do `entity` and `entity_version`
# surely mean what we mean by them.
_ENVELOPE = frozenset({"event_id", "event_type", "timestamp", "data"})
_MILLISECONDS_FROM = 1e11  # as seconds this would be the year 5138
# Numbers stay the text they were sent as: exact for ids, and safe with 5,000 digits.
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=lambda name: None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    external_id: str
    kind: str  # "id", or "fingerprint" when the sender gave none
    event_type: str = ""
    occurred_at: datetime | None = None
    operation_id: str = ""
    entity: str = ""
    entity_version: int | None = None


def identify(*, scheme: Scheme, id_from: str, type_from: str, arrival: Arrival) -> Identity | Refused:
    """Looks where the source's settings say (`header:<name>` or JMESPath), or where its scheme does.

    What is not there, or is no text or number, is absent: without an id the body's fingerprint stands in.
    """
    content = _Content(arrival)
    external_id = content.look_up(id_from) if id_from else content.first_of(scheme.id_sources)
    event_type = content.look_up(type_from) if type_from else content.first_of(scheme.type_sources)
    entity, version = content.subject() if scheme.may_be_ours else ("", "")
    flaw = (
        _flaw("event id", external_id, MAX_ID)
        or _flaw("event type", event_type, MAX_TYPE)
        or _flaw("entity", entity, MAX_ENTITY)
        or _flaw_of_version(version)
    )
    if flaw:
        return Refused(reason="identity-invalid", detail=flaw)
    return Identity(
        external_id=external_id or hashlib.sha256(arrival.body).hexdigest(),
        kind="id" if external_id else "fingerprint",
        event_type=event_type,
        occurred_at=_moment(content.first_of(scheme.time_sources)),
        entity=entity,
        entity_version=int(version) if version else None,
    )


def check_place(text: str) -> None:
    """Raises ValueError with one sentence when `text` is neither `header:<name>` nor JMESPath."""
    if text.startswith(_HEADER):
        if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", text.removeprefix(_HEADER)):
            raise ValueError("After header: comes the name of one header.")
    else:
        compile_expression(text)


def check_name(what: str, text: str, limit: int) -> None:
    """Raises ValueError with one sentence when an id or a type could not be kept."""
    if flaw := _flaw(what, text, limit):
        raise ValueError(flaw)


def check_version(version: int) -> None:
    """Raises ValueError with one sentence when a version could not be kept."""
    if not 0 <= version <= MAX_VERSION:
        raise ValueError(_ODD_VERSION)


class _Content:
    """A request's headers and its body as JSON, parsed once and only if somebody asks."""

    def __init__(self, arrival: Arrival) -> None:
        self._arrival = arrival

    def first_of(self, places: Sequence[str]) -> str:
        return next((text for place in places if (text := self._at(place))), "")

    def look_up(self, place: str) -> str:
        """A place that an operator named."""
        if place.startswith(_HEADER):
            return self._at(place)
        try:
            return _as_text(compile_expression(place).evaluate(parse_json(self._arrival.body)))
        except (ExpressionFailed, ValueError):
            return ""

    def subject(self) -> tuple[str, str]:
        """Entity and version, where the body is Weir's own envelope; a version alone is a version of nothing."""
        document = self._document
        if not isinstance(document, dict) or not document.keys() >= _ENVELOPE:
            return "", ""
        entity = _as_text(document.get("entity"))
        return entity, _as_text(document.get("entity_version")) if entity else ""

    def _at(self, place: str) -> str:
        if place.startswith(_HEADER):
            return self._arrival.headers.get(place.removeprefix(_HEADER).lower(), "").strip()
        value = self._document
        for name in place.removeprefix(_JSON).split("."):
            value = value.get(name) if isinstance(value, dict) else None
        return _as_text(value)

    @cached_property
    def _document(self) -> Any:
        body = self._arrival.body
        try:
            return _DECODER.decode(body.decode(json.detect_encoding(body)))
        except (ValueError, RecursionError):
            return None


def _as_text(value: object) -> str:
    if isinstance(value, str):
        return value if value.strip() else ""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return str(value) if is_number else ""


def _flaw(what: str, text: str, limit: int) -> str:
    if len(text) > limit:
        return f"The {what} is longer than {limit} characters."
    return f"The {what} holds a control character or half a character." if _UNFIT.search(text) else ""


_ODD_VERSION = f"An entity version is a whole number from 0 to {MAX_VERSION}."


def _flaw_of_version(text: str) -> str:
    # As digits and by length first: Python refuses to read a number of thousands.
    is_whole = re.fullmatch(r"[0-9]{1,19}", text) is not None and int(text) <= MAX_VERSION
    return "" if not text or is_whole else _ODD_VERSION


def _moment(text: str) -> datetime | None:
    """ISO 8601, or Unix seconds or milliseconds; anything else is no time."""
    try:
        if text[4:5] == "-":
            moment = datetime.fromisoformat(text)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        seconds = float(text)
        return datetime.fromtimestamp(seconds / 1000 if seconds >= _MILLISECONDS_FROM else seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None
