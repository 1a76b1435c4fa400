"""Tells steps of deliveries, and of events set aside, as lines and spans, for who takes them. It changes nothing."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from urllib.parse import urlsplit
from uuid import UUID

from deliveries.deciders.cascade_guard import Why
from deliveries.deciders.outcome import Outcome
from webhooks import spans, story
from webhooks.deciders.trace_context import parent_of
from webhooks.ids import public_id
from webhooks.models import Event

from .claims import Claimed


class SentAgain(NamedTuple):
    event_id: UUID
    delivery_id: UUID
    subscription_id: UUID
    replay_id: UUID


def sending(row: Claimed, body: bytes) -> None:
    story.tell(
        "sending",
        level=story.DEBUG,
        event_id=row.event_id,
        delivery_id=row.delivery_id,
        subscription_id=row.lane_id,
        number=row.attempts + 1,
        size=len(body),
        trace_id=row.trace_id,
    )


def quarantined(event_id: UUID, trace_id: UUID, why: Why, *, depth: int | None = None) -> None:
    story.tell(
        "quarantined", level=story.WARNING, event_id=event_id, why=why.value, depth=depth, trace_id=trace_id
    )


def admitted(items: Sequence[SentAgain]) -> None:
    """What a replay has let in; one look for their traces, if anybody is told."""
    if not story.is_told():
        return
    ids = {each.event_id for each in items}
    traces = dict(Event.objects.filter(pk__in=ids).values_list("pk", "trace_id"))
    for each in items:
        story.tell("replayed", **each._asdict(), trace_id=traces.get(each.event_id))


def attempted(
    *,
    row: Claimed,
    attempt_id: UUID,
    url: str,
    headers: Mapping[str, str],
    began_at: datetime,
    duration_ms: int,
    outcome: Outcome,
    status: int | None,
    error: str,
) -> None:
    """Its span's id is the one the receiver saw in `traceparent`, so that the receiver's spans hang below it."""
    sent = parent_of(headers)
    attributes: dict[str, spans.Value] = {
        "weir.event_id": public_id("event", row.event_id),
        "weir.delivery_id": public_id("delivery", row.delivery_id),
        "weir.subscription_id": public_id("subscription", row.lane_id),
        "weir.attempt_id": public_id("attempt", attempt_id),
        "weir.attempt": row.attempts + 1,
        "weir.outcome": outcome.value,
        "http.request.method": "POST",
        "server.address": urlsplit(url).hostname or "",
    }
    if status is not None:
        attributes["http.response.status_code"] = status
    span = spans.Span(
        name="attempt",
        at=spans.Place(row.trace_id.int, sent.span_id if sent else spans.receive_id(attempt_id)),
        kind="client",
        began_at=began_at,
        ended_at=began_at + timedelta(milliseconds=duration_ms),
        parent_id=spans.route_id(row.event_id),
        attributes=attributes,
        error="" if outcome is Outcome.OK else error or outcome.value,
    )
    spans.emit(span)
