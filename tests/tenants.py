"""Two subscribers with one thing of every kind each, and the routes of the REST API as they stand."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.urls import reverse

from deliveries.models import Alert, Attempt, Cascade, DeadLetter, Issue, Replay
from hub import api
from tests import make
from tests.callers import Caller
from webhooks.ids import PREFIXES, public_id
from webhooks.models import ApiKey, EventType, Refusal, Source, Subscriber
from webhooks.rest import Door
from webhooks.services.keys import create_api_key


@dataclass(frozen=True, kw_only=True)
class Tenant:
    """`things` has an id for every kind that a door may show; a door of a new kind needs one here."""

    subscriber: Subscriber
    caller: Caller
    things: dict[str, UUID]

    def names(self) -> set[str]:
        return {each.hex for each in self.things.values()}


def tenant(name: str) -> Tenant:
    subscriber = make.subscriber(name)
    source = Source.objects.create(slug=name, name=name, subscriber=subscriber)
    subscription = make.subscription(subscriber=subscriber, name=f"hook of {name}", source=source)
    event = make.event(source=source, state="routed", external_id=f"sent to {name}")
    delivery = make.delivery(subscription, event, state="dead", attempts=1)
    attempt = Attempt.objects.create(
        delivery=delivery, number=1, phase=0, started_at=make.now(), duration_ms=1, outcome="refused"
    )
    issue = Issue.objects.create(subscription=subscription, fingerprint="v1:a", reason="exhausted")
    letter = DeadLetter.objects.create(
        delivery=delivery, subscription=subscription, issue=issue, reason="exhausted"
    )
    refusal = Refusal.objects.create(source=source, reason="signature-mismatch", headers=[], body=b"{}")
    key, plain = create_api_key(role="subscriber", subscriber=subscriber, name=name)
    ApiKey.objects.filter(pk=key.pk).update(last_used_at=make.now())
    caller = Caller()
    caller.credentials(HTTP_AUTHORIZATION=f"Bearer {plain}")
    things = {
        "source": source.pk,
        "subscriber": subscriber.pk,
        "subscription": subscription.pk,
        "event": event.pk,
        "eventtype": EventType.objects.create(name=f"order.{name}").pk,
        "delivery": delivery.pk,
        "attempt": attempt.pk,
        "deadletter": letter.pk,
        "issue": issue.pk,
        "refusal": refusal.pk,
        "replay": Replay.objects.create(ordered_by=name).pk,
        "apikey": key.pk,
        "cascade": Cascade.objects.create(trace_id=event.trace_id, root=event).pk,
        "alert": Alert.objects.create(rule=name, summary=f"It is of {name}.").pk,
    }
    return Tenant(subscriber=subscriber, caller=caller, things=things)


@dataclass(frozen=True, kw_only=True)
class Route:
    name: str
    door: type[Door[Any]]
    methods: tuple[str, ...]
    acts: Mapping[str, str]  # by method, what the door calls them
    arguments: tuple[str, ...]

    @property
    def is_of_one(self) -> bool:
        return bool(self.arguments)

    def address(self, tenant: Tenant) -> str:
        """With this tenant's ids. An argument is `pk`, of the door's kind, or a kind's own name."""
        given = {each: self._id(tenant, each) for each in self.arguments}
        return reverse(self.name, kwargs=given)

    def _id(self, tenant: Tenant, argument: str) -> str:
        kind = self.door.kind if argument == "pk" else argument.removesuffix("_pk")
        return shown(kind, tenant.things[kind])


def shown(kind: str, thing: UUID) -> str:
    """A cascade goes by its trace id."""
    return public_id(kind, thing) if kind in PREFIXES else thing.hex


def routes() -> Iterator[Route]:
    """Each address of the API once, with its methods, and HEAD and OPTIONS, which are everywhere."""
    for pattern in api.urlpatterns:
        view = pattern.callback
        yield Route(
            name=str(pattern.name),
            door=view.cls,
            methods=(*sorted(view.actions), "options"),
            acts=view.actions,
            arguments=tuple(sorted(pattern.pattern.regex.groupindex)),
        )
