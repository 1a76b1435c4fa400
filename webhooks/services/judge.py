"""Judges one request by a source as we know it: a handshake, refused, or the events it holds. It stores nothing."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from webhooks import spans, store
from webhooks.deciders import handshakes
from webhooks.deciders.batches import bodies_of
from webhooks.deciders.business_keys import business_keys_of
from webhooks.deciders.causality import claim_of
from webhooks.deciders.chains import NOBODY
from webhooks.deciders.handshakes import Handshake, Keys
from webhooks.deciders.identify import Identity, identify
from webhooks.deciders.places import first_of
from webhooks.deciders.redaction import mask
from webhooks.deciders.sameness import digest_of
from webhooks.deciders.scheme_columns import Reply
from webhooks.deciders.trace_context import parent_of
from webhooks.deciders.verdicts import refused
from webhooks.deciders.verify import Arrival, LiveSecret, Refused, Verified, certificate_url, verify

from . import trusted_roots
from .certificates import certificate_at
from .known_sources import KnownSource

NO_METHOD = "method-not-allowed"
# By name, since some senders put a charset there.
_COMPRESSED = frozenset({"gzip", "x-gzip", "deflate", "compress", "br", "zstd"})


@dataclass(frozen=True, slots=True)
class Asked:
    """The request was a handshake."""

    handshake: Handshake
    reply: Reply
    external_id: str = ""
    secret_id: UUID | None = None  # which one proved it


@dataclass(frozen=True, slots=True)
class Part:
    """One event of a request, as far as it can be told apart, and what would be stored of it."""

    arrival: Arrival
    fact: store.Fact
    secret_id: UUID | None = None  # which one proved it


def judge(
    source: KnownSource, arrival: Arrival, *, secrets_at: datetime | None = None, any_age: bool = False
) -> list[Part] | Refused | Asked:
    """Its age is taken when it arrived. Who judges it again later says by which day's secrets, with `secrets_at`."""
    now, row = arrival.received_at, source.scheme
    if asked := handshakes.find(row.handshakes, arrival, is_signed=False):
        return Asked(asked, asked.reply(arrival, Keys(tokens=source.live_tokens(now))))
    if arrival.method not in row.methods:
        return Refused(reason=NO_METHOD, detail="Only a handshake comes by this method.")
    secrets = source.live_secrets(secrets_at or now)
    verified = _verified(source, secrets, arrival, any_age, secrets_at or now)
    if isinstance(verified, Refused):
        return verified
    if asked := handshakes.find(row.handshakes, arrival, is_signed=True):
        return _asked(source, asked, arrival, _matched(secrets, verified))
    if not row.covers_body and arrival.is_torn:
        return refused("body-incomplete")
    if arrival.headers.get("content-encoding", "").strip().lower() in _COMPRESSED:
        return refused("body-compressed")
    if verified.body is not None:
        arrival = replace(arrival, body=verified.body)
    return _parts(source, arrival, verified, _matched(secrets, verified))


def identified(source: KnownSource, arrival: Arrival, verified: Verified) -> list[Part] | Refused:
    """The events that a request holds, for who knows otherwise that it is genuine."""
    return _parts(source, arrival, verified, None)


def _matched(secrets: Sequence[LiveSecret], verified: Verified) -> LiveSecret | None:
    return secrets[verified.position] if secrets and verified.secret_hint else None


def claimed_id(source: KnownSource, arrival: Arrival) -> str:
    """The sender's id in a request that nothing vouches for; empty when it has none, or holds several events."""
    identity = identify(
        scheme=source.scheme, id_from=source.id_from, type_from=source.type_from, arrival=arrival
    )
    return identity.external_id if isinstance(identity, Identity) and identity.kind == "id" else ""


def _verified(
    source: KnownSource,
    secrets: Sequence[LiveSecret],
    arrival: Arrival,
    any_age: bool,
    secrets_at: datetime,
) -> Verified | Refused:
    row, certificate = source.scheme, ""
    if row.needs_certificate and not row.pinned_certificate:
        url = certificate_url(row, arrival)
        certificate = "" if isinstance(url, Refused) else certificate_at(url)
    return verify(
        scheme=row,
        secrets=secrets,
        arrival=arrival,
        now=arrival.received_at,
        certificate=certificate,
        roots=trusted_roots.roots() if certificate else NOBODY,
        any_age=any_age,
        secrets_at=secrets_at,
    )


def _asked(source: KnownSource, handshake: Handshake, arrival: Arrival, matched: LiveSecret | None) -> Asked:
    reply = handshake.reply(arrival, Keys(matched=matched))
    return Asked(handshake, reply, claimed_id(source, arrival), matched.id if matched else None)


def _parts(
    source: KnownSource, arrival: Arrival, verified: Verified, matched: LiveSecret | None
) -> list[Part] | Refused:
    """All or nothing: one event that cannot be named refuses its neighbours too, for they share one answer."""
    parts = []
    for body in bodies_of(source.scheme, arrival):
        part = arrival if body is arrival.body else replace(arrival, body=body)
        identity = identify(
            scheme=source.scheme, id_from=source.id_from, type_from=source.type_from, arrival=part
        )
        if isinstance(identity, Refused):
            return identity
        fact = _fact(source, part, verified, identity)
        parts.append(Part(part, fact, matched.id if matched else None))
    return parts


def _fact(source: KnownSource, arrival: Arrival, verified: Verified, identity: Identity) -> store.Fact:
    body_digest = digest_of(source.scheme, arrival.body)
    is_named = identity.kind == "id"
    claim = claim_of(arrival.headers, first_of(arrival, source.scheme.cause_sources))
    hint = f" …{verified.secret_hint}" if verified.secret_hint else ""
    hint += f" pinned {verified.pin_hint}" if verified.pin_hint else ""
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
        verified_by=(verified.scheme or source.scheme.slug) + hint,
        operation_id=identity.operation_id,
        entity=identity.entity,
        entity_version=identity.entity_version,
        cause_id=claim.cause_id,
        tracestate=claim.tracestate,
        sender=parent_of(arrival.headers) if spans.is_on() else None,
        business_keys=business_keys_of(source.business_keys, arrival.body),
    )
