"""Sends one signed ping to a subscription's endpoint because a person asked, and shows what came of it.

It makes no delivery and no attempt, counts in no rate, and works in whatever state the lane is. Its body has
the envelope of every event of the hub:

    {"event_id": "test_…", "event_type": "weir.test", "timestamp": …,
     "data": {"subscription": "sub_…", "test": "test_…"}}

It is never transformed. Or it is one that was sent to the endpoint before, in the form the subscription wants;
`test_…` is its webhook-id, and `weir-test: 1` marks it either way.
A 2xx from behind an open circuit orders a probe, so that recovery begins at once.
"""

import asyncio
import random
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import User
from django.utils import timezone

from deliveries.deciders.address import EgressPolicy
from deliveries.deciders.cloudevents import STRUCTURED, Told, source_of, wrap
from deliveries.deciders.outcome import Outcome
from deliveries.deciders.request import compose_headers
from deliveries.dispatcher import orders
from deliveries.dispatcher.client import Client, Exchange
from deliveries.dispatcher.orders import Orders
from webhooks.deciders.expressions import render_json
from webhooks.deciders.redaction import MASK, mask
from webhooks.deciders.times import zulu
from webhooks.ids import public_id, uuid7
from webhooks.services import audit

from . import circuits
from .holds import Refused

LIMIT_S = 10.0  # a person waits for the answer, and so does one of the web server's threads
PROBE_REASON = "A test was answered 2xx."
SAMPLE_TYPE = "weir.test"
JSON = "application/json"
PING_SLUG = "weir"  # the source that a ping in the form of a CloudEvent names

_turn = threading.Lock()  # one at a time in each process, so that tests never hold all of its threads


class Busy(Exception):
    """Another test is under way; says so in one sentence."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Payload:
    """What was sent there before, to be sent once more as a test."""

    body: bytes
    content_type: str
    delivery_id: UUID


@dataclass(frozen=True, kw_only=True, slots=True)
class PingAnswer:
    """What was sent and what came back, as people may see it."""

    outcome: Outcome
    status: int | None
    error: str
    duration_ms: int
    url: str
    request_headers: dict[str, str]
    request_body: bytes
    response_headers: list[tuple[str, str]]
    response_body: bytes
    is_truncated: bool
    has_ordered_probe: bool = False

    @property
    def sentence(self) -> str:
        said = f"The endpoint answered {self.status}" if self.status else "The endpoint did not answer"
        probe = (
            " A probe was ordered, so that what is parked begins to flow." if self.has_ordered_probe else ""
        )
        return f"{said} ({self.outcome}) after {self.duration_ms:,} ms. {self.error}".rstrip() + probe


def ping_endpoint(
    *,
    subscription_id: UUID,
    actor: str,
    user: User | None = None,
    reason: str = "",
    event_type: str = SAMPLE_TYPE,
    payload: Payload | None = None,
) -> PingAnswer:
    """Sends the ping and waits for its answer, 10 s at most. Raises Busy, and Refused where nothing can be signed.

    Without a payload a sample of the event type is sent.
    """
    answer = send_one(subscription_id=subscription_id, event_type=event_type, payload=payload)
    audit.record(
        actor=actor,
        user=user,
        verb="test",
        object_kind="subscription",
        object_id=subscription_id,
        reason=reason,
        criteria=_criteria(event_type, payload),
        after={"outcome": answer.outcome.value, "status": answer.status, "duration_ms": answer.duration_ms},
    )
    has_ordered = answer.outcome is Outcome.OK and _order_probe(subscription_id, actor, user)
    return replace(answer, has_ordered_probe=has_ordered)


def send_one(*, subscription_id: UUID, event_type: str, payload: Payload | None = None) -> PingAnswer:
    """The ping alone: it writes nothing. Raises Busy, and Refused where nothing can be signed."""
    if not _turn.acquire(blocking=False):
        raise Busy("Another test is under way; try again in a few seconds.")
    try:
        ping = _prepare(subscription_id, event_type, payload, timezone.now())
        began = time.monotonic()
        exchange = asyncio.run(_send(ping))
        duration_ms = round((time.monotonic() - began) * 1000)
    finally:
        _turn.release()
    return _shown(ping, exchange, duration_ms)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Ping:
    orders: Orders
    headers: Mapping[str, str]
    body: bytes


def _criteria(event_type: str, payload: Payload | None) -> dict[str, str]:
    if payload is None:
        return {"type": event_type}
    return {"type": event_type, "body_of": public_id("delivery", payload.delivery_id)}


def _prepare(subscription_id: UUID, event_type: str, payload: Payload | None, now: datetime) -> _Ping:
    loaded = orders.load(revisions={subscription_id: 0}, now=now)
    if subscription_id in loaded.broken:
        raise Refused(loaded.broken[subscription_id])
    found = loaded.orders[subscription_id]
    name = f"test_{uuid7().hex}"
    body = payload.body if payload else _sample(subscription_id, event_type, name, now)
    content_type = payload.content_type if payload else JSON
    if found.is_cloudevents and content_type != STRUCTURED:
        told = Told(event_type=event_type, source=source_of(settings.HUB_PUBLIC_URL, PING_SLUG), at=now)
        body, content_type = (
            wrap(message_id=name, told=told, body=body, content_type=content_type),
            STRUCTURED,
        )
    headers = compose_headers(
        signer=found.signer,
        message_id=name,
        timestamp=int(now.timestamp()),
        body=body,
        content_type=content_type,
        trace_id=f"{random.getrandbits(128) or 1:032x}",  # noqa: S311 (a name, not a secret)
        span_id=f"{random.getrandbits(64) or 1:016x}",  # noqa: S311 (a name, not a secret)
        attempt=1,
        extra=found.headers,
    )
    return _Ping(orders=found, headers=headers | {"weir-test": "1"}, body=body)


def _sample(subscription_id: UUID, event_type: str, name: str, now: datetime) -> bytes:
    data = {"subscription": public_id("subscription", subscription_id), "test": name}
    return render_json({"event_id": name, "event_type": event_type, "timestamp": zulu(now), "data": data})


async def _send(ping: _Ping) -> Exchange:
    policy = EgressPolicy(allow=tuple(settings.HUB_EGRESS_ALLOW))
    async with Client(policy) as client:
        return await client.send(
            url=ping.orders.url,
            headers=dict(ping.headers),
            body=ping.body,
            timeout_s=min(LIMIT_S, ping.orders.timeout_s),
        )


def _order_probe(subscription_id: UUID, actor: str, user: User | None) -> bool:
    try:
        verdict = circuits.probe_now(
            subscription_id=subscription_id, actor=actor, user=user, reason=PROBE_REASON
        )
    except Refused:  # its circuit is not open, or a person holds it
        return False
    return verdict.is_ordered


def _shown(ping: _Ping, exchange: Exchange, duration_ms: int) -> PingAnswer:
    own = {name.lower() for name in ping.orders.headers}
    return PingAnswer(
        outcome=exchange.outcome,
        status=exchange.status,
        error=exchange.error,
        duration_ms=duration_ms,
        url=ping.orders.url,
        request_headers={
            name: MASK if name.lower() in own else value for name, value in ping.headers.items()
        },
        request_body=ping.body,
        response_headers=mask(exchange.response_headers)[0],
        response_body=exchange.response_body,
        is_truncated=exchange.truncated,
    )
