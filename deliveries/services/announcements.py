"""Tells subscribers what happened to them, as events of Weir's own source: one more thing to subscribe to.

An announcement is written in the transaction of the fact it tells, and then goes the way of every event, to the one
subscriber whom it concerns. Who wants to hear names the types (`weir.*`, `weir.delivery.dead`); `*` does not ask for
them. For whom nobody listens nothing is written, so those cost nothing. And nothing is ever told of itself: not of
what became of an announcement, nor of a subscription that wants nothing but announcements.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils import timezone

from deliveries.deciders.matching import matches
from deliveries.models import Subscription
from webhooks.deciders.own import OWN_SOURCE, names_own, wants_only_own
from webhooks.ids import public_id, uuid7
from webhooks.services import own_events
from webhooks.services.own_events import OwnEvent


@dataclass(frozen=True, kw_only=True, slots=True)
class News:
    """`about` is the subscription that it happened to, where it happened to one; `data` grows by its id and name.

    `key` names the fact: told twice, it is one event.
    """

    kind: str
    data: Mapping[str, Any]
    about: UUID
    key: str = field(default_factory=lambda: uuid7().hex)


def announce(*, kind: str, subscriber: UUID, data: Mapping[str, Any], key: str = "") -> bool:
    """Tells one subscriber, in the caller's transaction. False when it does not listen, so that nothing is written."""
    return announce_to(kind=kind, told={subscriber: data}, key=key) == 1


def announce_to(*, kind: str, told: Mapping[UUID, Mapping[str, Any]], key: str = "") -> int:
    """Tells each subscriber its own; says how many listen. One question whatever their number."""
    listening = {each.subscriber_id for each in _read(subscriber_id__in=list(told)) if each.hears(kind)}
    key = key or uuid7().hex
    events = [
        OwnEvent(event_type=kind, key=key, target_id=subscriber, data=data)
        for subscriber, data in told.items()
        if subscriber in listening
    ]
    own_events.write(events, timezone.now())
    return len(events)


def announce_each(news: Sequence[News], *, now: datetime | None = None) -> int:
    """Tells of subscriptions, each to its subscriber, in the caller's transaction; says how many were worth writing.

    One question whatever their number, and nothing more where nobody listens.
    """
    if not news:
        return 0
    known = _kin_of({each.about for each in news})
    by_kind = {kind: _heard(kind, known) for kind in {each.kind for each in news}}
    events = [
        _event(each, by_kind[each.kind][each.about]) for each in news if each.about in by_kind[each.kind]
    ]
    own_events.write(events, now or timezone.now())
    return len(events)


def heard(kind: str, subscriptions: Collection[UUID]) -> Collection[UUID]:
    """Those of the subscriptions of which somebody would hear this. One question."""
    return _heard(kind, _kin_of(subscriptions)).keys()


def _heard(kind: str, known: Sequence["_Known"]) -> dict[UUID, "_Known"]:
    listening = {each.subscriber_id for each in known if each.hears(kind)}
    return {each.id: each for each in known if each.subscriber_id in listening and not each.is_ours_alone}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Known:
    """What must be known of a subscription to tell whether it hears, or is heard of."""

    id: UUID
    subscriber_id: UUID
    name: str
    patterns: Sequence[str]
    source_id: UUID | None

    @property
    def is_ours_alone(self) -> bool:
        return self.source_id == OWN_SOURCE or wants_only_own(self.patterns)

    def hears(self, kind: str) -> bool:
        """As the router will say: without the source named, only a pattern that begins with weir. asks for it."""
        if self.source_id not in (None, OWN_SOURCE):
            return False
        named = (p for p in self.patterns if self.source_id == OWN_SOURCE or names_own([p]))
        return any(matches(pattern, kind) for pattern in named)


def _kin_of(subscriptions: Collection[UUID]) -> list[_Known]:
    """These, and all else that their subscribers subscribe to."""
    owners = Subscription.objects.filter(pk__in=subscriptions).order_by().values("subscriber_id")
    return _read(subscriber_id__in=owners)


def _read(**which: Any) -> list[_Known]:
    rows = Subscription.objects.filter(**which).order_by()
    columns = ("id", "subscriber_id", "name", "event_types", "source_id")
    return [
        _Known(id=key, subscriber_id=subscriber, name=name, patterns=patterns, source_id=source)
        for key, subscriber, name, patterns, source in rows.values_list(*columns)
    ]


def _event(news: News, about: _Known) -> OwnEvent:
    told = {"subscription": public_id("subscription", about.id), "name": about.name}
    return OwnEvent(
        event_type=news.kind, key=news.key, target_id=about.subscriber_id, data={**told, **news.data}
    )
