"""Says what the door would make of a request, by settings that need not be saved yet. It stores nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from webhooks import store
from webhooks.deciders.identify import check_place
from webhooks.deciders.options import check_options
from webhooks.deciders.schemes import UnknownScheme, scheme
from webhooks.deciders.verify import Arrival, Verified
from webhooks.models import Source
from webhooks.sealing import Unreadable

from .accept import STALE
from .certificates import CertificateUnavailable
from .judge import Asked, Part, identified, judge
from .known_sources import read

COLUMNS = ("id_from", "type_from")
OPTIONS = ("operation_from", "entity_from", "version_from", "time_from")


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """One event that the request holds, and whether its id is known."""

    fact: store.Fact
    seen: str  # new, duplicate or conflict
    event_id: UUID | None  # the one that was first


@dataclass(frozen=True, kw_only=True, slots=True)
class Rehearsal:
    verdict: str  # verified, refused, handshake, or assumed where nobody asked
    sentence: str
    reason: str = ""
    verified_by: str = ""
    events: Sequence[Told] = ()


def check_overrides(source: Source, overrides: Mapping[str, str]) -> dict[str, str]:
    """What is wrong with each, in a sentence; nothing when all can serve."""
    flaws = {}
    for name, value in overrides.items():
        try:
            if name in COLUMNS and value:
                check_place(value)
            elif name in OPTIONS:
                check_options(scheme(source.scheme), source.options | {name: value})
        except (ValueError, UnknownScheme) as error:
            flaws[name] = str(error)
    return flaws


def rehearse(
    *,
    source: Source,
    arrival: Arrival,
    now: datetime,
    overrides: Mapping[str, str] | None = None,
    is_genuine: bool = False,
) -> Rehearsal:
    """`is_genuine` leaves the signature out, for a request whose credentials are masked by now.

    An empty override means the scheme's own way. `source` is not saved.
    """
    trial = _overridden(source, overrides or {})
    try:
        known = read(trial)
        judged = (
            identified(known, arrival, Verified()) if is_genuine else judge(known, arrival, secrets_at=now)
        )
        if isinstance(judged, Asked):
            name, status = judged.handshake.name, judged.reply.status
            return Rehearsal(
                verdict="handshake", sentence=f"The handshake “{name}”, answered with {status}; no event."
            )
        if isinstance(judged, list):
            return _held(judged, is_genuine)
        aged = judge(known, arrival, secrets_at=now, any_age=True) if judged.reason in STALE else judged
        events = identified(known, arrival, Verified())
    except (Unreadable, UnknownScheme, CertificateUnavailable) as error:
        return Rehearsal(verdict="refused", reason="unavailable", sentence=str(error))
    fits = " Its signature fits." if isinstance(aged, list) else ""
    return Rehearsal(
        verdict="refused",
        reason=judged.reason,
        sentence=judged.detail + fits,
        events=_told(events) if isinstance(events, list) else (),
    )


def _overridden(source: Source, overrides: Mapping[str, str]) -> Source:
    options: dict[str, Any] = {
        name: value for name, value in source.options.items() if name not in overrides
    } | {name: overrides[name] for name in OPTIONS if overrides.get(name)}
    columns = {name: overrides.get(name, getattr(source, name)) for name in COLUMNS}
    return Source(
        id=source.pk,
        slug=source.slug,
        scheme=source.scheme,
        revision=source.revision,
        pinned_certificate=source.pinned_certificate,
        options=options,
        **columns,
    )


def _held(parts: list[Part], is_genuine: bool) -> Rehearsal:
    if is_genuine:
        return Rehearsal(verdict="assumed", sentence="Its signature was not asked for.", events=_told(parts))
    by = parts[0].fact.verified_by
    said = "Anyone may send here." if by == "none" else f"Verified by {by}."
    return Rehearsal(verdict="verified", sentence=said, verified_by=by, events=_told(parts))


def _told(parts: list[Part]) -> list[Told]:
    return [_one(part.fact, store.peek(part.fact)) for part in parts]


def _one(fact: store.Fact, seen: store.Duplicate | store.Conflict | None) -> Told:
    word = {store.Duplicate: "duplicate", store.Conflict: "conflict"}.get(type(seen), "new")
    return Told(fact=fact, seen=word, event_id=seen.event_id if seen else None)
