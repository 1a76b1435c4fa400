"""Finds events that a subscription wants and was never owed, such as those from before it was made. It changes nothing.

Its patterns and source are asked of the database; a filter has to see bodies, so only so many are looked at.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import reduce
from operator import or_
from typing import Any
from uuid import UUID

from django.db.models import (
    CharField,
    Exists,
    OuterRef,
    PositiveSmallIntegerField,
    Q,
    QuerySet,
    UUIDField,
    Value,
)

from deliveries.deciders.matching import ANY, SUBTREE
from deliveries.deciders.replay_choice import Choice
from deliveries.models import Delivery, Hold, ReplayItem, Subscription
from deliveries.services.rearming import ACTIVE
from webhooks.deciders.expressions import ExpressionFailed, compile_expression, parse_json
from webhooks.deciders.own import OWN_PREFIX, OWN_SOURCE, names_own
from webhooks.ids import first_id_at
from webhooks.models import Event, EventBody, EventState, Source

MOST_FILTERED = 5_000  # bodies that one subscription's filter is asked about

_PAGE = 500


class TooMany(Exception):
    """Says in one sentence what to narrow."""


def never_attempted(choice: Choice, now: datetime, *, ranks: bool) -> Iterator[QuerySet[Any, Any]]:
    """One question for each subscription asked for. Raises TooMany."""
    query = choice.acted_on()
    if query.codes or query.outcomes or query.fingerprints or query.replay or query.attempts:
        return  # what was never attempted has no answer to ask for
    if query.search or query.below:
        return
    wanted = Subscription.objects.filter(pk__in=query.subscriptions).exclude(lane__hold=Hold.DISABLED)
    for each in wanted.order_by("pk").only("subscriber_id", "source_id", "event_types", "filter"):
        events = _wanted_by(each, choice, now)
        if each.filter:
            events = Event.objects.filter(pk__in=_passing(each, events))
        yield _rows(each.pk, events, ranks)


def _wanted_by(to: Subscription, choice: Choice, now: datetime) -> QuerySet[Event]:
    query = choice.acted_on()
    begins = query.begins(now)
    events = Event.objects.filter(
        ~Exists(Delivery.objects.filter(event_id=OuterRef("pk"), subscription_id=to.pk)),
        ~Exists(ReplayItem.objects.filter(event_id=OuterRef("pk"), subscription_id=to.pk, state__in=ACTIVE)),
        Exists(EventBody.objects.filter(event_id=OuterRef("pk"))),
        Q(target=None) | Q(target=to.subscriber_id),
        _fitting(to),
        state__in=[EventState.ROUTED, EventState.UNMATCHED],
    )
    if begins is not None:
        events = events.filter(pk__gte=first_id_at(begins))
    if query.end is not None:
        events = events.filter(pk__lt=first_id_at(query.end))
    if query.sources:
        events = events.filter(source_id__in=Source.objects.filter(slug__in=query.sources).values("pk"))
    return events.filter(_types(query.types)) if query.types else events


def _fitting(to: Subscription) -> Q:
    """By source and type, as the router matches them."""
    if to.source_id:
        return Q(source_id=to.source_id) & _types(to.event_types)
    own = [each for each in to.event_types if names_own([each])]
    theirs = [each for each in to.event_types if not names_own([each])]
    is_own = Q(source_id=OWN_SOURCE) | Q(event_type__startswith=OWN_PREFIX)
    return Q(source_id=OWN_SOURCE) & _types(own) | ~is_own & _types(theirs)


def _types(patterns: Sequence[str]) -> Q:
    """`*`, `order.*`, or the very type."""
    if ANY in patterns:
        return Q()
    several = [
        Q(event_type__startswith=each[:-1]) if each.endswith(SUBTREE) else Q(event_type=each)
        for each in patterns
    ]
    return reduce(or_, several, Q(pk__in=[]))


def _passing(to: Subscription, events: QuerySet[Event]) -> list[UUID]:
    """Those that its filter lets through; one that it fails on is not wanted here."""
    found = list(events.order_by("pk").values_list("pk", flat=True)[: MOST_FILTERED + 1])
    if len(found) > MOST_FILTERED:
        raise TooMany(
            f"Its filter would have to look at more than {MOST_FILTERED:,} events; narrow the time range."
        )
    expression, passing = compile_expression(to.filter), []
    for start in range(0, len(found), _PAGE):
        bodies = EventBody.objects.filter(pk__in=found[start : start + _PAGE])
        for event, body in bodies.values_list("event_id", "body").iterator():
            try:
                is_wanted = expression.holds(parse_json(bytes(body)))
            except ExpressionFailed:
                is_wanted = False
            if is_wanted:
                passing.append(event)
    return passing


def _rows(to: UUID, events: QuerySet[Event], ranks: bool) -> QuerySet[Any, Any]:
    nothing: tuple[Any, ...] = (
        Value(to, output_field=UUIDField()),
        Value(None, output_field=UUIDField()),
        "event_type",
        Value("", output_field=CharField()),
        Value(None, output_field=PositiveSmallIntegerField()),
        Value(None, output_field=CharField()),  # nothing leaves it out
    )
    entity = ("source_id", "entity", "entity_version") if ranks else ()
    return events.values_list("pk", *nothing, *entity)


def without_subscription(choice: Choice) -> bool:
    """Whether it cannot be said what was never attempted, since nobody is named."""
    return choice.takes_missing and not choice.query.subscriptions
