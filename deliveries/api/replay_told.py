"""How a replay is told as JSON, and how far it is. It changes nothing."""

from collections.abc import Sequence
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from deliveries.deciders.delivery_address import parse
from deliveries.models import Replay, ReplayLane
from deliveries.selectors.replay_progress import FailedAgain, Progress, lanes_of
from webhooks.rest import PublicId

from .replay_bodies import PRESET_NAMES
from .replay_filter import Criteria, shown


class ReplayBody(serializers.Serializer[Replay]):
    id = PublicId("replay", help_text="The replay's id.")
    kind = serializers.CharField(source="verb", help_text="`replay` or `discard`.")
    state = serializers.CharField(
        help_text="`running`, `paused`, `stopped` (by itself), `cancelled` or `finished`."
    )
    ordered_by = serializers.CharField(help_text="Who ordered it: a user's name, or an API key's.")
    reason = serializers.CharField(help_text="Why.")
    filter = serializers.SerializerMethodField(help_text="Which deliveries, with the bounds frozen.")
    preset = serializers.SerializerMethodField(help_text="What was asked for by a preset's name, if any.")
    newest_only = serializers.BooleanField(help_text="Of each entity only its newest event.")
    only_moving = serializers.BooleanField(
        source="leaves_out_held", help_text="Nothing of subscriptions that did not move."
    )
    rate_per_s = serializers.FloatField(allow_null=True, help_text="To each subscription; null: its own.")
    exceeds_limits = serializers.BooleanField(help_text="Whether it goes above what a subscription allows.")
    sends_one_first = serializers.BooleanField(help_text="Whether one goes first to each subscription.")
    stops_itself = serializers.BooleanField(help_text="Whether it stops when too much fails.")
    total = serializers.IntegerField(help_text="Deliveries it has frozen.")
    waiting = serializers.IntegerField(help_text="Of these, what it has yet to reach.")
    under_way = serializers.IntegerField(source="admitted", help_text="Due, or in flight.")
    delivered = serializers.IntegerField(help_text="Answered by a 2xx.")
    failed = serializers.IntegerField(help_text="Failed again; these go on by their own schedule.")
    skipped = serializers.IntegerField(help_text="Passed over, since nothing was to be done any more.")
    discarded = serializers.IntegerField(help_text="Discarded by it.")
    returned = serializers.IntegerField(help_text="Given back when it was cancelled.")
    stop_reason = serializers.CharField(help_text="Why it stopped by itself, in a sentence.")
    created_at = serializers.DateTimeField(help_text="When it was ordered.")
    finished_at = serializers.DateTimeField(allow_null=True, help_text="When it was over.")

    @extend_schema_field(Criteria)
    def get_filter(self, replay: Replay) -> dict[str, Any]:
        return shown(parse(replay.criteria).query)

    def get_preset(self, replay: Replay) -> str:
        return PRESET_NAMES[replay.preset]


class ReplayTold(ReplayBody):
    detail = serializers.CharField(help_text="What was done, in a sentence.")


class FailedAgainBody(serializers.Serializer[FailedAgain]):
    """What failed again, with its delivery as it stands now."""

    delivery = PublicId("delivery", source="delivery.pk", help_text="The delivery's id.")
    at = serializers.DateTimeField(help_text="When it failed again.")
    outcome = serializers.CharField(
        source="delivery.last_outcome", help_text="What came of its last attempt."
    )
    status = serializers.IntegerField(
        source="delivery.last_status",
        allow_null=True,
        help_text="The last HTTP status, if there was an answer.",
    )
    error = serializers.CharField(source="delivery.last_error", help_text="Its last failure, in words.")


class SkippedBody(serializers.Serializer[Any]):
    why = serializers.CharField(help_text="Why items were passed over.")
    count = serializers.IntegerField(help_text="How many.")


class ReplayLaneBody(serializers.Serializer[ReplayLane]):
    subscription = PublicId("subscription", source="subscription_id", help_text="To whom this part goes.")
    name = serializers.CharField(source="subscription.name", help_text="What people call it.")
    total = serializers.IntegerField(help_text="How many of the replay's deliveries go there.")
    is_done = serializers.BooleanField(help_text="Whether none of them waits any more.")
    hold = serializers.CharField(source="subscription.lane.hold", help_text="Empty while its lane moves.")
    circuit = serializers.CharField(source="subscription.lane.circuit", help_text="How its circuit stands.")


class ProgressBody(serializers.Serializer[Progress]):
    per_s = serializers.FloatField(source="rate_now", help_text="Settled a second, over the last few.")
    left_s = serializers.FloatField(
        allow_null=True, help_text="Seconds to go at that pace; null where nothing goes."
    )
    settled_per_second = serializers.ListField(
        source="per_second",
        child=serializers.IntegerField(),
        help_text="What was settled in each second of the last minute, the oldest first.",
    )
    failed_again = FailedAgainBody(source="failures", many=True, help_text="The latest that failed again.")
    skipped = serializers.SerializerMethodField(help_text="What was passed over, by its reason.")
    subscriptions = serializers.SerializerMethodField(help_text="Its parts, the largest first.")

    @extend_schema_field(SkippedBody(many=True))
    def get_skipped(self, progress: Progress) -> Sequence[dict[str, Any]]:
        return [{"why": why, "count": count} for why, count in progress.skipped]

    @extend_schema_field(ReplayLaneBody(many=True))
    def get_subscriptions(self, progress: Progress) -> Sequence[dict[str, Any]]:
        return [dict(ReplayLaneBody(each).data) for each in lanes_of(progress.replay.pk)]


class ReplayProgress(ReplayBody):
    """`progress` of the context is its course."""

    progress = serializers.SerializerMethodField(help_text="How far it is, and what came of it.")

    @extend_schema_field(ProgressBody)
    def get_progress(self, replay: Replay) -> dict[str, Any]:
        return dict(ProgressBody(self.context["progress"]).data)
