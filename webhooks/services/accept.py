"""Takes a refused request after all: judged as at the door by today's secrets, stored at most once. It sends nothing.

What a person may waive, with a reason, is staleness, and that an id came before with another body: then the request
becomes an event of its own, under the same sender's id. A bad signature cannot be waived, and a handshake is over.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from webhooks import store
from webhooks.deciders.schemes import SCHEMES, UnknownScheme
from webhooks.deciders.verify import Arrival, Refused, Verified
from webhooks.ids import parse_id, public_id
from webhooks.models import Event, KeyKind, Refusal
from webhooks.sealing import Unreadable

from . import audit
from .certificates import CertificateUnavailable
from .judge import Asked, Part, identified, judge
from .known_sources import read
from .publications import VERIFIED_BY
from .publish import DELIVER_AT, PUBLISHED, TARGET
from .refuse import QUERY

STALE = ("timestamp-stale", "timestamp-future")
_TRIES = 3  # for a source that changes while we decide


class Prospect(StrEnum):
    """What would come of accepting a request now."""

    NEW = "new"  # it becomes an event
    DUPLICATE = "duplicate"  # its event is here already
    STALE = "stale"  # it becomes an event if its age is waived
    CONFLICT = "conflict"  # it becomes an event of its own if that is wished
    REFUSED = "refused"  # it is refused again
    HANDSHAKE = "handshake"  # it only asked, and nobody waits for the answer any more


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    prospect: Prospect
    sentence: str
    parts: Sequence[Part] = ()

    @property
    def may_be_accepted(self) -> bool:
        return self.prospect not in (Prospect.REFUSED, Prospect.HANDSHAKE)

    @property
    def needs_reason(self) -> bool:
        return self.prospect in (Prospect.STALE, Prospect.CONFLICT)


@dataclass(frozen=True, kw_only=True, slots=True)
class Acceptance:
    is_done: bool
    sentence: str
    event_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class _Order:
    """Who wishes what, and why."""

    actor: str
    user: User | None
    reason: str
    any_age: bool
    as_own: bool

    @property
    def waived(self) -> list[str]:
        return [name for name, is_set in (("age", self.any_age), ("id-conflict", self.as_own)) if is_set]


class _Left(Exception):  # noqa: N818  # it rolls back, and says why
    """The request was not taken; the message is one sentence."""


class _Changed(Exception):  # noqa: N818
    """The source is no longer as we read it."""


def try_again(refusal: Refusal, *, now: datetime) -> Trial:
    """What today's secrets say of it. It writes nothing, but may fetch a provider's certificate."""
    judged = _judged(refusal, now, any_age=False)
    if isinstance(judged, Asked):
        return Trial(prospect=Prospect.HANDSHAKE, sentence="It was a handshake, which nobody waits for now.")
    if isinstance(judged, Refused):
        return _of_refused(refusal, judged, now)
    return _of_parts(judged)


def accept(
    *,
    refusal_id: UUID,
    actor: str,
    user: User | None = None,
    reason: str = "",
    any_age: bool = False,
    as_own: bool = False,
) -> Acceptance:
    """Of any number of calls one makes an event. Raises Refusal.DoesNotExist."""
    if (any_age or as_own) and not reason.strip():
        return Acceptance(is_done=False, sentence="Say why: a waiver needs a reason.")
    now, order = timezone.now(), _Order(actor, user, reason, any_age, as_own)
    for _ in range(_TRIES):
        refusal = Refusal.objects.select_related("source").get(pk=refusal_id)
        if not refusal.source.is_enabled:
            return Acceptance(is_done=False, sentence="Its source is disabled: enable it first.")
        judged = _judged(refusal, now, any_age=any_age)
        if isinstance(judged, Refused | Asked):
            return Acceptance(is_done=False, sentence=try_again(refusal, now=now).sentence)
        try:
            with transaction.atomic():
                return _take(refusal, judged, now, order)
        except _Left as why:
            return Acceptance(is_done=False, sentence=str(why))
        except _Changed:
            continue
    return Acceptance(is_done=False, sentence="Its source changed meanwhile: look again.")


def arrival_of(refusal: Refusal) -> Arrival:
    """The request as it came, its credentials unsealed. Raises Unreadable."""
    credentials = json.loads(refusal.credentials or "{}")
    return Arrival(
        method=refusal.method,
        query=credentials.pop(QUERY, refusal.query),
        headers=dict(refusal.headers) | credentials,
        body=bytes(refusal.body),
        remote_address=refusal.remote_address or "",
        received_at=refusal.received_at,
    )


def _judged(refusal: Refusal, now: datetime, *, any_age: bool) -> list[Part] | Refused | Asked:
    try:
        source, arrival = read(refusal.source), arrival_of(refusal)
        if refusal.method != PUBLISHED:
            return judge(source, arrival, secrets_at=now, any_age=any_age)
        plain = replace(source, scheme=SCHEMES["none"], id_from="", type_from="")
        found = identified(plain, arrival, Verified())
    except (Unreadable, UnknownScheme, CertificateUnavailable) as error:
        return Refused(reason="unavailable", detail=str(error))
    if isinstance(found, Refused):
        return found
    terms = _terms(arrival.headers, now)
    return [replace(part, fact=part.fact._replace(verified_by=VERIFIED_BY, **terms)) for part in found]


def _terms(headers: Mapping[str, str], now: datetime) -> dict[str, Any]:
    """Whom alone a publication is for, and when, as it was said; what was for later and is due by now is for now."""
    target, later = headers.get(TARGET), headers.get(DELIVER_AT)
    deliver_at = datetime.fromisoformat(later) if later else None
    return {
        "target_id": parse_id("subscriber", target) if target else None,
        "deliver_at": deliver_at if deliver_at and deliver_at > now else None,
    }


def _of_refused(refusal: Refusal, refused: Refused, now: datetime) -> Trial:
    if refused.reason in STALE:
        aged = _judged(refusal, now, any_age=True)
        if isinstance(aged, list):
            said = (
                f"Its signature fits; but when it came: {refused.detail} Its age can be waived with a reason."
            )
            return Trial(prospect=Prospect.STALE, sentence=said, parts=aged)
    return Trial(prospect=Prospect.REFUSED, sentence=f"It would be refused again: {refused.detail}")


def _of_parts(parts: Sequence[Part]) -> Trial:
    seen = [store.peek(part.fact) for part in parts]
    conflict = next((each for each in seen if isinstance(each, store.Conflict)), None)
    if conflict:
        name = public_id("event", conflict.event_id)
        said = f"It is genuine, but its id came before with another body, as {name}. It can become an event of its own."
        return Trial(prospect=Prospect.CONFLICT, sentence=said, parts=parts)
    known = [each for each in seen if isinstance(each, store.Duplicate)]
    if len(known) == len(parts):
        name = public_id("event", known[0].event_id)
        said = f"It is genuine, and its event came meanwhile, as {name}: accepting it makes no second one."
        return Trial(prospect=Prospect.DUPLICATE, sentence=said, parts=parts)
    by = f" by {parts[0].fact.verified_by}" if parts[0].fact.verified_by != "none" else ""
    number = len(parts) - len(known)
    said = f"It would be taken now{by}: {number} event{'' if number == 1 else 's'}."
    return Trial(prospect=Prospect.NEW, sentence=said, parts=parts)


def _take(refusal: Refusal, parts: Sequence[Part], now: datetime, order: _Order) -> Acceptance:
    """In the caller's transaction: the refusal is claimed first, so that a second click finds it taken."""
    row = Refusal.objects.filter(pk=refusal.pk)
    if not row.filter(accepted_at=None).update(accepted_at=now):
        raise _Left("It was accepted before.")
    verdicts = [_stored(part.fact, order.as_own) for part in parts]
    stored = [verdict.event_id for verdict in verdicts if isinstance(verdict, store.Stored)]
    event_id = (stored or [verdict.event_id for verdict in verdicts])[0]
    row.update(event_id=Event.objects.filter(pk=event_id).values_list("pk", flat=True).first())
    audit.record(
        actor=order.actor,
        user=order.user,
        verb="accept",
        object_kind="refusal",
        object_id=refusal.pk,
        reason=order.reason,
        before={"reason": refusal.reason, "detail": refusal.detail},
        after={
            "events": [public_id("event", each) for each in stored],
            "duplicate_of": [] if stored else [public_id("event", event_id)],
            "verified_by": parts[0].fact.verified_by,
            "waived": order.waived,
        },
    )
    return Acceptance(is_done=True, sentence=_told(stored, event_id), event_id=event_id)


def _told(stored: Sequence[UUID], event_id: UUID) -> str:
    name = public_id("event", event_id)
    if not stored:
        return f"Its event was here already, as {name}."
    return f"It is event {name} now." if len(stored) == 1 else f"It is {len(stored)} events now."


def _stored(fact: store.Fact, as_own: bool) -> store.Stored | store.Duplicate:
    verdict = store.store(fact)
    if isinstance(verdict, store.Conflict) and as_own:
        verdict = store.store(_own(fact))
    if isinstance(verdict, store.SourceChanged):
        raise _Changed
    if isinstance(verdict, store.Conflict):
        raise _Left(
            "Its id came before with another body: look again, and say whether it is an event of its own."
        )
    return verdict


def _own(fact: store.Fact) -> store.Fact:
    """Keyed by what it says as well, so that the same request accepted twice is one event all the same."""
    digest = hashlib.sha256(fact.key_digest + fact.body_digest).digest()
    return fact._replace(kind=KeyKind.ID, key_digest=digest)
