"""Many events into the tables in one transaction and a handful of statements, in their order. It decides nothing.

Only for events with an id of their own, which report no operation: those that are published, and Weir's own.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from typing import NamedTuple
from uuid import UUID

from django.db import transaction

from webhooks import rows, story, wake
from webhooks.ids import trace_id, uuid7
from webhooks.models import BusinessKey, EventKey, KeyKind, Source
from webhooks.receipt_sql import insert_many
from webhooks.store import Conflict, Duplicate, Fact, Stored, tell_stored

Settled = Stored | Duplicate | Conflict
_Id = tuple[UUID, bytes]  # a source, and the digest of a sender's id

_COUNT = """
UPDATE webhooks_eventkey AS k SET duplicates = k.duplicates + v.duplicates, conflicts = k.conflicts + v.conflicts,
    last_seen_at = CASE WHEN v.last_seen_at > k.last_seen_at THEN v.last_seen_at ELSE k.last_seen_at END
FROM %s WHERE k.id = v.id"""


class SourcesChanged(Exception):  # noqa: N818  # it names what happened
    """A source is no longer as the caller knew it, so nothing was stored: load them and decide again."""


class KeysDropped(Exception):  # noqa: N818  # it names what happened
    """An id that was taken is free again, since it was not seen for long, so nothing was stored: store them again."""


class _Made(NamedTuple):
    """A fact with the id that becomes its event's if the sender's is free."""

    fact: Fact
    event_id: UUID
    trace_id: UUID

    @property
    def key(self) -> _Id:
        return self.fact.source_id, self.fact.key_digest


def store_many(facts: Sequence[Fact]) -> list[Settled]:
    """One verdict each, in their order. An id that comes twice is its first event's.

    Raises SourcesChanged or KeysDropped.
    """
    made = _made(facts)
    with transaction.atomic():
        _check_sources(facts)
        new = _insert(made)
        seen = _seen_before([each for each in made if each.event_id not in new])
        return [Stored(each.event_id) if each.event_id in new else seen[each.event_id] for each in made]


def store_own(facts: Sequence[Fact]) -> None:
    """Events of a source that Weir alone writes, in the caller's transaction; what is there already is passed over."""
    _insert(_made(facts))


def _made(facts: Iterable[Fact]) -> list[_Made]:
    return [_Made(fact, uuid7(), trace_id()) for fact in facts]


def _check_sources(facts: Iterable[Fact]) -> None:
    known = {fact.source_id: fact.source_revision for fact in facts}
    enabled = Source.objects.filter(pk__in=list(known), is_enabled=True)
    if dict(enabled.values_list("pk", "revision")) != known:
        raise SourcesChanged


def _insert(made: Sequence[_Made]) -> set[UUID]:
    """The ids of those events that exist now."""
    claimed = insert_many([_row(each) for each in made])
    # As a rule all of them; reading as many ids took longer than making them.
    free = {each.event_id for each in made} if len(claimed) == len(made) else {UUID(each) for each in claimed}
    fresh = [each for each in made if each.event_id in free]
    names = [(each.event_id, *pair) for each in fresh for pair in each.fact.business_keys]
    rows.insert(BusinessKey, ("event", "name", "value"), names)
    if fresh:
        transaction.on_commit(partial(wake.ring, wake.EVENTS))
        transaction.on_commit(partial(_tell, fresh))
    return free


def _tell(fresh: Iterable[_Made]) -> None:
    with story.together():
        for each in fresh:
            tell_stored(each.fact, each.event_id, each.trace_id)


def _row(made: _Made) -> rows.Row:
    """In the order of `receipt_sql.GIVEN`."""
    fact = made.fact
    return (
        uuid7(), made.event_id, made.trace_id, fact.source_id, fact.kind, fact.key_digest, fact.external_id,
        fact.event_type, fact.occurred_at, fact.received_at, fact.body, fact.body_digest, fact.content_type,
        fact.headers, fact.tracestate, fact.verified_by, fact.operation_id, fact.entity, fact.entity_version,
        fact.cause_id, fact.target_id, fact.deliver_at,
    )  # fmt: skip


def _seen_before(repeated: Sequence[_Made]) -> dict[UUID, Settled]:
    """The verdicts of those whose id was taken, each counted where it was taken."""
    if not repeated:
        return {}
    taken = _taken(repeated)
    verdicts: dict[UUID, Settled] = {}
    duplicates, conflicts = Counter[UUID](), Counter[UUID]()
    for each in repeated:
        key = taken.get(each.key)
        if key is None:
            raise KeysDropped
        if each.fact.repeats(key.body_digest):
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
