"""How the preview of a replay is told as JSON: what it would take in, what not, and why. It changes nothing."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from deliveries.deciders.replay_choice import LEFT_OUT
from deliveries.selectors.replay_estimate import Estimate, Failure, LeftOut, Sample, To
from webhooks.rest import PublicId


class FailureCount(serializers.Serializer[Failure]):
    outcome = serializers.CharField(help_text="What came of the last attempt; empty: there was none.")
    status = serializers.IntegerField(
        allow_null=True, help_text="The last HTTP status, if there was an answer."
    )
    count = serializers.IntegerField(help_text="How many.")


class TypeCount(serializers.Serializer[Any]):
    event_type = serializers.CharField(help_text="The type of the events.")
    count = serializers.IntegerField(help_text="How many.")


class ToBody(serializers.Serializer[To]):
    subscription = PublicId("subscription", source="id", help_text="To whom they would go.")
    name = serializers.CharField(help_text="What people call it.")
    count = serializers.IntegerField(help_text="How many.")
    rate_per_s = serializers.FloatField(allow_null=True, help_text="Its own rate; null: no limit.")
    trouble = serializers.CharField(help_text="What keeps it from moving just now; empty: nothing.")


class LeftOutBody(serializers.Serializer[LeftOut]):
    why = serializers.CharField(source="reason", help_text="The first reason that holds, in a word.")
    sentence = serializers.SerializerMethodField(help_text="The same as people read it.")
    count = serializers.IntegerField(help_text="How many.")
    is_more = serializers.BooleanField(source="more", help_text="Whether there are at least so many.")

    def get_sentence(self, left_out: LeftOut) -> str:
        return LEFT_OUT[left_out.reason]


class SampleBody(serializers.Serializer[Sample]):
    event = PublicId("event", source="event_id", help_text="The event.")
    subscription = PublicId("subscription", source="subscription_id", help_text="To whom it is owed.")
    delivery = PublicId(
        "delivery", source="delivery_id", allow_null=True, help_text="Null where it would have to be made."
    )
    event_type = serializers.CharField(help_text="The event's type.")
    outcome = serializers.CharField(help_text="What came of the last attempt; empty: there was none.")
    status = serializers.IntegerField(
        allow_null=True, help_text="The last HTTP status, if there was an answer."
    )
    at = serializers.DateTimeField(help_text="When the event came.")


class Preview(serializers.Serializer[Estimate]):
    """`until` and `most` of the context: what is made later is not in it; more than so many are not started."""

    dry_run = serializers.SerializerMethodField(help_text="Always true: nothing was made.")
    count = serializers.IntegerField(
        help_text="How many would go: name it as `expected_count` to start these."
    )
    most = serializers.SerializerMethodField(help_text="How many may go at once.")
    until = serializers.SerializerMethodField(
        help_text="Deliveries made at this moment or later are not in it."
    )
    to_be_made = serializers.IntegerField(
        source="missing", help_text="Of the count, deliveries that would have to be made first."
    )
    failures = FailureCount(many=True, help_text="The count by what failed, the most frequent first.")
    event_types = serializers.SerializerMethodField(help_text="The count by the most frequent types.")
    of_other_types = serializers.IntegerField(
        source="other_types", help_text="What is of none of these types."
    )
    subscriptions = ToBody(many=True, help_text="The count by subscription, the largest first.")
    left_out = LeftOutBody(many=True, help_text="What fits the filter and would not go, and why.")
    newest_only_would_leave_out = serializers.IntegerField(
        source="overtaken", help_text="What `newest_only` would leave out besides."
    )
    first = SampleBody(many=True, help_text="The first few.")
    last = SampleBody(many=True, help_text="The last few.")

    def get_dry_run(self, found: Estimate) -> bool:
        return True

    def get_most(self, found: Estimate) -> int:
        return int(self.context["most"])

    @extend_schema_field(serializers.DateTimeField)
    def get_until(self, found: Estimate) -> str:
        return str(serializers.DateTimeField().to_representation(self.context["until"]))

    @extend_schema_field(TypeCount(many=True))
    def get_event_types(self, found: Estimate) -> list[dict[str, Any]]:
        return [{"event_type": name, "count": count} for name, count in found.types]
