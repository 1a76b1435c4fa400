"""The cascade of an event over the API: what caused it and what it caused, as nodes and edges. It changes nothing."""

from collections.abc import Iterable
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from deliveries.deciders.cascade_tree import Hop, Leg, tell
from deliveries.models import Cascade
from deliveries.selectors.cascades import read_cascade
from deliveries.selectors.event_story import cascade_of
from webhooks.ids import public_id
from webhooks.models import Event
from webhooks.rest import Door


class Node(serializers.Serializer[Any]):
    """An event, or a delivery of one."""

    id = serializers.CharField(help_text="The id of the event or the delivery.")
    kind = serializers.ChoiceField(choices=["event", "delivery"], help_text="Which of the two it is.")
    state = serializers.CharField(help_text="The event's state, or the delivery's as the console calls it.")
    depth = serializers.IntegerField(help_text="How many hops it is from the cascade's first event.")
    event_type = serializers.CharField(required=False, help_text="Of an event: its type.")
    source_name = serializers.CharField(required=False, help_text="Of an event: who told of it.")
    at = serializers.DateTimeField(required=False, help_text="Of an event: when it came.")
    subscription = serializers.CharField(required=False, help_text="Of a delivery: to whom it goes.")
    name = serializers.CharField(required=False, help_text="Of a delivery: what that subscription is called.")
    last_answer = serializers.CharField(
        required=False, help_text="Of a delivery: its last answer, such as `503` or `timeout`."
    )
    begins_at = serializers.DateTimeField(required=False, help_text="Of a delivery: when it was made.")
    ends_at = serializers.DateTimeField(required=False, help_text="Of a delivery: when it was last answered.")


class Edge(serializers.Serializer[Any]):
    """An event and its delivery, or a delivery and an event that it caused."""

    before = serializers.CharField(help_text="The id of what comes first.")
    after = serializers.CharField(help_text="The id of what came of it.")


class CascadeBody(serializers.Serializer[Any]):
    trace_id = serializers.CharField(help_text="The cascade's name, which every traceparent carries.")
    first = serializers.CharField(help_text="The id of its first event.")
    events = serializers.IntegerField(help_text="How many events are told of.")
    deliveries = serializers.IntegerField(help_text="How many deliveries are told of.")
    depth = serializers.IntegerField(help_text="How many hops it reaches.")
    is_cut = serializers.BooleanField(help_text="Whether there is more of it than is told.")
    nodes = Node(many=True, help_text="Its events, then its deliveries, each in the order of the tree.")
    edges = Edge(many=True, help_text="What came of what.")
    critical_path = serializers.ListField(
        child=serializers.CharField(help_text="The id of an event or a delivery."),
        help_text="From the first event to what ended last: had any of these been faster, all would have ended sooner.",
    )


class CascadeDoor(Door[Event]):
    """A part of the door of events."""

    owned_by = None

    @extend_schema(responses={200: CascadeBody})
    @action(detail=True)
    def cascade(self, request: Request, pk: str) -> Response:
        """Read the cascade of an event. It is told from its first event on; one that stands alone is its own."""
        event = self.get_object()
        # A row exists only where an event caused another.
        cascade = cascade_of(event.trace_id) or Cascade(trace_id=event.trace_id, root=event)
        return Response(CascadeBody(_told(cascade)).data)


def _told(cascade: Cascade) -> dict[str, Any]:
    found = read_cascade(cascade)
    tree = tell(found.root, found.hops, found.legs)
    rows = tree.rows
    depths = {row.hop.id: row.depth for row in rows}
    return {
        "trace_id": cascade.trace_id.hex,
        "first": public_id("event", cascade.root_id),
        "events": 1 + len(found.hops),
        "deliveries": len(found.legs),
        "depth": max(depths.values()),
        "is_cut": found.is_cut,
        "nodes": [
            *(_event(hop, depths[hop.id]) for hop in _once(row.hop for row in rows)),
            *(_delivery(row.leg, row.depth) for row in rows if row.leg),
        ],
        "edges": [
            *(_edge(_cause(hop), _name(hop)) for hop in _once(row.hop for row in rows) if hop.cause_id),
            *(_edge(_name(row.hop), public_id("delivery", row.leg.id)) for row in rows if row.leg),
        ],
        # Events and deliveries in turn.
        "critical_path": [
            public_id("delivery" if place % 2 else "event", key) for place, key in enumerate(tree.critical)
        ],
    }


def _once(hops: Iterable[Hop]) -> Iterable[Hop]:
    return {hop.id: hop for hop in hops}.values()


def _event(hop: Hop, depth: int) -> dict[str, Any]:
    return {
        "id": _name(hop),
        "kind": "event",
        "event_type": hop.event_type,
        "source_name": hop.source,
        "state": hop.state,
        "at": hop.at,
        "depth": depth,
    }


def _delivery(leg: Leg, depth: int) -> dict[str, Any]:
    return {
        "id": public_id("delivery", leg.id),
        "kind": "delivery",
        "subscription": public_id("subscription", leg.subscription_id),
        "name": leg.subscription,
        "state": leg.status.value,
        "last_answer": leg.tag,
        "begins_at": leg.begins,
        "ends_at": leg.ends,
        "depth": depth,
    }


def _edge(one: str, other: str) -> dict[str, str]:
    return {"before": one, "after": other}


def _name(hop: Hop) -> str:
    return public_id("event", hop.id)


def _cause(hop: Hop) -> str:
    assert hop.cause_id  # noqa: S101 (asked for where there is one)
    return public_id("delivery", hop.cause_id)
