"""How issues are told as JSON, each with what waits in it and how its endpoint does. It changes nothing."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar, cast

from django.db.models import Model, QuerySet
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from deliveries.deciders.endpoint import EndpointNow
from deliveries.deciders.issue_query import TABS
from deliveries.deciders.issue_states import shown_state
from deliveries.models import Issue
from deliveries.models.dead_letter import IssueState
from deliveries.selectors.endpoints import endpoints_now
from deliveries.selectors.issue_pages import Letters, letters_of, of_tab
from webhooks.rest import MadeBetween, PublicId
from webhooks.serializers import Reason

M = TypeVar("M", bound=Model)


class EndpointBody(serializers.Serializer[EndpointNow]):
    """How it did in the last half hour."""

    mood = serializers.CharField(
        help_text="`answering`, `unsteady`, `failing`, `open` (its circuit), `paused`, `disabled`, "
        "`unproved` or `no_traffic`."
    )
    sentence = serializers.CharField(help_text="The same in words, and what a replay may expect.")
    lately = serializers.CharField(source="share", help_text="Attempts that went well, such as `62 of 63`.")


class IssueBody(serializers.Serializer[Issue]):
    """Of the context: `now`, `letters` by fingerprint and `endpoints` by subscription; see `told`."""

    id = PublicId("issue", help_text="The issue's id.")
    subscription = PublicId("subscription", source="subscription_id", help_text="At whose endpoint it fails.")
    fingerprint = serializers.CharField(help_text="Names this kind of failure at this subscription.")
    state = serializers.SerializerMethodField(
        help_text="`open`, `acknowledged`, `ignored`, `resolved` (no dead letter of it waits), or `regressed` "
        "(it was resolved, and came back)."
    )
    state_at = serializers.DateTimeField(allow_null=True, help_text="When its state last changed.")
    state_by = serializers.CharField(help_text="Who changed it last; empty where it changed by itself.")
    ignored_until = serializers.DateTimeField(allow_null=True, help_text="Until when it is ignored.")
    reason = serializers.CharField(help_text="Why its deliveries were given up.")
    outcome = serializers.CharField(help_text="What came of the last attempt.")
    status = serializers.IntegerField(allow_null=True, help_text="The HTTP status, if there was an answer.")
    error = serializers.CharField(help_text="The failure, in words.")
    first_seen_at = serializers.DateTimeField(help_text="When a delivery first died of it.")
    last_seen_at = serializers.DateTimeField(help_text="When one last did.")
    dead = serializers.SerializerMethodField(help_text="How many dead letters of it wait.")
    endpoint = serializers.SerializerMethodField(
        help_text="How its endpoint does just now, and so whether a replay is likely to work."
    )

    def get_state(self, issue: Issue) -> str:
        return shown_state(state=issue.state, ignored_until=issue.ignored_until, now=self.context["now"])

    def get_dead(self, issue: Issue) -> int:
        return int(self.context["letters"].get(issue.fingerprint, Letters()).dead)

    @extend_schema_field(EndpointBody)
    def get_endpoint(self, issue: Issue) -> dict[str, str]:
        return dict(EndpointBody(self.context["endpoints"][issue.subscription_id]).data)


def told(issues: Sequence[Issue]) -> list[dict[str, Any]]:
    """In two questions, however many issues."""
    now = datetime.now(UTC)
    lanes = {issue.subscription_id: issue.subscription.lane for issue in issues}
    context = {
        "now": now,
        "letters": letters_of(issue.fingerprint for issue in issues),
        "endpoints": endpoints_now(lanes.values(), now),
    }
    return [dict(each) for each in IssueBody(cast(Any, issues), many=True, context=context).data]


class IssueTold(IssueBody):
    detail = serializers.CharField(help_text="What was done, in a word.")


class IssueFilters(MadeBetween):
    """An issue is made when a delivery first dies of it."""

    state = serializers.ChoiceField(
        choices=list(TABS),
        required=False,
        help_text="`open` takes in what has regressed, and what is no longer ignored.",
    )
    subscription = PublicId(
        "subscription", source="subscription_id", required=False, help_text="Only of this subscription."
    )
    fingerprint = serializers.CharField(required=False, max_length=40, help_text="Only this kind of failure.")

    def narrow(self, queryset: QuerySet[M, Any]) -> QuerySet[M, Any]:
        if tab := self.validated_data.pop("state", ""):
            queryset = queryset.filter(of_tab(tab, datetime.now(UTC)))
        return super().narrow(queryset)


class IssueMove(Reason):
    seen = serializers.ChoiceField(
        choices=IssueState.choices,
        required=False,
        help_text="The state you saw: in another by now, the issue is left as it is, and the answer is 409.",
    )
