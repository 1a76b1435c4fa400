"""Fills the hub's tables through the ORM, as if what is measured had led up to it. It never sends anything."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import cycle, islice
from uuid import UUID

from django.core.management import call_command
from django.db import connection, transaction
from django.db.models import Model
from django.utils import timezone

from bench.message import BODY_SIZE, CONTENT_TYPE, EVENT_TYPE, body
from deliveries.models import Delivery, Lane, RouteRevision, Subscription, SubscriptionSecret
from webhooks.deciders.standard import new_secret
from webhooks.ids import uuid7
from webhooks.models import Event, EventBody, EventState, Source, SourceSecret, Subscriber

BATCH = 2000
SOURCE = "shop"
# What a provider's request brings along.
HEADERS = [
    ["content-type", "application/json"],
    ["user-agent", "Shop-Webhooks/1.0"],
    ["accept", "*/*"],
    ["webhook-id", "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W"],
    ["webhook-timestamp", "1674087231"],
    ["webhook-signature", "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4="],
]


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """One source, and subscriptions that all want its events."""

    source: Source
    source_secret: str
    subscriptions: Sequence[Subscription]


def world(*, lanes: int, url: str) -> World:
    """Empties all tables, then makes the source and `lanes` subscriptions, each of a subscriber of its own."""
    call_command("flush", interactive=False, verbosity=0)
    secret = new_secret()
    source = Source.objects.create(name="Shop", slug=SOURCE, scheme="standard-webhooks")
    SourceSecret.objects.create(source=source, sealed=secret, hint=secret[-4:])
    subscribers = Subscriber.objects.bulk_create(Subscriber(name=f"Team {n}") for n in range(lanes))
    subscriptions = [
        Subscription(subscriber=subscriber, name=f"Orders {n}", url=f"{url}{n}", event_types=["order.*"])
        for n, subscriber in enumerate(subscribers)
    ]
    with transaction.atomic():
        Subscription.objects.bulk_create(subscriptions)
        SubscriptionSecret.objects.bulk_create(_secrets(subscriptions))
        Lane.objects.bulk_create(Lane(subscription=s, subscriber_id=s.subscriber_id) for s in subscriptions)
        RouteRevision.objects.update_or_create(id=1, defaults={"revision": 2})
    return World(source=source, source_secret=secret, subscriptions=subscriptions)


def backlog(world: World, *, deliveries: int) -> list[UUID]:
    """Routed deliveries that are due now, in turn for each lane, each of an event and a body of its own."""
    now = timezone.now()
    ids: list[UUID] = []
    pending = zip(range(deliveries), cycle(world.subscriptions), strict=False)
    while batch := list(islice(pending, BATCH)):
        with transaction.atomic():
            ids += _deliveries(world.source, batch, now)
    Lane.objects.update(next_due_at=now)
    _settle_in()
    return ids


def multiply(world: World, *, deliveries: int) -> None:
    """So many routed deliveries, due now, for the world's only subscription, made inside the database from one.

    Their bodies are empty objects: what is parked is not read, and a million of the usual ones are a gigabyte.
    """
    [first] = backlog(world, deliveries=1)
    made = Delivery.objects.get(pk=first)
    Event.objects.filter(pk=made.event_id).update(size=2)
    EventBody.objects.filter(pk=made.event_id).update(body=b"{}", headers=[])
    delivery, event = made.pk.hex[:16], made.event_id.hex[:16]
    with transaction.atomic():
        _copy(Event, made.event_id, deliveries, id=event, external_id="parked-")
        _copy(EventBody, made.event_id, deliveries, event_id=event)
        _copy(Delivery, made.pk, deliveries, id=delivery, event_id=event, external_id="parked-")
    _settle_in()


def _copy(model: type[Model], template: UUID, count: int, **beginnings: str) -> None:
    """Copies one row `count` times; in the columns named, each begins as told and ends in 16 digits of its own."""
    is_postgresql = connection.vendor == "postgresql"
    digits = "lpad(to_hex(n), 16, '0')" if is_postgresql else "printf('%%016x', n)"
    series = (
        "SELECT generate_series(1, %s) AS n"
        if is_postgresql
        else "WITH RECURSIVE up(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM up WHERE n < %s) SELECT n FROM up"
    )
    columns = {str(field.column): str(field.db_type(connection)) for field in model._meta.concrete_fields}
    values = [
        f"CAST(%s || {digits} AS {kind})" if name in beginnings else name for name, kind in columns.items()
    ]
    sql = f"""INSERT INTO {model._meta.db_table} ({", ".join(columns)})
              SELECT {", ".join(values)} FROM {model._meta.db_table}, ({series}) AS series
              WHERE {model._meta.pk.column} = %s"""  # noqa: S608 - names of our own models
    given = [beginnings[name] for name in columns if name in beginnings]
    key = template if is_postgresql else template.hex
    with connection.cursor() as cursor:
        cursor.execute(sql, [*given, count, key])


def _secrets(subscriptions: Sequence[Subscription]) -> Iterator[SubscriptionSecret]:
    for subscription in subscriptions:
        secret = new_secret()
        yield SubscriptionSecret(subscription=subscription, sealed=secret, hint=secret[-4:])


def _deliveries(source: Source, batch: Sequence[tuple[int, Subscription]], now: datetime) -> list[UUID]:
    events = [
        Event(
            source=source,
            external_id=f"evt-{number:07d}",
            event_type=EVENT_TYPE,
            state=EventState.ROUTED,
            routed_at=now,
            size=BODY_SIZE,
            trace_id=uuid7(),
        )
        for number, _ in batch
    ]
    owed = [
        Delivery(
            event=event,
            subscription=subscription,
            source=source,
            event_type=event.event_type,
            external_id=event.external_id,
            due_at=now,
        )
        for event, (_, subscription) in zip(events, batch, strict=True)
    ]
    Event.objects.bulk_create(events)
    EventBody.objects.bulk_create(
        EventBody(event=event, body=body(event.external_id), content_type=CONTENT_TYPE, headers=HEADERS)
        for event in events
    )
    Delivery.objects.bulk_create(owed)
    return [delivery.id for delivery in owed]


def _settle_in() -> None:
    """What the database would have done by itself, had the rows come in at a natural pace."""
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE" if connection.vendor == "postgresql" else "ANALYZE")
        if connection.vendor == "postgresql":
            cursor.execute("CHECKPOINT")
