"""How dead letters are told as JSON, and by what their list narrows. It changes nothing."""

from datetime import timedelta
from typing import Any, TypeVar

from django.db.models import Model, QuerySet
from rest_framework import serializers

from deliveries.deciders.outcome import Outcome
from deliveries.models import DeadLetter
from webhooks.ids import first_id_at
from webhooks.models import Source
from webhooks.rest import Filters, PublicId, Since, When
from webhooks.serializers import BySlug

M = TypeVar("M", bound=Model)

# A letter's id is made a moment after the time of death that stands in it; no settlement takes a minute.
SLACK = timedelta(minutes=1)


class DeadLetterBody(serializers.Serializer[DeadLetter]):
    id = PublicId("deadletter", help_text="The dead letter's id.")
    delivery = PublicId("delivery", source="delivery_id", help_text="The delivery that was given up.")
    event = PublicId("event", source="delivery.event_id", help_text="The event it was to bring.")
    event_id = serializers.CharField(source="delivery.external_id", help_text="The sender's id of the event.")
    event_type = serializers.CharField(source="delivery.event_type", help_text="The event's type.")
    source = BySlug(  # type: ignore[assignment]
        "source", source="delivery.source", read_only=True, help_text="The event's source, by its slug."
    )
    subscription = PublicId("subscription", source="subscription_id", help_text="To whom it was owed.")
    issue = PublicId(
        "issue", source="issue_id", help_text="The issue it forms with others that failed alike."
    )
    reason = serializers.CharField(help_text="Why it was given up, such as `exhausted` or `gone`.")
    attempt_count = serializers.IntegerField(source="delivery.attempts", help_text="How often it was tried.")
    last_outcome = serializers.CharField(
        source="delivery.last_outcome", help_text="What came of the last attempt."
    )
    last_status = serializers.IntegerField(
        source="delivery.last_status",
        allow_null=True,
        help_text="The last HTTP status, if there was an answer.",
    )
    last_error = serializers.CharField(source="delivery.last_error", help_text="The last failure, in words.")
    died_at = serializers.DateTimeField(help_text="When it was given up, the last time.")
    resolved_at = serializers.DateTimeField(
        allow_null=True, help_text="When it was replayed or discarded; null while it waits for a person."
    )
    resolution = serializers.CharField(help_text="`replayed` or `discarded`; empty while it waits.")


class DeadLetterTold(DeadLetterBody):
    detail = serializers.CharField(help_text="What was done, in a sentence.")


class DeadLetterFilters(Filters):
    resolved = serializers.BooleanField(required=False, help_text="Whether it was replayed or discarded.")
    reason = serializers.CharField(required=False, max_length=40, help_text="Why it was given up.")
    outcome = serializers.ChoiceField(
        source="delivery__last_outcome",
        choices=[each.value for each in Outcome],
        required=False,
        help_text="What came of the last attempt.",
    )
    subscription = PublicId(
        "subscription", source="subscription_id", required=False, help_text="Only of this subscription."
    )
    subscriber = PublicId(
        "subscriber",
        source="subscription__subscriber_id",
        required=False,
        help_text="Only of this subscriber's subscriptions.",
    )
    source = BySlug(  # type: ignore[assignment]
        "source",
        source="delivery__source",
        queryset=Source.objects.all(),
        required=False,
        help_text="Only of this source's events: its slug or id.",
    )
    event_type = serializers.CharField(
        source="delivery__event_type", required=False, max_length=200, help_text="Only events of this type."
    )
    issue = PublicId("issue", source="issue_id", required=False, help_text="Only of this issue.")
    since = Since(f"Those that died at this time or later. {Since.HOW}", source="died_at__gte")
    until = When(f"Those that died before this time. {When.HOW}", source="died_at__lt")

    def narrow(self, queryset: QuerySet[M, Any]) -> QuerySet[M, Any]:
        asked = dict(self.validated_data)
        if "resolved" in asked:
            queryset = queryset.filter(resolved_at__isnull=not asked.pop("resolved"))
        if "died_at__lt" in asked:  # ids tell when it died first, so that newer ones need not be read past
            asked["pk__lt"] = first_id_at(asked["died_at__lt"] + SLACK)
        return queryset.filter(**asked)
