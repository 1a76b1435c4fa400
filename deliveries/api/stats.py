"""The door of figures: counts, shares, latencies and failures of a window, from rollups alone. It counts no row."""

from datetime import UTC, datetime, timedelta
from typing import Any

from drf_spectacular.helpers import forced_singular_serializer
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from deliveries.models import Rollup, Subscription
from deliveries.models.rollup import TYPES_A_DAY
from deliveries.selectors.rollups import Window
from deliveries.selectors.stats import (
    WIDEST_S,
    OfSubscription,
    OfType,
    by_subscription,
    by_type,
    covering,
    stats,
    stats_of_type,
)
from webhooks.rest import Door, PublicId, Strict, When
from webhooks.selectors.window_receipts import ReceiptsOfSource, receipts_by_source

from .figures import CauseBody, FiguresBody

USUAL = timedelta(days=1)
LONGEST = timedelta(days=396)  # as long as the widest slices are kept


class Wish(Strict):
    since = When(f"From when on. {When.HOW} Left out: a day before `until`.")
    until = When(f"Until when. {When.HOW} Left out: now.")
    by = serializers.ChoiceField(
        choices=["subscription", "type", "source"],
        required=False,
        help_text="`subscription`: how deliveries to each fared. `type`: how deliveries of each type of event fared. "
        "`source`: what came of what each sent or published, by the hour.",
    )
    subscription = PublicId("subscription", required=False, help_text="Only of this one.")
    event_type = serializers.CharField(
        required=False, allow_blank=True, max_length=200, help_text="Only of events of this type, exactly."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        now = datetime.now(UTC)
        until = min(attrs.get("until", now), now)
        since = attrs.get("since", until - USUAL)
        if not now - LONGEST <= since < until:
            raise ValidationError({"since": [f"Choose a moment before until, within {LONGEST.days} days."]})
        if len(attrs.keys() & {"by", "subscription", "event_type"}) > 1:
            name = next(name for name in ("by", "event_type") if name in attrs)
            raise ValidationError({name: ["Choose one of by, subscription and event_type."]})
        return {**attrs, "window": covering(since, until, now=now)}


class SubscriptionFigures(serializers.Serializer[OfSubscription]):
    subscription = PublicId("subscription", source="id", help_text="The subscription's id.")
    name = serializers.CharField(help_text="What people call it.")
    figures = FiguresBody(help_text="How deliveries to it fared.")


class TypeFigures(serializers.Serializer[OfType]):
    event_type = serializers.CharField(
        allow_null=True,
        help_text=f"The type; null: those that came when their day (UTC) had {TYPES_A_DAY:,} types already.",
    )
    figures = FiguresBody(help_text="How deliveries of such events fared.")


class ReceiptsBody(serializers.Serializer[ReceiptsOfSource]):
    """What came of requests to one source."""

    source = serializers.SerializerMethodField(  # type: ignore[assignment]
        help_text="Its slug; null: there is no such source."
    )
    accepted = serializers.SerializerMethodField(help_text="Requests that became events.")
    duplicate = serializers.SerializerMethodField(help_text="Those that had come before.")
    conflict = serializers.SerializerMethodField(help_text="Those whose id came before with another body.")
    refused = serializers.SerializerMethodField(help_text="Those that were refused.")
    handshake = serializers.SerializerMethodField(help_text="Those by which a provider asked for the door.")
    refused_for = serializers.DictField(
        source="reasons", child=serializers.IntegerField(), help_text="Why, of those that were refused."
    )

    def get_source(self, receipts: ReceiptsOfSource) -> str | None:
        return receipts.slug or None

    def get_accepted(self, receipts: ReceiptsOfSource) -> int:
        return receipts.verdicts.get("accepted", 0)

    def get_duplicate(self, receipts: ReceiptsOfSource) -> int:
        return receipts.verdicts.get("duplicate", 0)

    def get_conflict(self, receipts: ReceiptsOfSource) -> int:
        return receipts.verdicts.get("conflict", 0)

    def get_refused(self, receipts: ReceiptsOfSource) -> int:
        return receipts.verdicts.get("refused", 0)

    def get_handshake(self, receipts: ReceiptsOfSource) -> int:
        return receipts.verdicts.get("handshake", 0)


class StatsBody(serializers.Serializer[Any]):
    since = serializers.DateTimeField(help_text="The beginning of the window, in whole slices.")
    until = serializers.DateTimeField(help_text="Its end.")
    total = FiguresBody(help_text="What happened in it.")
    failures = CauseBody(many=True, help_text="Why attempts failed, the most frequent first.")
    by_subscription = SubscriptionFigures(
        many=True, required=False, help_text="The busiest subscriptions, when asked for by them."
    )
    by_type = TypeFigures(many=True, required=False, help_text="The busiest types, when asked for by type.")
    is_cut = serializers.BooleanField(
        required=False, help_text="Whether there are more subscriptions, or more types."
    )
    by_source = ReceiptsBody(many=True, required=False, help_text="What came in, when asked for by source.")


_ONE = forced_singular_serializer(StatsBody)  # type: ignore[no-untyped-call]


class StatsDoor(Door[Rollup]):
    owned_by = None
    kind = "rollup"
    pagination_class = None  # type: ignore[assignment]

    @extend_schema(parameters=[Wish], responses={200: _ONE})
    def list(self, request: Request) -> Response:
        """Read figures of a window. It is told in whole minutes, quarter hours or hours, by how long ago it began."""
        asked = self.read(Wish, self.params).validated_data
        window, one = asked["window"], asked.get("subscription")
        if one is not None and not Subscription.objects.filter(pk=one).exists():
            raise ValidationError({"subscription": ["There is no such subscription."]})
        event_type = asked.get("event_type")
        found = stats(window, one) if event_type is None else stats_of_type(window, event_type)
        shown = {"since": window.since, "until": window.until, "total": found.total, "failures": found.causes}
        parts = {"subscription": _by_subscription, "type": _by_type, "source": _by_source}
        return Response(StatsBody(shown | (parts[asked["by"]](window) if "by" in asked else {})).data)


def _by_subscription(window: Window) -> dict[str, Any]:
    rows, is_more = by_subscription(window)
    return {"by_subscription": rows, "is_cut": is_more}


def _by_type(window: Window) -> dict[str, Any]:
    rows, is_more = by_type(window)
    return {"by_type": rows, "is_cut": is_more}


def _by_source(window: Window) -> dict[str, Any]:
    """ReceiptsOfSource are summed up by the hour, so that the first hour counts whole."""
    begins = int(window.since.timestamp()) // WIDEST_S * WIDEST_S
    return {"by_source": receipts_by_source(datetime.fromtimestamp(begins, UTC), window.until)}
