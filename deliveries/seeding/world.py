"""Makes up who sends and who wants it: sources, subscribers, subscriptions with their lanes. Few rows, by the ORM."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random

from deliveries.models import Hold, Lane, RouteRevision, Subscription, SubscriptionSecret
from webhooks.deciders.standard import new_secret
from webhooks.models import Source, Subscriber

from .endpoints import Endpoint, make_endpoint

SOURCES = {
    "shop": ("order.created", "order.paid", "order.cancelled", "order.refunded", "cart.abandoned"),
    "payments": ("payment.succeeded", "payment.failed", "payout.paid", "dispute.opened"),
    "billing": ("invoice.finalized", "invoice.paid", "invoice.overdue", "customer.updated"),
    "shipping": ("shipment.created", "shipment.delivered", "shipment.delayed"),
    "identity": ("kyc.session.approved", "kyc.session.declined", "user.created", "user.deleted"),
    "warehouse": ("inventory.low", "inventory.adjusted", "stocktake.finished"),
    "crm": ("contact.created", "contact.updated", "deal.won", "deal.lost"),
    "support": ("ticket.opened", "ticket.solved"),
    "forge": ("push", "pull_request.opened", "pull_request.merged", "release.published"),
    "sensors": ("reading.taken", "battery.low"),
}
DOES = ("sync", "mirror", "ledger", "alerts", "reports", "search", "archive", "mail", "bridge", "fulfilment")
TEAMS = (
    "ERP core", "Legacy CRM", "Data lake", "Accounting", "Fraud watch", "Storefront", "Warehouse app",
    "Loyalty", "Marketing", "Partner portal", "Mobile push", "Tax engine", "Returns desk", "Forecasts",
    "Customer care", "Audit vault", "Price desk", "Courier hub", "Risk desk", "Back office",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Consumer:
    """A subscription with how its endpoint behaves. `held_from` is when its lane was paused, if it is."""

    subscription: Subscription
    endpoint: Endpoint
    held_from: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Sender:
    """A source, and who wants its events, with how often each is the one."""

    source: Source
    types: Sequence[str]
    consumers: Sequence[Consumer]
    weights: Sequence[float]
    share: float


def make_world(chance: Random, *, subscriptions: int, now: float) -> list[Sender]:
    owners = Subscriber.objects.bulk_create(Subscriber(name=name) for name in TEAMS)
    sources = [_source(slug) for slug in SOURCES]
    consumers = [
        _consumer(chance, number, owners, sources[number % len(sources)], now)
        for number in range(subscriptions)
    ]
    _store(consumers, now)
    return [_sender(source, consumers, place) for place, source in enumerate(sources)]


def _consumer(
    chance: Random, number: int, owners: Sequence[Subscriber], source: Source, now: float
) -> Consumer:
    owner = owners[number % len(owners)]
    name = f"{owner.name} {DOES[number // len(owners) % len(DOES)]}"
    again = number // (len(owners) * len(DOES))
    subscription = Subscription(
        subscriber=owner,
        name=f"{name} {again + 1}" if again else name,
        url=f"https://{owner.name.lower().replace(' ', '-')}.example/hooks/{number}",
        source=source,
        event_types=["*"],
    )
    held_from = now - chance.uniform(600, 40_000) if chance.random() < 0.012 else now + 1
    is_sick = chance.random() < 0.05
    return Consumer(
        subscription=subscription,
        endpoint=make_endpoint(chance, now=now, is_sick=is_sick),
        held_from=held_from,
    )


def _store(consumers: Sequence[Consumer], now: float) -> None:
    Subscription.objects.bulk_create(consumer.subscription for consumer in consumers)
    Lane.objects.bulk_create(
        Lane(
            subscription=consumer.subscription,
            subscriber_id=consumer.subscription.subscriber_id,
            hold=Hold.PAUSED if consumer.held_from < now else Hold.NONE,
            hold_reason="Their database is being moved." if consumer.held_from < now else "",
            held_at=datetime.fromtimestamp(consumer.held_from, UTC) if consumer.held_from < now else None,
            next_due_at=datetime.fromtimestamp(now, UTC),
        )
        for consumer in consumers
    )
    secrets = [new_secret() for _ in consumers]
    SubscriptionSecret.objects.bulk_create(
        SubscriptionSecret(subscription=consumer.subscription, sealed=secret, hint=secret[-4:])
        for consumer, secret in zip(consumers, secrets, strict=True)
    )
    RouteRevision.objects.update_or_create(id=1, defaults={"revision": 2})


def _sender(source: Source, consumers: Sequence[Consumer], place: int) -> Sender:
    theirs = [consumer for consumer in consumers if consumer.subscription.source_id == source.pk]
    return Sender(
        source=source,
        types=SOURCES[source.slug],
        consumers=theirs,
        weights=[1 / (rank + 1) ** 0.7 for rank in range(len(theirs))],  # some are told far more than others
        share=1 / (place + 1),
    )


def _source(slug: str) -> Source:
    return Source.objects.get_or_create(slug=slug, defaults={"name": slug.capitalize()})[0]
