"""Many events into the tables in one transaction and a handful of statements, in their order. It decides nothing.

Only for events with an id of their own, which report no operation: those that are published, and Weir's own.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from uuid import UUID

from django.db import transaction

from webhooks import rows, wake
from webhooks.ids import trace_id, uuid7
from webhooks.models import BusinessKey, Event, EventBody, EventKey, EventState, KeyKind, Source
from webhooks.store import Conflict, Duplicate, Fact, Stored, tell_stored

Settled = Stored | Duplicate | Conflict
_Id = tuple[UUID, bytes]  # a source, and the digest of a sender's id

_KEY = (
    "id", "source", "kind", "digest", "event_id", "body_digest", "first_seen_at", "last_seen_at", "duplicates",
    "conflicts",
)  # fmt: skip
_EVENT = (
    "id", "source", "external_id", "event_type", "state", "received_at", "routed_at", "occurred_at", "size",
    "verified_by", "operation_id", "entity", "entity_version", "trace_id", "cause_id", "depth", "target",
    "deliver_at",
)  # fmt: skip
_BODY = ("event", "body", "content_type", "headers", "tracestate")
_COUNT = """
UPDATE webhooks_eventkey AS k SET duplicates = k.duplicates + v.duplicates, conflicts = k.conflicts + v.conflicts,
    last_seen_at = CASE WHEN v.last_seen_at > k.last_seen_at THEN v.last_seen_at ELSE k.last_seen_at END
FROM %s WHERE k.id = v.id"""


class SourcesChanged(Exception):  # noqa: N818  # it names what happened
    """A source is no longer as the caller knew it, so nothing was stored: load them and decide again."""


@dataclass(frozen=True, slots=True)
class _Made:
    """A fact with the id that becomes its event's if the sender's is free."""

    fact: Fact
    event_id: UUID = field(default_factory=uuid7)
    trace_id: UUID = field(default_factory=trace_id)

    @property
    def key(self) -> _Id:
        return self.fact.source_id, self.fact.key_digest


def store_many(facts: Sequence[Fact]) -> list[Settled]:
    """One verdict each, in their order. An id that comes twice is its first event's. Raises SourcesChanged."""
    made = [_Made(fact) for fact in facts]
    with transaction.atomic():
        _check_sources(facts)
        new = _insert(made)
        seen = _seen_before([each for each in made if each.event_id not in new])
        return [Stored(each.event_id) if each.event_id in new else seen[each.event_id] for each in made]


def store_own(facts: Sequence[Fact]) -> None:
    """Events of a source that Weir alone writes, in the caller's transaction; what is there already is passed over."""
    _insert([_Made(fact) for fact in facts])


def _check_sources(facts: Iterable[Fact]) -> None:
    known = {fact.source_id: fact.source_revision for fact in facts}
    enabled = Source.objects.filter(pk__in=list(known), is_enabled=True)
    if dict(enabled.values_list("pk", "revision")) != known:
        raise SourcesChanged


def _insert(made: Sequence[_Made]) -> set[UUID]:
    """The ids of those events that exist now."""
    # In one order everywhere, so that two who share ids never wait for each other in a ring.
    ordered = sorted(made, key=lambda each: (each.fact.source_id.bytes, each.fact.key_digest))
    told = rows.insert(EventKey, _KEY, [_key(each) for each in ordered], ignore=True, returning=("event_id",))
    if len(told) == len(made):
        new, fresh = {each.event_id for each in made}, made
    else:
        new = {UUID(event_id) for (event_id,) in told}
        fresh = [each for each in made if each.event_id in new]
    rows.insert(Event, _EVENT, [_event(each) for each in fresh])
    rows.insert(EventBody, _BODY, [_body(each) for each in fresh])
    names = [(each.event_id, *pair) for each in fresh for pair in each.fact.business_keys]
    rows.insert(BusinessKey, ("event", "name", "value"), names)
    if fresh:
        transaction.on_commit(partial(wake.ring, wake.EVENTS))
        transaction.on_commit(partial(_tell, fresh))
    return new


def _tell(fresh: Iterable[_Made]) -> None:
    for each in fresh:
        tell_stored(each.fact, each.event_id, each.trace_id)


def _key(made: _Made) -> rows.Row:
    fact, at = made.fact, made.fact.received_at
    return (
        uuid7(), fact.source_id, KeyKind.ID.value, fact.key_digest, made.event_id, fact.body_digest, at, at, 0, 0,
    )  # fmt: skip


def _event(made: _Made) -> rows.Row:
    fact = made.fact
    state = EventState.RECEIVED if fact.deliver_at is None else EventState.SCHEDULED
    return (
        made.event_id, fact.source_id, fact.external_id, fact.event_type, state.value, fact.received_at, None,
        fact.occurred_at, len(fact.body), fact.verified_by, "", fact.entity, fact.entity_version, made.trace_id,
        fact.cause_id, 0, fact.target_id, fact.deliver_at,
    )  # fmt: skip


def _body(made: _Made) -> rows.Row:
    return (
        made.event_id,
        made.fact.body,
        made.fact.content_type,
        list(made.fact.headers),
        made.fact.tracestate,
    )


def _seen_before(repeated: Sequence[_Made]) -> dict[UUID, Settled]:
    """The verdicts of those whose id was taken, each counted where it was taken."""
    if not repeated:
        return {}
    taken = _taken(repeated)
    verdicts: dict[UUID, Settled] = {}
    duplicates, conflicts = Counter[UUID](), Counter[UUID]()
    for each in repeated:
        key = taken[each.key]
        if bytes(key.body_digest) == each.fact.body_digest:
            verdicts[each.event_id] = Duplicate(key.event_id, key.first_seen_at)
            duplicates[key.pk] += 1
        else:
            verdicts[each.event_id] = Conflict(key.event_id)
            conflicts[key.pk] += 1
    at = max(each.fact.received_at for each in repeated)
    counted = [(key.pk, duplicates[key.pk], conflicts[key.pk], at) for key in taken.values()]
    rows.update(EventKey, sql=_COUNT, columns=("id", "duplicates", "conflicts", "last_seen_at"), rows=counted)
    return verdicts


def _taken(repeated: Iterable[_Made]) -> dict[_Id, EventKey]:
    """Locked in one order, for two may count the same ids at once."""
    asked = {each.key for each in repeated}
    keys = EventKey.objects.select_for_update(no_key=True).filter(
        source_id__in={source for source, _ in asked},
        kind=KeyKind.ID,
        digest__in={digest for _, digest in asked},
    )
    return {
        found: key for key in keys.order_by("pk") if (found := (key.source_id, bytes(key.digest))) in asked
    }
