"""Publishes events for a key holder, one or many: the door's store and verdicts. It checks no key and no signature.

An event may be for one subscriber alone (`target`), and it may be for later (`deliver_at`). Then it is stored at
once and *routed when its time has come*, not routed now with a late due time. So it goes to those who subscribe
then, through their filters of then; a paused lane holds it like any other; in a strictly ordered lane it takes its
turn among what happens then, where one scheduled for next week would have everything behind it wait a week; and in
a lane that wants the latest only it makes nothing older obsolete before it exists.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

from django.core.exceptions import ValidationError
from django.utils import timezone

from webhooks import store
from webhooks.deciders import causality
from webhooks.deciders.times import zulu
from webhooks.deciders.trace_context import naming
from webhooks.deciders.verify import Arrival
from webhooks.ids import public_id
from webhooks.models import Source
from webhooks.store_many import KeysDropped, SourcesChanged, store_many

from . import event_types
from .event_types import Catalogue
from .own_events import check_not_own
from .publications import NOWHERE, Origin, Said, as_of, fact_of
from .refuse import refuse
from .rollups import note

PUBLISHED = "API"  # in the place of a method: such a request came with a key, and has no signature
# Headers that keep, of a refused one, whom alone it is for, and when; what it followed from has the usual ones.
TARGET = "weir-subscriber"
DELIVER_AT = "weir-deliver-at"
MOST_AT_ONCE = 1_000  # events in one batch
_TRIES = 3  # for a source that changes while a batch is on its way

Verdict = store.Stored | store.Duplicate | store.Conflict
# As requests at /in/ are counted, too.
WORDS: Mapping[type, str] = {
    store.Stored: "accepted",
    store.Duplicate: "duplicate",
    store.Conflict: "conflict",
}
Problems = Mapping[str, list[str]]  # by field


class BatchInvalid(Exception):  # noqa: N818  # it names what happened
    """Of a batch some cannot be events, so that none was stored; `problems` says which and why."""

    def __init__(self, problems: Mapping[int, Problems]) -> None:
        super().__init__(f"{len(problems)} of the events are not valid.")
        self.problems = problems


def publish(said: Said, *, origin: Origin = NOWHERE, catalogue: Catalogue | None = None) -> Verdict:
    """Raises ValidationError, by field, when this cannot be an event.

    The catalogue is looked into where it is not given.
    """
    now, source = timezone.now(), said.source
    if catalogue is None:
        catalogue = event_types.look_up([said.event_type])
    fact = fact_of(said, now, origin, catalogue)
    while True:
        _check_enabled(source)
        verdict = store.store(fact)
        if isinstance(verdict, store.Conflict):
            _keep_conflict(fact, verdict, now)
        if not isinstance(verdict, store.SourceChanged):
            note(source_id=source.pk, verdict=WORDS[type(verdict)], at=now)
            return verdict
        source = _as_it_is_now(source)
        fact = as_of(fact, source)


def publish_known(
    said: Said, *, api_key_digest: str, catalogue: Catalogue, origin: Origin = NOWHERE
) -> store.Stored | None:
    """By copies in memory of the key, the source and the type: stored, if all of them hold as it is.

    None, which refuses nothing, where one does not, or where its id was taken: `publish` says what is the matter. What
    is raised may be by an old copy, too.
    """
    _check_enabled(said.source)
    fact = fact_of(said, timezone.now(), origin, catalogue)
    known = catalogue.get(said.event_type)
    proof = store.Proof(
        api_key_digest=api_key_digest,
        type_state=known.state if known else None,
        type_changed_at=known.changed_at if known else None,
    )
    stored = store.store_proved(fact, proof)
    if stored:
        note(source_id=fact.source_id, verdict=WORDS[store.Stored], at=fact.received_at)
    return stored


def publish_many(
    *, batch: Sequence[Said], origin: Origin = NOWHERE, catalogue: Catalogue | None = None
) -> list[Verdict]:
    """All or none, in their order, in one transaction; one verdict each. Raises BatchInvalid.

    An id that was published before, in this batch too, is a duplicate or a conflict, and stops none of the others.
    """
    now = timezone.now()
    if catalogue is None:
        catalogue = event_types.look_up({said.event_type for said in batch})
    facts = _facts(batch, now, origin, catalogue)
    for _ in range(_TRIES):
        try:
            verdicts = store_many(facts)
        except SourcesChanged:
            facts = _as_they_are_now(facts)
            continue
        except KeysDropped:
            continue
        for fact, verdict in zip(facts, verdicts, strict=True):
            if isinstance(verdict, store.Conflict):
                _keep_conflict(fact, verdict, now)
        became = Counter((fact.source_id, type(each)) for fact, each in zip(facts, verdicts, strict=True))
        for (source_id, what), number in became.items():
            note(source_id=source_id, verdict=WORDS[what], at=now, number=number)
        return verdicts
    raise BatchInvalid({0: {"source": ["This source is being changed just now; try again."]}})


def problems_of(batch: Mapping[int, Said], catalogue: Catalogue) -> dict[int, Problems]:
    """Why some of these cannot be events, by place: for a batch that is refused already, so that all is told."""
    return _sorted_out(batch, timezone.now(), NOWHERE, catalogue)[1]


def _facts(batch: Sequence[Said], now: datetime, origin: Origin, catalogue: Catalogue) -> list[store.Fact]:
    facts, problems = _sorted_out(dict(enumerate(batch)), now, origin, catalogue)
    if problems:
        raise BatchInvalid(problems)
    return facts


def _sorted_out(
    batch: Mapping[int, Said], now: datetime, origin: Origin, catalogue: Catalogue
) -> tuple[list[store.Fact], dict[int, Problems]]:
    facts: list[store.Fact] = []
    problems: dict[int, Problems] = {}
    for place, said in batch.items():
        try:
            _check_enabled(said.source)
            facts.append(fact_of(said, now, origin, catalogue))
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
            renewed.append(as_of(fact, source))
        else:
            problems[place] = {"source": [_DISABLED if source else _GONE]}
    if problems:
        raise BatchInvalid(problems)
    return renewed


_DISABLED = "This source is disabled."
_GONE = "This source is gone."


def _check_enabled(source: Source) -> None:
    check_not_own(source.pk)
    if not source.is_enabled:
        raise ValidationError({"source": _DISABLED})


def _keep_conflict(fact: store.Fact, conflict: store.Conflict, now: datetime) -> None:
    headers = {TARGET: public_id("subscriber", fact.target_id)} if fact.target_id else {}
    if fact.deliver_at:
        headers[DELIVER_AT] = zulu(fact.deliver_at, to="auto")
    if fact.cause_id:
        headers[causality.HEADER] = public_id("delivery", fact.cause_id)
    if fact.sender:
        headers["traceparent"] = naming(fact.sender)
    if fact.tracestate:  # which came with a sender; without one it would not be read
        headers["tracestate"] = fact.tracestate
    arrival = Arrival(
        method=PUBLISHED, headers=headers, body=fact.body, query="", remote_address="", received_at=now
    )
    refuse(
        source_id=fact.source_id,
        arrival=arrival,
        reason="id-conflict",
        detail="This id was published before, and what was said of it then was something else.",
        claimed_id=fact.external_id,
        event_id=conflict.event_id,
    )


def _as_it_is_now(source: Source) -> Source:
    try:
        return Source.objects.get(pk=source.pk)
    except Source.DoesNotExist:
        raise ValidationError({"source": _GONE}) from None
