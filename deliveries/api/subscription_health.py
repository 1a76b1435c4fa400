"""How a subscription does, over the API: figures of a window, its endpoint, circuit, lane and backlog.

From rollups and the last sample: no delivery is counted, but for what waits behind a lane in trouble, which is bounded.
It changes nothing.
"""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from deliveries.models import CircuitChange, DepthSample, Subscription
from deliveries.selectors import rollups
from deliveries.selectors.blast_radius import LOOKED_AT, MOST_SHOWN, BlastRadius, radius_in_trouble
from deliveries.selectors.endpoints import endpoints_now
from deliveries.selectors.rollups import SPANS
from deliveries.selectors.subscription_story import circuit_changes
from webhooks.rest import Door, PublicId, Strict

from .figures import CauseBody, FiguresBody
from .issue_bodies import EndpointBody
from .subscription_bodies import LaneBody


class Span(Strict):
    span = serializers.ChoiceField(
        choices=list(SPANS), default="24h", help_text="How far back is looked for figures and failures."
    )


class CircuitChangeBody(serializers.Serializer[CircuitChange]):
    at = serializers.DateTimeField(help_text="When its circuit changed.")
    before = serializers.CharField(help_text="From which state.")
    after = serializers.CharField(help_text="To which: `closed`, `open`, `half_open` or `recovering`.")
    why = serializers.CharField(help_text="Why, in a sentence.")


class Backlog(serializers.Serializer[Any]):
    """As it was last sampled, every 15 seconds."""

    pending = serializers.IntegerField(help_text="Deliveries that are owed.")
    due = serializers.IntegerField(help_text="Of these, what is due.")
    oldest_due_at = serializers.DateTimeField(
        allow_null=True, help_text="Since when the oldest of these is due."
    )
    retrying = serializers.IntegerField(help_text="Of what is owed, what was tried before.")
    dead = serializers.IntegerField(help_text="Dead letters that wait for a person.")
    sampled_at = serializers.DateTimeField(
        allow_null=True, help_text="When this was counted; null where there never was anything to count."
    )


class SourceBehind(serializers.Serializer[Any]):
    source = serializers.CharField(source="slug", help_text="The slug of a source.")  # type: ignore[assignment]
    count = serializers.IntegerField(help_text="How many of what was looked at came from it.")


class CascadeBehind(serializers.Serializer[Any]):
    trace_id = serializers.CharField(source="id.hex", help_text="The trace id of a cascade.")
    event_type = serializers.CharField(source="name", help_text="The type of its first event.")
    count = serializers.IntegerField(help_text="How many of what was looked at are of it.")


class Radius(serializers.Serializer[BlastRadius]):
    """What waits behind a lane in trouble, and goes no further there."""

    parked = serializers.IntegerField(
        help_text=f"Deliveries that wait in the lane, as of now; {LOOKED_AT:,} are looked at, the oldest."
    )
    is_more = serializers.BooleanField(help_text="Whether further ones wait behind those.")
    oldest_at = serializers.DateTimeField(allow_null=True, help_text="When the oldest of them was made.")
    sources = SourceBehind(
        many=True, help_text=f"Which sources they came from: at most {MOST_SHOWN}, those with the most first."
    )
    cascades = CascadeBehind(
        many=True,
        allow_null=True,
        help_text=f"Which cascades stop here: at most {MOST_SHOWN}, those with the most first. "
        "Null for a subscriber's key, since cascades belong to nobody.",
    )


class Health(serializers.Serializer[Any]):
    subscription = PublicId("subscription", help_text="The subscription's id.")
    since = serializers.DateTimeField(help_text="The beginning of the window.")
    until = serializers.DateTimeField(help_text="Its end: that of the slice which is under way.")
    figures = FiguresBody(help_text="What happened in the window.")
    failures = CauseBody(many=True, help_text="Why attempts failed, the most frequent first.")
    endpoint = EndpointBody(help_text="How its endpoint does just now.")
    lane = LaneBody(help_text="How its lane moves just now.")
    circuit_changes = CircuitChangeBody(
        many=True, help_text="The latest changes of its circuit, the newest first."
    )
    backlog = Backlog(help_text="What waits in its lane.")
    blast_radius = Radius(
        allow_null=True, help_text="What waits behind a lane in trouble; null of one that moves freely."
    )


class HealthDoor(Door[Subscription]):
    """A part of the door of subscriptions."""

    owned_by = "subscriber"

    @extend_schema(parameters=[Span], responses={200: Health})
    @action(detail=True)
    def health(self, request: Request, pk: str) -> Response:
        """Read how a subscription does. What was settled in the last second or two may not be counted yet."""
        asked = self.read(Span, self.params).validated_data
        told = _health(self.get_object(), asked["span"], datetime.now(UTC))
        radius = told["blast_radius"]
        if radius and self.holder and self.holder.is_subscriber:
            told["blast_radius"] = replace(radius, cascades=None)
        return Response(Health(told).data)


def _health(subscription: Subscription, span: str, now: datetime) -> dict[str, Any]:
    window, lane = rollups.recent(span, now=now), subscription.lane
    return {
        "subscription": subscription.pk,
        "since": window.since,
        "until": window.until,
        "figures": rollups.totals(window, subscription.pk),
        "failures": rollups.causes(window, subscription.pk),
        "endpoint": endpoints_now([lane], now)[lane.pk],
        "lane": lane,
        "circuit_changes": circuit_changes(subscription.pk),
        "backlog": _backlog(DepthSample.objects.filter(pk=subscription.pk).first()),
        "blast_radius": radius_in_trouble(lane),
    }


def _backlog(sample: DepthSample | None) -> DepthSample | dict[str, Any]:
    """A lane that was never seen with anything in it has no sample."""
    nothing = dict.fromkeys(("pending", "due", "retrying", "dead"), 0)
    return sample or {**nothing, "oldest_due_at": None, "sampled_at": None}
