"""The usual way, for comparison: one django-q2 task per delivery, with a blocking client.

Written as one would who knows both: the connection is kept alive, each signer is made once, one query reads all,
one short transaction writes the rows the hub writes, and no task's result is kept. Retries, order, pace and
everything else the hub does are left out.
"""

import http.client
import time
from datetime import UTC, datetime
from functools import cache
from secrets import token_hex
from urllib.parse import urlsplit
from uuid import UUID

from django.db import transaction
from django_q.tasks import async_task

from deliveries.deciders.outcome import Outcome, classify_status
from deliveries.deciders.request import compose_headers
from deliveries.models import Attempt, Delivery, DeliveryState, Exchange, SubscriptionSecret
from webhooks.deciders.standard import Signer
from webhooks.ids import public_id

TIMEOUT_S = 15


def enqueue(deliveries: list[UUID]) -> None:
    """Called by the bench beforehand, so that putting tasks in the queue is not on the clock."""
    with transaction.atomic():
        for delivery in deliveries:
            async_task("bench.naive.deliver", str(delivery))


def deliver(delivery_id: str) -> None:
    """The task."""
    delivery = Delivery.objects.select_related("event__content", "subscription").get(id=delivery_id)
    headers = _headers(delivery)
    started_at, clock = datetime.now(UTC), time.monotonic()
    answer, content = _post(delivery.subscription.url, bytes(delivery.event.content.body), headers)
    duration_ms = round((time.monotonic() - clock) * 1000)
    outcome = classify_status(answer.status)
    with transaction.atomic():
        attempt = Attempt.objects.create(
            delivery=delivery,
            number=delivery.attempts + 1,
            phase=delivery.phase,
            started_at=started_at,
            duration_ms=duration_ms,
            outcome=outcome,
            status=answer.status,
        )
        Exchange.objects.create(
            attempt=attempt,
            url=delivery.subscription.url,
            request_headers=headers,
            response_headers=answer.getheaders(),
            response_body=content,
        )
        Delivery.objects.filter(id=delivery.id, state=DeliveryState.PENDING).update(
            **_settled(outcome),
            attempts=attempt.number,
            last_attempt_at=started_at,
            last_outcome=outcome,
            last_status=answer.status,
            last_latency_ms=duration_ms,
        )


def _settled(outcome: Outcome) -> dict[str, object]:
    if outcome is not Outcome.OK:
        return {}
    return {"state": DeliveryState.DELIVERED, "due_at": None, "settled_at": datetime.now(UTC)}


def _headers(delivery: Delivery) -> dict[str, str]:
    return compose_headers(
        signer=_signer(delivery.subscription_id),
        message_id=public_id("delivery", delivery.id),
        timestamp=int(time.time()),
        body=bytes(delivery.event.content.body),
        content_type=delivery.event.content.content_type,
        trace_id=delivery.event.trace_id.hex,
        span_id=token_hex(8),
        attempt=delivery.attempts + 1,
        extra={},
    )


@cache
def _signer(subscription_id: UUID) -> Signer:
    secrets = SubscriptionSecret.objects.filter(subscription_id=subscription_id)
    return Signer.of([secret.sealed for secret in secrets])


@cache
def _connection(netloc: str) -> http.client.HTTPConnection:
    # One per worker process and host; http.client opens it again by itself once it was closed.
    return http.client.HTTPConnection(netloc, timeout=TIMEOUT_S)


def _post(url: str, content: bytes, headers: dict[str, str]) -> tuple[http.client.HTTPResponse, bytes]:
    address = urlsplit(url)
    connection = _connection(address.netloc)
    connection.request("POST", address.path, content, headers)
    answer = connection.getresponse()
    return answer, answer.read()
