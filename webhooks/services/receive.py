"""Takes one request in at the door: who sent it, what it says, was it here before? It never speaks HTTP.

Nothing is accepted before the commit that holds the event.
"""

import hashlib
import logging
from dataclasses import dataclass

from django.conf import settings
from django.db import Error, OperationalError
from prometheus_client import Counter

from webhooks import store
from webhooks.deciders.identify import Identity, identify
from webhooks.deciders.redaction import mask
from webhooks.deciders.schemes import UnknownScheme
from webhooks.deciders.verify import Arrival, Refused, Verified, verify
from webhooks.ids import public_id
from webhooks.sealing import Unreadable

from .known_sources import KnownSource, load, recall
from .refuse import refuse

logger = logging.getLogger(__name__)

RECEIPTS = Counter("weir_receipts", "Requests at the door, by what became of them.", ["source", "verdict"])
_UNKNOWN = "unknown"  # the only label for slugs that strangers make up
_TRIES = 3  # for a source that changes while we decide; then the sender tries again


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: dict[str, str]


UNKNOWN_SOURCE = Answer(404, {"detail": "There is no such source."})
TOO_LARGE = Answer(413, {"detail": "The body is too large."})
UNVERIFIED = Answer(401, {"detail": "signature verification failed"})
UNAVAILABLE = Answer(503, {"detail": "This could not be stored now; please send it again."})


def receive(*, slug: str, arrival: Arrival) -> Answer:
    if len(arrival.body) > settings.HUB_MAX_BODY:
        count(slug, "too-large")
        return TOO_LARGE
    try:
        return _receive(slug, arrival)
    except OperationalError as error:
        logger.warning("A request for %s could not be stored: %s", slug, str(error).strip())
    except (Error, Unreadable, UnknownScheme):
        logger.exception("A request for %s could not be stored.", slug)
    count(slug, "unavailable")
    return UNAVAILABLE


def count(slug: str, verdict: str) -> None:
    RECEIPTS.labels(slug if recall(slug) else _UNKNOWN, verdict).inc()


def _receive(slug: str, arrival: Arrival) -> Answer:
    source = recall(slug)
    is_fresh = False
    for _ in range(_TRIES):
        if source is None:
            source, is_fresh = load(slug), True
        if source is None:
            count(slug, "unknown-source")
            return UNKNOWN_SOURCE
        judged = _judge(source, arrival)
        if isinstance(judged, Refused) and is_fresh:
            return _refused(source, arrival, judged)
        if isinstance(judged, store.Fact):
            verdict = store.store(judged)
            if not isinstance(verdict, store.SourceChanged):
                return _settled(source, arrival, verdict)
        # Refused by a copy that may be old, or the copy was old: once more, with the source as it is.
        source = None
    count(slug, "unavailable")
    return UNAVAILABLE


def _judge(source: KnownSource, arrival: Arrival) -> store.Fact | Refused:
    now = arrival.received_at
    verified = verify(scheme=source.scheme, secrets=source.live_secrets(now), arrival=arrival, now=now)
    if isinstance(verified, Refused):
        return verified
    identity = identify(
        scheme=source.scheme, id_from=source.id_from, type_from=source.type_from, arrival=arrival
    )
    return identity if isinstance(identity, Refused) else _fact(source, arrival, verified, identity)


def _fact(source: KnownSource, arrival: Arrival, verified: Verified, identity: Identity) -> store.Fact:
    body_digest = hashlib.sha256(arrival.body).digest()
    is_named = identity.kind == "id"
    hint = f" …{verified.secret_hint}" if verified.secret_hint else ""
    return store.Fact(
        source_id=source.id,
        source_revision=source.revision,
        kind=identity.kind,
        key_digest=hashlib.sha256(identity.external_id.encode()).digest() if is_named else body_digest,
        external_id=identity.external_id,
        event_type=identity.event_type,
        occurred_at=identity.occurred_at,
        received_at=arrival.received_at,
        body=arrival.body,
        body_digest=body_digest,
        content_type=arrival.headers.get("content-type", "")[:200],
        headers=mask(arrival.headers.items())[0],
        verified_by=source.scheme.slug + hint,
        operation_id=identity.operation_id,
        entity=identity.entity,
        entity_version=identity.entity_version,
    )


def _refused(source: KnownSource, arrival: Arrival, refused: Refused) -> Answer:
    refuse(source_id=source.id, arrival=arrival, reason=refused.reason, detail=refused.detail)
    count(source.slug, "refused")
    # Only what the sender itself can mend is told; of a signature, nothing, or guessing would be worth it.
    return Answer(422, {"detail": refused.detail}) if refused.reason == "identity-invalid" else UNVERIFIED


def _settled(
    source: KnownSource, arrival: Arrival, verdict: store.Stored | store.Duplicate | store.Conflict
) -> Answer:
    event = public_id("event", verdict.event_id)
    match verdict:
        case store.Stored():
            status, word = 202, "accepted"
        case store.Duplicate():
            status, word = 200, "duplicate"
        case store.Conflict():
            # 200, since sending it again would not help; the Refusal tells a person.
            status, word = 200, "conflict"
            detail = "This id came before, with another body."
            refuse(
                source_id=source.id,
                arrival=arrival,
                reason="id-conflict",
                detail=detail,
                event_id=verdict.event_id,
            )
    count(source.slug, word)
    return Answer(status, {"status": word, "event": event})
