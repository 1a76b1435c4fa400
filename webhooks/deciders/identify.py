"""Decides which fact a request reports: its id, its type, its time. It never changes a byte of the body."""

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime

from .arrival import Arrival
from .expressions import compile_expression
from .places import as_text, evaluated, first_of, look_up
from .scheme_columns import Scheme
from .verdicts import Refused

MAX_ID = 500  # characters; what the database keeps
MAX_TYPE = 200
MAX_ENTITY = 500
MAX_VERSION = 2**63 - 1  # what the database counts up to
_HEADER = "header:"
# PostgreSQL cannot hold NUL, UTF-8 cannot hold half a surrogate pair, and no honest id has the others.
_UNFIT = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
# A body with all of these is Weir's own, as published over its API: only there do `entity` and `entity_version`
# surely mean what we mean by them.
_ENVELOPE = frozenset({"event_id", "event_type", "timestamp", "data"})
_MILLISECONDS_FROM = 1e11  # as seconds this would be the year 5138


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
    external_id = _look_up(arrival, id_from) if id_from else first_of(arrival, scheme.id_sources)
    event_type = _look_up(arrival, type_from) if type_from else first_of(arrival, scheme.type_sources)
    operation_id = first_of(arrival, scheme.operation_sources)
    entity, version = _subject(scheme, arrival)
    flaw = (
        _flaw("event id", external_id, MAX_ID)
        or _flaw("event type", event_type, MAX_TYPE)
        or _flaw("operation id", operation_id, MAX_ID)
        or _flaw("entity", entity, MAX_ENTITY)
        or _flaw_of_version(version)
    )
    if flaw:
        return Refused(reason="identity-invalid", detail=flaw)
    return Identity(
        external_id=external_id or hashlib.sha256(arrival.body).hexdigest(),
        kind="id" if external_id else "fingerprint",
        event_type=event_type,
        occurred_at=_moment(first_of(arrival, scheme.time_sources)),
        operation_id=operation_id,
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


def _subject(scheme: Scheme, arrival: Arrival) -> tuple[str, str]:
    """Entity and version: of a provider's body what can be kept, of our own envelope all, so that a flaw is told."""
    if scheme.may_be_ours and not scheme.entity_sources:
        return _of_envelope(arrival.document)
    entity = first_of(arrival, scheme.entity_sources)
    version = first_of(arrival, scheme.version_sources)
    is_fit = entity and not _flaw("entity", entity, MAX_ENTITY)
    return (entity, "" if _flaw_of_version(version) else version) if is_fit else ("", "")


def _of_envelope(document: object) -> tuple[str, str]:
    """A version alone is a version of nothing."""
    if not isinstance(document, dict) or not document.keys() >= _ENVELOPE:
        return "", ""
    entity = as_text(document.get("entity"))
    return entity, as_text(document.get("entity_version")) if entity else ""


def _look_up(arrival: Arrival, place: str) -> str:
    """A place that an operator named."""
    return look_up(arrival, place) if place.startswith(_HEADER) else evaluated(arrival, place)


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
