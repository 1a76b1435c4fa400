"""Makes of what a publisher says the fact that is stored, or says why it can be none. It asks no table.

What is published must fit its type, where the catalogue has one; what providers send to /in/ is never asked to.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache, partial
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from django.conf import settings
from django.core.exceptions import ValidationError

from webhooks import store
from webhooks.deciders.business_keys import business_keys_of
from webhooks.deciders.expressions import ExpressionFailed, render_json
from webhooks.deciders.identify import MAX_ENTITY, MAX_ID, MAX_TYPE, check_name, check_version
from webhooks.deciders.plain_publication import Plain
from webhooks.deciders.times import zulu
from webhooks.deciders.trace_context import Parent
from webhooks.models import KeyKind, Source, Subscriber

from . import event_types
from .event_types import Catalogue

VERIFIED_BY = "api-key"
FURTHEST = timedelta(days=30)  # ahead: `deliver_at` may be no later
_CONTENT_TYPE = "application/json"


class Said(NamedTuple):
    """What a publisher says happened. It may name what it is about, and which state of that it tells."""

    source: Source
    event_type: str
    data: object
    event_id: str
    entity: str | None = None
    entity_version: int | None = None
    target: Subscriber | None = None
    deliver_at: datetime | None = None


class Origin(NamedTuple):
    """What it says it follows from: a delivery, the span it was sent from, and the entries of other vendors."""

    cause_id: UUID | None = None
    sender: Parent | None = None
    tracestate: str = ""


NOWHERE = Origin()


def said_plainly(plain: Plain, source: Source, event_id: str) -> Said:
    return Said(
        source=source,
        event_type=plain.event_type,
        data=plain.data,
        event_id=event_id,
        entity=plain.entity,
        entity_version=plain.entity_version,
    )


def fact_of(said: Said, now: datetime, origin: Origin, catalogue: Catalogue) -> store.Fact:
    _check("event_id", "event id", said.event_id, MAX_ID)
    _check("event_type", "event type", said.event_type, MAX_TYPE)
    if "*" in said.event_type:  # nobody could subscribe to it, or find it: patterns have stars
        raise ValidationError({"event_type": "An event type has no star in it; patterns do."})
    subject = _subject(said.entity, said.entity_version)
    later = _later(said.deliver_at, now)
    body = _body(said, now, subject)
    if problems := event_types.problems(catalogue, said.event_type, said.data):
        raise ValidationError(problems)
    terms = _terms(said, subject)
    return store.Fact(
        source_id=said.source.id,
        source_revision=said.source.revision,
        kind=KeyKind.ID,
        key_digest=hashlib.sha256(said.event_id.encode()).digest(),
        external_id=said.event_id,
        event_type=said.event_type,
        occurred_at=now,
        received_at=now,
        body=body,
        body_digest=_digest(terms),
        former_digest=partial(_former_digest, terms),
        content_type=_CONTENT_TYPE,
        headers=(),
        verified_by=VERIFIED_BY,
        cause_id=origin.cause_id,
        sender=origin.sender,
        tracestate=origin.tracestate,
        business_keys=business_keys_of(said.source.business_keys, body),
        target_id=said.target.pk if said.target else None,
        deliver_at=later,
        **subject,
    )


def as_of(fact: store.Fact, source: Source) -> store.Fact:
    """The same, of the source as it is now."""
    names = business_keys_of(source.business_keys, fact.body)
    return fact._replace(source_revision=source.revision, business_keys=names)


def _later(deliver_at: datetime | None, now: datetime) -> datetime | None:
    """None, too, where that time has come."""
    if deliver_at is None or deliver_at <= now:
        return None
    if deliver_at > now + FURTHEST:
        raise ValidationError({"deliver_at": f"It can be at most {FURTHEST.days} days ahead."})
    return deliver_at


def _subject(entity: str | None, version: int | None) -> dict[str, Any]:
    """What was said of the event's subject, as it is written in the body."""
    if entity is None:
        if version is not None:
            raise ValidationError({"entity_version": "A version needs the entity that it is a version of."})
        return {}
    _check("entity", "entity", entity, MAX_ENTITY)
    if version is None:
        return {"entity": entity}
    try:
        check_version(version)
    except ValueError as error:
        raise ValidationError({"entity_version": str(error)}) from None
    return {"entity": entity, "entity_version": version}


def _body(said: Said, now: datetime, subject: Mapping[str, Any]) -> bytes:
    timestamp = _stamp(now)
    head = {"event_id": said.event_id, "event_type": said.event_type, "timestamp": timestamp}
    try:
        body = render_json({**head, **subject, "data": said.data})
    except ExpressionFailed:
        raise ValidationError({"data": "This holds something that JSON cannot."}) from None
    if len(body) > settings.HUB_MAX_BODY:
        raise ValidationError({"data": f"The event is larger than {settings.HUB_MAX_BODY} bytes."})
    return body


_stamp = lru_cache(maxsize=1)(zulu)  # one for all of a batch


def _terms(said: Said, subject: Mapping[str, Any]) -> list[Any]:
    """What was said, and not the body, whose timestamp differs with every try."""
    terms: list[Any] = [said.event_type, said.data]
    if subject:
        terms.append(subject)
    if said.target or said.deliver_at:
        terms.append(
            {
                "target": said.target.pk.hex if said.target else None,
                "deliver_at": said.deliver_at and said.deliver_at.isoformat(),
            }
        )
    return terms


def _digest(terms: Sequence[Any]) -> bytes:
    try:
        return hashlib.sha256(orjson.dumps(terms, option=orjson.OPT_SORT_KEYS)).digest()
    except orjson.JSONEncodeError:  # an integer of more than 64 bits, or a great depth
        return _former_digest(terms)


def _former_digest(terms: Sequence[Any]) -> bytes:
    """As it was before orjson made it, by which ids that were taken then are known."""
    return hashlib.sha256(_IN_ORDER(terms).encode()).digest()


_IN_ORDER = json.JSONEncoder(sort_keys=True).encode


def _check(field: str, what: str, text: str, limit: int) -> None:
    try:
        check_name(what, text, limit)
    except ValueError as error:
        raise ValidationError({field: str(error)}) from None
    if not text.strip():
        raise ValidationError({field: f"The {what} is blank."})
