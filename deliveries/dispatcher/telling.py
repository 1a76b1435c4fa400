"""Tells the steps of deliveries that have no other place to be told from. It changes nothing."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from webhooks import story
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


def admitted(items: Sequence[SentAgain]) -> None:
    """What a replay has let in; one look for their traces, if anybody is told."""
    if not story.is_told():
        return
    ids = {each.event_id for each in items}
    traces = dict(Event.objects.filter(pk__in=ids).values_list("pk", "trace_id"))
    for each in items:
        story.tell("replayed", **each._asdict(), trace_id=traces.get(each.event_id))
