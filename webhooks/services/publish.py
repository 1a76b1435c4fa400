"""Publishes events for a key holder, one or many: the door's store and verdicts. It checks no key and no signature.

What is published must fit its type, where the catalogue has one; what providers send to /in/ is never asked to.

An event may be for one subscriber alone (`target`), and it may be for later (`deliver_at`). Then it is stored at
once and *routed when its time has come*, not routed now with a late due time. So it goes to those who subscribe
then, through their filters of then; a paused lane holds it like any other; in a strictly ordered lane it takes its
turn among what happens then, where one scheduled for next week would have everything behind it wait a week; and in
a lane that wants the latest only it makes nothing older obsolete before it exists.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils import timezone

from webhooks import store
from webhooks.deciders.business_keys import business_keys_of
from webhooks.deciders.expressions import ExpressionFailed, render_json
from webhooks.deciders.identify import MAX_ENTITY, MAX_ID, MAX_TYPE, check_name, check_version
from webhooks.deciders.trace_context import Parent
from webhooks.deciders.verify import Arrival
from webhooks.ids import public_id
from webhooks.models import KeyKind, Source, Subscriber
from webhooks.store_many import SourcesChanged, store_many

from . import event_types
from .event_types import Catalogue
from .own_events import check_not_own
from .refuse import refuse

_CONTENT_TYPE = "application/json"
VERIFIED_BY = "api-key"
PUBLISHED = "API"  # in the place of a method: such a request came with a key, and has no signature
TARGET = "weir-subscriber"  # the header that keeps, of a refused one, whom alone it is for
MOST_AT_ONCE = 1_000  # events in one batch
FURTHEST = timedelta(days=30)  # ahead: `deliver_at` may be no later
_TRIES = 3  # for a source that changes while a batch is on its way

Verdict = store.Stored | store.Duplicate | store.Conflict
Problems = Mapping[str, list[str]]  # by field


class BatchInvalid(Exception):  # noqa: N818  # it names what happened
    """Of a batch some cannot be events, so that none was stored; `problems` says which and why."""

    def __init__(self, problems: Mapping[int, Problems]) -> None:
        super().__init__(f"{len(problems)} of the events are not valid.")
        self.problems = problems


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """What a publisher says happened. It may name what it is about, and which state of that it tells."""

    source: Source
    event_type: str
    data: object
    event_id: str
    entity: str | None = None
    entity_version: int | None = None
    target: Subscriber | None = None
    deliver_at: datetime | None = None


def publish(
    *,
    source: Source,
    event_id: str | None = None,
    event_type: str,
    data: object,
    entity: str | None = None,
    entity_version: int | None = None,
    cause_id: UUID | None = None,
    sender: Parent | None = None,
    tracestate: str = "",
    target: Subscriber | None = None,
    deliver_at: datetime | None = None,
    catalogue: Catalogue | None = None,
) -> Verdict:
    """Raises ValidationError, by field, when this cannot be an event. `cause_id` names the delivery that caused it.

    `sender` is the span it was sent from, `tracestate` are the entries of other vendors that it came with.
    The catalogue is looked into where it is not given.
    """
    said = Said(
        source=source,
        event_type=event_type,
        data=data,
        event_id=uuid4().hex if event_id is None else event_id,
        entity=entity,
        entity_version=entity_version,
        target=target,
        deliver_at=deliver_at,
    )
    now = timezone.now()
    fact = _fact(said, now, cause_id, event_types.look_up([event_type]) if catalogue is None else catalogue)
    while True:
        _check_enabled(said.source)
        verdict = store.store(replace(fact, sender=sender, tracestate=tracestate))
        if isinstance(verdict, store.Conflict):
            _keep_conflict(fact, verdict, now)
        if not isinstance(verdict, store.SourceChanged):
            return verdict
        said = replace(said, source=_as_it_is_now(said.source))
        fact = _of(fact, said.source)


def publish_many(
    *,
    batch: Sequence[Said],
    cause_id: UUID | None = None,
    sender: Parent | None = None,
    tracestate: str = "",
    catalogue: Catalogue | None = None,
) -> list[Verdict]:
    """All or none, in their order, in one transaction; one verdict each. Raises BatchInvalid.

    An id that was published before, in this batch too, is a duplicate or a conflict, and stops none of the others.
    """
    now = timezone.now()
    if catalogue is None:
        catalogue = event_types.look_up({said.event_type for said in batch})
    facts = [
        replace(fact, sender=sender, tracestate=tracestate)
        for fact in _facts(batch, now, cause_id, catalogue)
    ]
    for _ in range(_TRIES):
        try:
            verdicts = store_many(facts)
        except SourcesChanged:
            facts = _as_they_are_now(facts)
            continue
        for fact, verdict in zip(facts, verdicts, strict=True):
            if isinstance(verdict, store.Conflict):
                _keep_conflict(fact, verdict, now)
        return verdicts
    raise BatchInvalid({0: {"source": ["This source is being changed just now; try again."]}})


def problems_of(batch: Mapping[int, Said], catalogue: Catalogue) -> dict[int, Problems]:
    """Why some of these cannot be events, by place: for a batch that is refused already, so that all is told."""
    return _sorted_out(batch, timezone.now(), None, catalogue)[1]


def _facts(
    batch: Sequence[Said], now: datetime, cause_id: UUID | None, catalogue: Catalogue
) -> list[store.Fact]:
    facts, problems = _sorted_out(dict(enumerate(batch)), now, cause_id, catalogue)
    if problems:
        raise BatchInvalid(problems)
    return facts


def _sorted_out(
    batch: Mapping[int, Said], now: datetime, cause_id: UUID | None, catalogue: Catalogue
) -> tuple[list[store.Fact], dict[int, Problems]]:
    facts: list[store.Fact] = []
    problems: dict[int, Problems] = {}
    for place, said in batch.items():
        try:
            _check_enabled(said.source)
            facts.append(_fact(said, now, cause_id, catalogue))
        except ValidationError as error:
            problems[place] = error.message_dict
    return facts, problems


def _as_they_are_now(facts: Sequence[store.Fact]) -> list[store.Fact]:
    sources = Source.objects.in_bulk({fact.source_id for fact in facts})
    renewed: list[store.Fact] = []
    problems: dict[int, Problems] = {}
    for place, fact in enumerate(facts):
        source = sources.get(fact.source_id)
        if source is not None and source.is_enabled:
            renewed.append(_of(fact, source))
        else:
            problems[place] = {"source": [_DISABLED if source else _GONE]}
    if problems:
        raise BatchInvalid(problems)
    return renewed


_DISABLED = "This source is disabled."
_GONE = "This source is gone."


def _check(field: str, what: str, text: str, limit: int) -> None:
    try:
        check_name(what, text, limit)
    except ValueError as error:
        raise ValidationError({field: str(error)}) from None
    if not text.strip():
        raise ValidationError({field: f"The {what} is blank."})


def _check_enabled(source: Source) -> None:
    check_not_own(source.pk)
    if not source.is_enabled:
        raise ValidationError({"source": _DISABLED})


def _fact(said: Said, now: datetime, cause_id: UUID | None, catalogue: Catalogue) -> store.Fact:
    _check("event_id", "event id", said.event_id, MAX_ID)
    _check("event_type", "event type", said.event_type, MAX_TYPE)
    subject = _subject(said.entity, said.entity_version)
    later = _later(said.deliver_at, now)
    body = _body(said, now, subject)
    if problems := event_types.problems(catalogue, said.event_type, said.data):
        raise ValidationError(problems)
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
        body_digest=_digest(said, subject),
        content_type=_CONTENT_TYPE,
        headers=[],
        verified_by=VERIFIED_BY,
        cause_id=cause_id,
        business_keys=business_keys_of(said.source.business_keys, body),
        target_id=said.target.pk if said.target else None,
        deliver_at=later,
        **subject,
    )


def _of(fact: store.Fact, source: Source) -> store.Fact:
    """The same, of the source as it is now."""
    names = business_keys_of(source.business_keys, fact.body)
    return replace(fact, source_revision=source.revision, business_keys=names)


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
    timestamp = now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    head = {"event_id": said.event_id, "event_type": said.event_type, "timestamp": timestamp}
    try:
        body = render_json({**head, **subject, "data": said.data})
    except ExpressionFailed:
        raise ValidationError({"data": "This holds something that JSON cannot."}) from None
    if len(body) > settings.HUB_MAX_BODY:
        raise ValidationError({"data": f"The event is larger than {settings.HUB_MAX_BODY} bytes."})
    return body


def _digest(said: Said, subject: Mapping[str, Any]) -> bytes:
    """Of what was said and not of the body, whose timestamp differs with every try."""
    terms = {
        "target": said.target.pk.hex if said.target else None,
        "deliver_at": said.deliver_at and said.deliver_at.isoformat(),
    }
    more: Iterable[Any] = (each for each in (dict(subject), terms) if any(each.values()))
    return hashlib.sha256(json.dumps([said.event_type, said.data, *more], sort_keys=True).encode()).digest()


def _keep_conflict(fact: store.Fact, conflict: store.Conflict, now: datetime) -> None:
    headers = {TARGET: public_id("subscriber", fact.target_id)} if fact.target_id else {}
    arrival = Arrival(
        method=PUBLISHED, headers=headers, body=fact.body, query="", remote_address="", received_at=now
    )
    refuse(
        source_id=fact.source_id,
        arrival=arrival,
        reason="id-conflict",
        detail="This id was published before, with other data.",
        claimed_id=fact.external_id,
        event_id=conflict.event_id,
    )


def _as_it_is_now(source: Source) -> Source:
    try:
        return Source.objects.get(pk=source.pk)
    except Source.DoesNotExist:
        raise ValidationError({"source": _GONE}) from None
