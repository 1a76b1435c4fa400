"""Makes rows as the services would, with as little said as a test needs."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F

from deliveries.dispatcher import seats
from deliveries.models import (
    Delivery,
    DeliveryState,
    Lane,
    Rollup,
    RollupFailure,
    Subscription,
    SubscriptionSecret,
    TypeFailure,
    TypeRollup,
)
from deliveries.models.rollup import EVERY, WIDTHS
from webhooks import wake
from webhooks.deciders.standard import new_secret
from webhooks.ids import uuid7
from webhooks.models import Event, EventBody, EventState, Source, Subscriber

BODY = b'{"event_id":"a1b2","event_type":"user.created","data":{"name":"Ada"}}'


def now() -> datetime:
    return datetime.now(UTC)


def seat() -> seats.Holding:
    """A dispatcher's seat, with nobody dispatching from it."""
    taken = seats.sit()
    assert taken is not None, "no free seat"
    return taken


def source(slug: str = "shop") -> Source:
    return Source.objects.get_or_create(slug=slug, defaults={"name": slug})[0]


def subscriber(name: str = "billing") -> Subscriber:
    return Subscriber.objects.get_or_create(name=name)[0]


def subscription(url: str = "http://127.0.0.1:9/hook", **options: Any) -> Subscription:
    """With its lane, asleep, and one secret."""
    owner = options.pop("subscriber", None) or subscriber()
    options.setdefault("event_types", ["*"])
    made = Subscription.objects.create(subscriber=owner, name=options.pop("name", "hook"), url=url, **options)
    Lane.objects.create(subscription=made, subscriber=owner)
    secret = new_secret()
    SubscriptionSecret.objects.create(subscription=made, sealed=secret, hint=secret[-4:])
    return made


def event(body: bytes = BODY, *, type: str = "user.created", **options: Any) -> Event:
    """Stored and waiting for its router, unless a state is given."""
    if options.get("state", EventState.RECEIVED) != EventState.RECEIVED:
        options.setdefault("routed_at", now())
    options.setdefault("external_id", uuid7().hex)
    options.setdefault("source", None)
    owner = options.pop("source") or source()
    with transaction.atomic():  # as the door does: no router ever sees an event without its body
        made = Event.objects.create(source=owner, event_type=type, size=len(body), **options)
        EventBody.objects.create(event=made, body=body, content_type="application/json", headers=[])
    wake.ring(wake.EVENTS)
    return made


def delivery(to: Subscription, of: Event | None = None, **options: Any) -> Delivery:
    """Pending and due, and its lane awake, as after routing."""
    of = of or event(state=EventState.ROUTED)
    state = options.get("state", DeliveryState.PENDING)
    options.setdefault("due_at", now() - timedelta(seconds=1) if state == DeliveryState.PENDING else None)
    made = Delivery.objects.create(
        event=of,
        subscription=to,
        source_id=of.source_id,
        event_type=of.event_type,
        external_id=of.external_id,
        **options,
    )
    if made.due_at:
        Lane.objects.filter(pk=to.pk, next_due_at=None).update(next_due_at=made.due_at)
    return made


def deliveries(to: Subscription, count: int) -> list[UUID]:
    """Many at once, all of one event each."""
    at = now() - timedelta(seconds=1)
    owner = source()
    events = [
        Event(source=owner, external_id=uuid7().hex, event_type="t", size=2, state="routed", routed_at=at)
        for _ in range(count)
    ]
    Event.objects.bulk_create(events)
    EventBody.objects.bulk_create(
        EventBody(event=each, body=b"{}", content_type="application/json", headers=[]) for each in events
    )
    made = Delivery.objects.bulk_create(
        Delivery(
            event=each, subscription=to, source=owner, event_type="t", external_id=each.external_id, due_at=at
        )
        for each in events
    )
    Lane.objects.filter(pk=to.pk).update(next_due_at=at)
    return [each.id for each in made]


def slices(to: Subscription, *, ago: timedelta = timedelta(hours=2), took: int = 7, **counts: int) -> None:
    """What settled attempts add up to, of every width, for the subscription and for all of them together."""
    counts = {**counts, f"took_{took:02}": counts.get("attempts", 0)}
    for where in _slices_of(to, ago):
        Rollup.objects.get_or_create(**where)
        Rollup.objects.filter(**where).update(**{name: F(name) + count for name, count in counts.items()})


def failures(
    to: Subscription, outcome: str, status: int, count: int, *, ago: timedelta = timedelta(hours=2)
) -> None:
    for where in _slices_of(to, ago):
        kind = {**where, "outcome": outcome, "status": status}
        RollupFailure.objects.get_or_create(**kind)
        RollupFailure.objects.filter(**kind).update(failures=F("failures") + count)


def type_slices(
    event_type: str, *, ago: timedelta = timedelta(hours=2), took: int = 7, **counts: int
) -> None:
    """The same for a type of events, of which there is nothing yet."""
    counts = {**counts, f"took_{took:02}": counts.get("attempts", 0)}
    for where in _times(ago):
        TypeRollup.objects.create(**where, event_type=event_type, **counts)


def type_failures(event_type: str, outcome: str, status: int, count: int) -> None:
    for where in _times(timedelta(hours=2)):
        kind = {"event_type": event_type, "outcome": outcome, "status": status}
        TypeFailure.objects.create(**where, **kind, failures=count)


def _slices_of(to: Subscription, ago: timedelta) -> list[dict[str, Any]]:
    return [{**where, "subscription_id": key} for where in _times(ago) for key in (to.pk, EVERY)]


def _times(ago: timedelta) -> list[dict[str, Any]]:
    second = int((now() - ago).timestamp())
    return [
        {"width_s": width_s, "starts_at": datetime.fromtimestamp(second - second % width_s, UTC)}
        for width_s in WIDTHS
    ]
