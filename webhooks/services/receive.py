"""Takes one request in at the door: who sent it, what it says, was it here before? It never speaks HTTP.

Nothing is accepted before the commit that holds the event.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import Error, OperationalError, transaction

from webhooks import store, story
from webhooks.deciders import handshakes
from webhooks.deciders.scheme_columns import Reply
from webhooks.deciders.schemes import UnknownScheme
from webhooks.deciders.verify import Arrival, Refused
from webhooks.ids import public_id
from webhooks.sealing import Unreadable

from .certificates import CertificateUnavailable
from .handshakes import record
from .judge import NO_METHOD, Asked, Part, claimed_id, judge
from .known_sources import KnownSource, load, recall
from .refuse import refuse
from .rollups import note

logger = logging.getLogger(__name__)

# Verdicts that pages add up as refusals, though no Refusal is kept of these.
_UNACCEPTED = frozenset({"too-large", "unreadable", "unavailable", "unknown-source", "method-not-allowed"})
# Only what the sender itself can mend is told; of a signature, nothing, or guessing would be worth it.
_TOLD = {"identity-invalid": 422, "body-incomplete": 400, "body-compressed": 415}
_TRIES = 3  # for a source that changes while we decide; then the sender tries again


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: Mapping[str, Any] | str  # a mapping is sent as JSON, a text as it is
    content_type: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


Settled = store.Stored | store.Duplicate | store.Conflict


class _Changed(Exception):  # noqa: N818  # it rolls a batch back
    """The source is no longer as we knew it."""


UNKNOWN_SOURCE = Answer(404, {"detail": "There is no such source."})
TOO_LARGE = Answer(413, {"detail": "The body is too large."})
UNVERIFIED = Answer(401, {"detail": "signature verification failed"})
UNAVAILABLE = Answer(503, {"detail": "This could not be stored now; please send it again."})


def receive(*, slug: str, arrival: Arrival) -> Answer:
    if len(arrival.body) > settings.HUB_MAX_BODY:
        count(slug, "too-large", at=arrival.received_at)
        return TOO_LARGE
    try:
        return _receive(slug, arrival)
    except OperationalError as error:
        logger.warning("A request for %s could not be stored: %s", slug, str(error).strip())
    except CertificateUnavailable as error:
        logger.warning("A request for %s could not be verified: %s", slug, error)
    except (Error, Unreadable, UnknownScheme):
        logger.exception("A request for %s could not be stored.", slug)
    count(slug, "unavailable", at=arrival.received_at)
    return UNAVAILABLE


def count(slug: str, verdict: str, *, at: datetime, reason: str = "", secret_id: UUID | None = None) -> None:
    """For pages and metrics, which tell of all processes together."""
    source = recall(slug)
    if verdict in _UNACCEPTED:
        verdict, reason = "refused", reason or verdict
    note(source_id=source.id if source else None, verdict=verdict, reason=reason, at=at, secret_id=secret_id)


def _receive(slug: str, arrival: Arrival) -> Answer:
    source = recall(slug)
    is_fresh = False
    for _ in range(_TRIES):
        if source is None:
            source, is_fresh = load(slug), True
        if source is None:
            count(slug, "unknown-source", at=arrival.received_at)
            return UNKNOWN_SOURCE
        judged = judge(source, arrival)
        if isinstance(judged, Refused | Asked):
            if is_fresh:
                return _told(source, arrival, judged)
        elif verdicts := _store(judged):
            return _settled(source, judged, verdicts)
        # Refused by a copy that may be old, or the copy was old: once more, with the source as it is.
        source = None
    count(slug, "unavailable", at=arrival.received_at)
    return UNAVAILABLE


def _store(parts: Sequence[Part]) -> list[Settled]:
    """Nothing when the source has changed in between. A batch is one transaction."""
    if len(parts) == 1:
        verdict = store.store(parts[0].fact)
        return [] if isinstance(verdict, store.SourceChanged) else [verdict]
    verdicts: list[Settled] = []
    try:
        with transaction.atomic():
            for part in parts:
                verdict = store.store(part.fact)
                if isinstance(verdict, store.SourceChanged):
                    raise _Changed
                verdicts.append(verdict)
    except _Changed:
        return []
    return verdicts


def _told(source: KnownSource, arrival: Arrival, judged: Refused | Asked) -> Answer:
    if isinstance(judged, Asked):
        follow_up = judged.handshake.follow_up(arrival)
        record(
            source_id=source.id,
            name=judged.handshake.name,
            at=arrival.received_at,
            status=judged.reply.status,
            external_id=judged.external_id,
            follow_up=follow_up,
        )
        count(source.slug, "handshake", at=arrival.received_at, secret_id=judged.secret_id)
        return _answer(judged.reply)
    if judged.reason == NO_METHOD:
        count(source.slug, "method-not-allowed", at=arrival.received_at)
        return not_allowed(_methods(source))
    return _refused(source, arrival, judged)


def _refused(source: KnownSource, arrival: Arrival, refused: Refused) -> Answer:
    refuse(
        source_id=source.id,
        arrival=arrival,
        reason=refused.reason,
        detail=refused.detail,
        claimed_id=claimed_id(source, arrival),
    )
    count(source.slug, "refused", reason=refused.reason, at=arrival.received_at)
    story.tell("refused", source_id=source.id, reason=refused.reason, address=arrival.remote_address)
    status = _TOLD.get(refused.reason)
    return Answer(status, {"detail": refused.detail}) if status else UNVERIFIED


def _settled(source: KnownSource, parts: Sequence[Part], verdicts: Sequence[Settled]) -> Answer:
    told = [_word(source, part, verdict) for part, verdict in zip(parts, verdicts, strict=True)]
    for number, (part, each) in enumerate(zip(parts, told, strict=True)):
        # One signature stands for all parts, so its secret matched once.
        secret_id = None if number else part.secret_id
        count(source.slug, each["status"], at=part.arrival.received_at, secret_id=secret_id)
        if each["status"] != "accepted":  # that is told by the store
            story.tell(each["status"], event_id=verdicts[number].event_id, source_id=source.id)
    if source.scheme.reply:
        return _answer(source.scheme.reply)
    is_new = any(each["status"] == "accepted" for each in told)
    if len(told) == 1:
        return Answer(202 if is_new else 200, told[0])
    return Answer(202 if is_new else 200, {"status": "accepted" if is_new else "duplicate", "events": told})


def _word(source: KnownSource, part: Part, verdict: Settled) -> dict[str, str]:
    event = public_id("event", verdict.event_id)
    match verdict:
        case store.Stored():
            return {"status": "accepted", "event": event}
        case store.Duplicate():
            return {"status": "duplicate", "event": event}
    # Taken with 200, since sending it again would not help; the Refusal tells a person.
    refuse(
        source_id=source.id,
        arrival=part.arrival,
        reason="id-conflict",
        detail="This id came before, with another body.",
        claimed_id=part.fact.external_id,
        event_id=verdict.event_id,
    )
    return {"status": "conflict", "event": event}


def not_allowed(methods: Sequence[str]) -> Answer:
    detail = {"detail": "Nothing is taken here by this method."}
    return Answer(405, detail, headers={"Allow": ", ".join(methods)})


def _methods(source: KnownSource) -> tuple[str, ...]:
    asked = handshakes.methods(source.scheme.handshakes)
    return tuple(dict.fromkeys((*source.scheme.methods, *asked)))


def _answer(reply: Reply) -> Answer:
    return Answer(reply.status, reply.body, reply.content_type, reply.headers or {})
